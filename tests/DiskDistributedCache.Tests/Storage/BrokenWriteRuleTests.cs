using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Storage;

/// <summary>Rule 12: after a failed write a segment ends at its last verified byte.</summary>
public sealed class BrokenWriteRuleTests : IDisposable
{
    private readonly StoreScene _scene = new StoreScene().Open();

    public void Dispose() => _scene.Dispose();

    // Seen to fail when the segment was written on after the failure.
    [Theory]
    [InlineData(0)]
    [InlineData(8)]
    [InlineData(100)]
    [InlineData(int.MaxValue)]
    public void After_a_torn_write_nothing_is_written_to_that_segment_any_more(int keptBytes)
    {
        _scene.Set("before", "v");
        string broken = _scene.SegmentFiles[^1].Name;
        _scene.Files.Tear(keptBytes, broken, times: 1);
        var failed = _scene.AcceptValue("failed", "v");
        Assert.Throws<IOException>(() => _scene.Append(failed));
        int writes = _scene.Files.CountCalls(FileOperation.Write, broken);

        _scene.Append(failed);
        _scene.Set("after", "v");

        Assert.Equal(writes, _scene.Files.CountCalls(FileOperation.Write, broken));
        Assert.NotEqual(broken, _scene.SegmentFiles[^1].Name);
        AssertAllServed("before", "failed", "after");
        _scene.ReopenKilled();
        AssertAllServed("before", "failed", "after");
        Assert.Equal(0, _scene.Store.Report.Holes);
        _scene.ReopenClosed();
        AssertAllServed("before", "failed", "after");
    }

    // Seen to fail when the facts of the segment that was given up were cleared before its successor was there.
    [Fact]
    public void What_a_broken_segment_has_is_carried_although_its_successor_fails_at_first()
    {
        _scene.Set("before", "v");
        _scene.Evict("tag");
        _scene.Files.Tear(8, _scene.SegmentFiles[^1].Name, times: 1);
        var failed = _scene.AcceptValue("failed", "v");
        Assert.Throws<IOException>(() => _scene.Append(failed));
        _scene.Files.Fail(FileOperation.Move, times: 1);
        Assert.Throws<IOException>(() => _scene.Append(failed));

        _scene.Append(failed);
        _scene.ReopenKilled();

        AssertAllServed("before", "failed");
        Assert.Equal(1, _scene.Store.Barriers.Count);
        Assert.Equal((0, 1), (_scene.Store.Report.Holes, _scene.Store.Report.Scanned));
    }

    // Seen to fail when recovery read the records of such a segment instead of the footer that its successor carries.
    [Fact]
    public void A_record_that_landed_beyond_the_end_of_its_segment_does_not_come_back()
    {
        _scene.Set("k", "v1");
        _scene.Files.Tear(int.MaxValue, _scene.SegmentFiles[^1].Name, times: 1);
        var landed = _scene.AcceptEviction("never acknowledged as written");
        Assert.Throws<IOException>(() => _scene.Append(landed));

        _scene.Set("other", "v");
        _scene.ReopenKilled();

        Assert.Equal(0, _scene.Store.Barriers.Count);
        Assert.Equal(1, _scene.Store.Report.Scanned);
        AssertAllServed("other");
        Assert.Equal("v1", _scene.Read("k"));
    }

    // Seen to fail without the read-back: the altered record was found corrupt when it was read.
    [Theory]
    [InlineData(0)]
    [InlineData(50)]
    [InlineData(130)]
    public void A_byte_that_changed_on_its_way_to_the_disk_is_found_at_once_and_the_value_is_written_elsewhere(int position)
    {
        _scene.Set("before", "v");
        _scene.Files.Alter(bytes => Flip(bytes, position), _scene.SegmentFiles[^1].Name, times: 1);
        var altered = _scene.AcceptValue("altered", new string('v', 100));

        Assert.Throws<IOException>(() => _scene.Append(altered));
        _scene.Append(altered);

        Assert.Equal(2, _scene.SegmentFiles.Count);
        Assert.Equal(new string('v', 100), _scene.Read("altered"));
        _scene.ReopenKilled();
        Assert.Equal(new string('v', 100), _scene.Read("altered"));
        AssertAllServed("before");
        Assert.Equal(0, _scene.Quarantine.CorruptCount);
    }

    // Seen to fail when a read-back of fewer bytes counted as a good one.
    [Fact]
    public void A_write_that_silently_wrote_less_is_found_at_once()
    {
        _scene.Set("before", "v");
        _scene.Files.Alter(bytes => bytes[..^16], _scene.SegmentFiles[^1].Name, times: 1);
        var shortened = _scene.AcceptValue("shortened", "v");

        Assert.Throws<IOException>(() => _scene.Append(shortened));
        _scene.Append(shortened);

        _scene.ReopenKilled();
        AssertAllServed("before", "shortened");
    }

    // Seen to fail when a failed seal left the segment as the active one.
    [Theory]
    [InlineData(FileOperation.Write)]
    [InlineData(FileOperation.SetLength)]
    public void A_footer_that_could_not_be_written_is_carried_by_the_successor(object operation)
    {
        _scene.Set("before", "v");
        string first = _scene.SegmentFiles[0].Name;
        for (int i = 0; i < 6; i++)
        {
            _scene.Set($"filler {i}", new string('f', 400));
        }

        _scene.Files.Fail((FileOperation)operation, first, times: 1);
        var value = _scene.AcceptValue("after", new string('v', 1000));
        Assert.Throws<IOException>(() => _scene.Append(value));
        int writes = _scene.Files.CountCalls(FileOperation.Write, first);

        _scene.Append(value);
        Assert.Equal(writes, _scene.Files.CountCalls(FileOperation.Write, first));
        _scene.ReopenKilled();

        AssertAllServed("before");
        Assert.Equal(new string('v', 1000), _scene.Read("after"));
        Assert.Equal(0, _scene.Store.Report.Holes);
        Assert.Equal(1, _scene.Store.Report.Scanned);
    }

    // Seen to fail when a segment counted as begun, with its number, before it had its name.
    [Theory]
    [InlineData(FileOperation.Open, "spare.new")]
    [InlineData(FileOperation.SetLength, "spare.new")]
    [InlineData(FileOperation.Write, "spare.new")]
    [InlineData(FileOperation.Move, ".seg")]
    [InlineData(FileOperation.Open, ".seg")]
    public void A_segment_that_could_not_be_begun_is_begun_by_the_next_attempt(object operation, string path)
    {
        _scene.Set("before", "v");
        string large = new('v', 3_700);
        var value = _scene.AcceptValue("k", large);
        _scene.Files.Fail((FileOperation)operation, path, times: 1);
        Assert.Throws<IOException>(() => _scene.Append(value));

        _scene.Append(value);
        _scene.Set("after", "v");

        AssertAllServed("before", "after");
        _scene.ReopenKilled();
        AssertAllServed("before", "after");
        Assert.Equal(large, _scene.Read("k"));
        _scene.ReopenClosed();
        AssertAllServed("before", "after");
        Assert.Equal(large, _scene.Read("k"));
    }

    private static byte[] Flip(byte[] bytes, int position)
    {
        bytes[position] ^= 0x10;
        return bytes;
    }

    private void AssertAllServed(params string[] keys) => Assert.All(keys, key => Assert.Equal("v", _scene.Read(key)));
}
