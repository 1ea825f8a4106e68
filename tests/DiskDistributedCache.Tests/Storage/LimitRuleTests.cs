using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Storage;

/// <summary>What grows has a limit, and is never above it, not even for a moment.</summary>
public sealed class LimitRuleTests : IDisposable
{
    private const int SegmentCount = 16;
    private readonly StoreScene _scene = new();

    public LimitRuleTests() => _scene.Settings = _scene.Settings with { MaxDiskBytes = SegmentCount * _scene.Settings.SegmentBytes };

    public void Dispose() => _scene.Dispose();

    // Seen to fail when bytes were not counted, and when every segment had the usual capacity.
    [Theory]
    [InlineData(100, 1)]
    [InlineData(700, 10)]
    [InlineData(3_000, 3)]
    [InlineData(9_000, 5)]
    [InlineData(31_000, 2)]
    public void The_segments_never_take_more_than_their_limit(int valueBytes, int keyCount)
    {
        _scene.Open();
        long most = 0;
        WatchBytes(bytes => most = Math.Max(most, bytes));

        for (int i = 0; i < 120; i++)
        {
            _scene.Set($"k{i % keyCount}", new string('v', valueBytes));
            _scene.MarkUsed($"k{i % keyCount}");
            Assert.InRange(_scene.Store.DiskBytes, 1, _scene.Settings.MaxDiskBytes);
            Assert.InRange(_scene.SegmentBytesOnDisk, 1, _scene.Settings.MaxDiskBytes);
        }

        Assert.InRange(most, 1, _scene.Settings.MaxDiskBytes);
    }

    // Seen to fail when room was made while the segment to be erased was still the active one.
    [Fact]
    public void Entries_of_very_different_sizes_never_take_more_than_the_limit()
    {
        _scene.Open();
        long limit = _scene.Settings.MaxDiskBytes;
        long most = 0;
        WatchBytes(bytes => most = Math.Max(most, bytes));

        // The largest that a store takes: half of its limit, with what a record takes beyond its value.
        int largest = (int)(limit / 2) - 200;
        int[] sizes = [10, largest, 10, largest, largest, 500, 3_900, 4_000, 5_000, largest, 20_000, largest, 1];
        for (int i = 0; i < 60; i++)
        {
            string value = new('v', sizes[i % sizes.Length]);
            _scene.Set($"k{i}", value);
            Assert.Equal(value, _scene.Read($"k{i}"));
        }

        Assert.InRange(most, 1, limit);
    }

    // Seen to fail when recovery did not count what it found.
    [Fact]
    public void A_smaller_limit_holds_from_the_next_start()
    {
        _scene.Open();
        _scene.FillSegments(SegmentCount - 3);
        _scene.Close();
        _scene.Settings = _scene.Settings with { MaxDiskBytes = 8 * _scene.Settings.SegmentBytes };

        _scene.Open();

        Assert.InRange(_scene.SegmentBytesOnDisk, 1, _scene.Settings.MaxDiskBytes);
    }

    // Seen to fail when only bytes were counted: every start begins a segment, however short the last one is.
    [Fact]
    public void Many_restarts_leave_a_bounded_number_of_segments()
    {
        _scene.Open();
        for (int i = 0; i < _scene.Settings.SegmentLimit + 20; i++)
        {
            _scene.Set("k", $"v{i}");
            _scene.ReopenClosed();
            Assert.Equal($"v{i}", _scene.Read("k"));
        }

        Assert.InRange(_scene.SegmentFiles.Count, 2, _scene.Settings.SegmentLimit);
    }

    // Seen to fail when the number of entries was not looked at, and with segments of at least 64 records.
    [Theory]
    [InlineData(10)]
    [InlineData(100)]
    [InlineData(1_000)]
    public void The_index_never_has_more_entries_than_its_limit(int limit)
    {
        _scene.Settings = _scene.Settings with { MaxEntries = limit, MaxDiskBytes = 1 << 20, SegmentBytes = 64 << 10 };
        _scene.Open();
        for (int i = 0; i < 3 * limit; i++)
        {
            _scene.Set($"k{i}", "v");
            Assert.InRange(_scene.Index.Count, 1, limit);
            Assert.Equal("v", _scene.Read($"k{i}"));
        }
    }

    // Seen to fail when removals were not written.
    [Fact]
    public void An_entry_larger_than_a_segment_has_one_of_its_own()
    {
        _scene.Open();
        string large = new('v', 3 * (int)_scene.Settings.SegmentBytes);
        _scene.Set("before", "v");
        _scene.Set("large", large);
        _scene.Set("after", "v");

        Assert.Equal(large, _scene.Read("large"));
        Assert.Equal(3, _scene.SegmentFiles.Count);
        _scene.ReopenKilled();
        Assert.Equal(large, _scene.Read("large"));
        _scene.ReopenClosed();
        Assert.Equal(large, _scene.Read("large"));
        _scene.Remove("large");
        _scene.ReopenKilled();
        Assert.Null(_scene.Read("large"));
        Assert.Equal("v", _scene.Read("before"));
        Assert.Equal("v", _scene.Read("after"));
    }

    /// <summary>Looks before every call that comes after one which may have added bytes.</summary>
    private void WatchBytes(Action<long> look)
    {
        foreach (var operation in (FileOperation[])[FileOperation.Write, FileOperation.Read, FileOperation.Open, FileOperation.Move])
        {
            _scene.Files.Watch(operation, _ => look(_scene.SegmentBytesOnDisk));
        }
    }
}
