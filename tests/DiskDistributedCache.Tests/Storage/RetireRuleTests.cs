using System.Text;
using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Storage;

/// <summary>Rule 13: a segment in which too much is corrupt is retired. What still matters in it goes to the end of the log.</summary>
public sealed class RetireRuleTests : IDisposable
{
    private const int DamagedRecords = 8;

    private readonly StoreScene _scene = new();

    public void Dispose() => _scene.Dispose();

    // Seen to fail when nothing was retired, and when only values were brought along.
    [Fact]
    public void What_still_matters_in_a_badly_damaged_segment_is_appended_again_and_survives_its_loss()
    {
        _scene.Open();
        _scene.Set("removed", "old");
        _scene.Set("tagged", "old", ["tag"]);
        _scene.FillSegments(1);
        _scene.Set("kept", "v");
        for (int i = 0; i < DamagedRecords; i++)
        {
            _scene.Set($"bad {i}", $"damaged value {i}");
        }

        _scene.Remove("removed");
        _scene.Evict("tag");
        long damaged = _scene.SegmentNumber;
        _scene.FillSegments(1);

        for (int i = 0; i < DamagedRecords; i++)
        {
            Assert.False(_scene.Store.HasDamagedSegment);
            Flip($"damaged value {i}");
            Assert.Null(_scene.Read($"bad {i}"));
        }

        Assert.True(_scene.Store.HasDamagedSegment);
        _scene.Store.RetireDamaged();
        Assert.False(_scene.Store.HasDamagedSegment);
        Assert.Equal("v", _scene.Read("kept"));

        // Nothing of the damaged segment is needed any more: not even its removals.
        Assert.NotEqual(damaged, SegmentOf("kept"));
        _scene.ReopenClosed();
        Assert.Equal("v", _scene.Read("kept"));
        Assert.Null(_scene.Read("removed"));
        Assert.Null(_scene.Read("tagged"));
    }

    private long SegmentOf(string key)
    {
        byte[] value = Encoding.Unicode.GetBytes(key);
        return _scene.SegmentFiles
            .Where(file => File.ReadAllBytes(file.FullName).AsSpan().IndexOf(value) >= 0)
            .Max(file => Convert.ToInt64(Path.GetFileNameWithoutExtension(file.Name), 16));
    }

    private void Flip(string value)
    {
        byte[] text = Encoding.UTF8.GetBytes(value);
        foreach (var segment in _scene.SegmentFiles)
        {
            if (File.ReadAllBytes(segment.FullName).AsSpan().IndexOf(text) is var at and >= 0)
            {
                using var file = new FileStream(segment.FullName, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
                file.Position = at;
                file.WriteByte((byte)(text[0] ^ 1));
                return;
            }
        }

        Assert.Fail("The value is in no segment.");
    }
}
