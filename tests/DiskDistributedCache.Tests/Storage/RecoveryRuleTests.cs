using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Storage;

/// <summary>Rules 17 and 18: what a start makes of the log that it finds.</summary>
public sealed class RecoveryRuleTests : IDisposable
{
    private readonly StoreScene _scene = new StoreScene().Open();

    public void Dispose() => _scene.Dispose();

    // Seen to fail when a gap in the numbers of the segments was passed over, and when it stayed on disk.
    [Fact]
    public void A_missing_segment_may_have_held_a_removal_so_everything_before_it_is_dropped()
    {
        _scene.Set("removed", "v");
        _scene.FillSegments(1);
        _scene.Remove("removed");
        string holdsRemoval = _scene.SegmentFiles[^1].FullName;
        _scene.FillSegments(1);
        _scene.Set("later", "v");
        _scene.Close();
        File.Delete(holdsRemoval);

        _scene.Open();

        Assert.Null(_scene.Read("removed"));
        Assert.Equal("v", _scene.Read("later"));
        Assert.Equal(1, _scene.Store.Report.Holes);
        Assert.Single(_scene.SegmentFiles);
    }

    // Seen to fail when a gap in the numbers of the segments was passed over.
    [Fact]
    public void A_hole_is_still_a_hole_when_the_process_that_found_it_is_killed()
    {
        _scene.Set("removed", "v");
        _scene.FillSegments(1);
        _scene.Remove("removed");
        string holdsRemoval = _scene.SegmentFiles[^1].FullName;
        _scene.FillSegments(1);
        _scene.Close();
        File.Delete(holdsRemoval);
        var fault = _scene.Files.Fail(FileOperation.Delete, ".seg");

        Assert.Throws<IOException>(() => _scene.Open());
        fault.Heal();
        _scene.Open();

        Assert.Null(_scene.Read("removed"));
    }

    // Seen to fail when whoever keeps the bytes threw: then the store could not be opened.
    [Fact]
    public void Damage_that_cannot_be_read_again_is_listed_without_its_bytes_and_its_segment_goes_all_the_same()
    {
        _scene.Set("first", "v");
        string path = _scene.SegmentFiles[^1].FullName;
        _scene.Set("second", "v");
        _scene.Store.Heartbeat();
        _scene.Kill();
        using (var file = File.Open(path, FileMode.Open))
        {
            // In the header of the first record.
            file.Position = 128 + 40;
            file.WriteByte(0xAA);
        }

        // Its header, its trailer, all of it; and then for the quarantine.
        var fault = _scene.Files.Fail(FileOperation.Read, ".seg", skip: 3, times: 1);
        _scene.Open();

        Assert.Equal(1, fault.StruckCount);
        Assert.Null(_scene.Read("first"));
        Assert.Null(_scene.Read("second"));
        Assert.Equal(0, Assert.Single(_scene.Quarantine.Records).KeptBytes);
        Assert.Single(_scene.Tiers.Faults);
        Assert.False(File.Exists(path));
    }

    // Seen to fail when the superblock's mark was not looked at.
    [Fact]
    public void A_log_that_ends_before_the_mark_of_the_last_heartbeat_has_a_hole()
    {
        _scene.Set("removed", "v");
        _scene.Remove("removed");
        _scene.Store.Heartbeat();
        var (segment, end) = LastRecord("removed");
        _scene.Kill();
        Zero(segment, end);

        _scene.Open();

        Assert.Null(_scene.Read("removed"));
        Assert.Equal(1, _scene.Store.Report.Holes);
    }

    // Seen to fail when only a gap between two segments counted.
    [Fact]
    public void A_log_whose_marked_segment_is_missing_has_a_hole()
    {
        _scene.Set("removed", "v");
        _scene.FillSegments(1);
        _scene.Remove("removed");
        _scene.Store.Heartbeat();
        string last = _scene.SegmentFiles[^1].FullName;
        _scene.Kill();
        File.Delete(last);

        _scene.Open();

        Assert.Null(_scene.Read("removed"));
        Assert.Equal(0, _scene.Index.Count);
    }

    // Seen to fail when the mark in the successor's header was not looked at.
    [Fact]
    public void A_segment_that_ends_before_the_mark_in_its_successors_header_has_a_hole()
    {
        _scene.Set("removed", "v");
        _scene.Remove("removed");
        var (segment, end) = LastRecord("removed");
        _scene.FillSegments(1);
        _scene.Set("later", "v");
        _scene.Kill();
        Zero(segment, end);
        using (var file = new FileStream(segment, FileMode.Open))
        {
            // As it was before it was sealed, so that nothing but the mark tells.
            file.SetLength(_scene.Settings.SegmentBytes);
        }

        _scene.Open();

        Assert.Null(_scene.Read("removed"));
        Assert.Equal("v", _scene.Read("later"));
        Assert.Equal(1, _scene.Store.Report.Holes);
    }

    // Seen to fail when everything behind the last mark had to verify.
    [Fact]
    public void A_write_that_a_kill_cut_short_costs_itself_only()
    {
        _scene.Set("before", "v");
        _scene.Store.Heartbeat();
        _scene.Set("acknowledged", "v");
        _scene.Files.Tear(60, _scene.SegmentFiles[^1].Name, times: 1);
        Assert.Throws<IOException>(() => _scene.Set("cut short", "v"));

        _scene.ReopenKilled();

        Assert.Equal("v", _scene.Read("before"));
        Assert.Equal("v", _scene.Read("acknowledged"));
        Assert.Null(_scene.Find("cut short"));
        Assert.Equal(0, _scene.Store.Report.Holes);
    }

    // Seen to fail when the open segment was left without a footer.
    [Fact]
    public void Recovery_seals_the_open_segment_and_no_later_session_writes_to_it()
    {
        _scene.Set("k", "v");
        _scene.ReopenKilled();
        var recovered = Assert.Single(_scene.SegmentFiles);
        int writes = _scene.Files.CountCalls(FileOperation.Write, recovered.Name);

        _scene.Set("later", "v");

        Assert.Equal(1, _scene.Store.Report.Scanned);
        Assert.True(recovered.Length < _scene.Settings.SegmentBytes);
        Assert.Equal(writes, _scene.Files.CountCalls(FileOperation.Write, recovered.Name));
        Assert.Equal(2, _scene.SegmentFiles.Count);
        _scene.ReopenKilled();
        Assert.Equal(1, _scene.Store.Report.Scanned);
        Assert.Equal("v", _scene.Read("k"));
        Assert.Equal("v", _scene.Read("later"));
    }

    // Seen to fail with a gap of one.
    [Fact]
    public void The_numbers_of_a_session_begin_far_above_every_number_in_the_log()
    {
        long highest = _scene.Set("k", "v").Sequence;
        _scene.ReopenKilled();
        Assert.True(_scene.Store.FirstSequence >= highest + (1 << 20));

        long removal = _scene.AcceptRemoval("k").Sequence;
        _scene.Append(_scene.AcceptEviction("t"));
        _scene.ReopenClosed();
        Assert.True(_scene.Store.FirstSequence >= removal + (1 << 20));
    }

    // Seen to fail when the highest number was taken from the records that are still there.
    [Fact]
    public void The_numbers_go_up_although_the_whole_log_is_gone()
    {
        for (int i = 0; i < 3; i++)
        {
            _scene.ReopenKilled();
        }

        long highest = _scene.Set("highest", "v").Sequence;
        _scene.Store.Heartbeat();
        _scene.Kill();
        Assert.All(_scene.SegmentFiles, file => file.Delete());

        _scene.Open();

        Assert.True(_scene.Store.FirstSequence > highest);
    }

    // Seen to fail when what is torn at the end of a segment counted as a hole.
    [Theory]
    [InlineData(FileOperation.Write, ".seg")]
    [InlineData(FileOperation.SetLength, ".seg")]
    [InlineData(FileOperation.Write, "superblock")]
    [InlineData(FileOperation.Flush, "superblock")]
    [InlineData(FileOperation.Read, ".seg")]
    [InlineData(FileOperation.List, "segments")]
    public void Opening_that_failed_halfway_can_be_done_again(object operation, string path)
    {
        _scene.Set("k", "v");
        _scene.Set("removed", "v");
        _scene.Remove("removed");
        _scene.Kill();
        var fault = _scene.Files.Fail((FileOperation)operation, path);
        Assert.ThrowsAny<IOException>(() => _scene.Open());
        int handles = _scene.Files.OpenHandleCount;
        fault.Heal();

        _scene.Open();

        Assert.Equal(0, handles);
        Assert.Equal("v", _scene.Read("k"));
        Assert.Null(_scene.Read("removed"));
        Assert.False(_scene.Store.Report.IsNew);
    }

    private (string Segment, long End) LastRecord(string precededBy)
    {
        // A removal is 104 bytes long and stands behind the value that it removes.
        var segment = _scene.SegmentFiles[^1];
        byte[] bytes = File.ReadAllBytes(segment.FullName);
        int end = bytes.AsSpan().LastIndexOfAnyExcept((byte)0);
        Assert.True(end > 104, precededBy);
        return (segment.FullName, (end + 8) & ~7);
    }

    /// <summary>Makes the removal that ends here, and everything behind it, as if it had never been written.</summary>
    private static void Zero(string segment, long end)
    {
        using var file = new FileStream(segment, FileMode.Open, FileAccess.Write);
        file.Position = end - 104;
        file.Write(new byte[file.Length - file.Position]);
    }
}
