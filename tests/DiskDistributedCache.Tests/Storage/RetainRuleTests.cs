using DiskDistributedCache.Entries;
using DiskDistributedCache.Storage;
using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Storage;

/// <summary>
/// A value that is retained is never reclaimed: consumers keep by it that older values are out of date, and take its absence for
/// the opposite. Where it is lost all the same, what is older must not be left.
/// </summary>
public sealed class RetainRuleTests : IDisposable
{
    private readonly StoreScene _scene = new StoreScene().Open();

    public void Dispose() => _scene.Dispose();

    // Seen to fail when reclaim asked of it what it asks of every value: that it was read.
    [Fact]
    public void A_retained_value_outlives_many_times_the_size_of_the_store()
    {
        _scene.SetRetained("mark", "m");
        _scene.Set("other", "o");

        _scene.FillSegments(350);

        Assert.Equal("m", _scene.Read("mark"));
        Assert.Null(_scene.Read("other"));
        _scene.ReopenKilled();
        _scene.FillSegments(300);
        Assert.Equal("m", _scene.Read("mark"));
        _scene.ReopenClosed();
        Assert.Equal("m", _scene.Read("mark"));
    }

    // Seen to fail when the flag was not in the footer, and when it was not in the record.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_retained_value_is_known_as_one_after_a_restart(bool isKilled)
    {
        _scene.SetRetained("mark", "m");
        _scene.Set("other", "o");
        Reopen(isKilled);

        var entry = Assert.Single(_scene.Store.Retained);

        Assert.Equal("mark", entry.Key.Text);
        Assert.True(entry.IsRetained);
    }

    [Fact]
    public void What_is_not_current_any_more_is_not_retained()
    {
        _scene.SetRetained("removed", "m");
        _scene.SetRetained("overwritten", "m");
        _scene.SetRetained("expired", "m");
        _scene.Remove("removed");
        _scene.Append(_scene.AcceptValue("overwritten", "new", isRetained: true));
        _scene.Append(_scene.AcceptTouch("expired", _scene.Time.GetUtcNow().AddMinutes(-1)));
        _scene.ReopenClosed();

        Assert.Equal("new", System.Text.Encoding.UTF8.GetString(
            Assert.Single(_scene.Store.Retained, entry => entry.Key.Text != "expired").Value.ToArray()));
    }

    // Seen to fail when what did not verify was left out, and, by what the kill leaves, when the index alone was emptied.
    [Fact]
    public void A_retained_value_that_does_not_verify_at_the_opening_leaves_nothing_to_be_believed()
    {
        _scene.SetRetained("mark", new string('m', 100));
        var where = _scene.Find("mark")!.Value;
        _scene.FillSegments(1);
        _scene.Set("old", "out of date");
        _scene.Close();
        string damaged = _scene.SegmentFiles[0].FullName;
        Flip(where.Offset + 150);
        _scene.Open();

        Assert.True(_scene.Store.HasLostRetained);
        Assert.Equal((true, 0), (_scene.Store.Report.IsNew, _scene.Index.Count));
        File.Delete(damaged);
        _scene.ReopenKilled();
        Assert.False(_scene.Store.HasLostRetained);
        Assert.Null(_scene.Read("old"));
    }

    // Seen to fail when the removal that it leaves was written without a word: a kill left neither of the three.
    [Theory]
    [InlineData("a newer one")]
    [InlineData("a clear")]
    public void A_retained_value_that_is_overtaken_before_it_is_written_is_reported_before_it_kills_the_one_before(string by)
    {
        _scene.SetRetained("mark", "1");
        var second = _scene.AcceptValue("mark", "2", isRetained: true);
        var last = by == "a clear" ? _scene.AcceptClear() : _scene.AcceptValue("mark", "3", isRetained: true);
        Assert.Equal(by == "a clear", _scene.Store.HasUnloggedClear);
        byte[] before = File.ReadAllBytes(_scene.SegmentFiles[^1].FullName);
        _scene.Tiers.WhenRetainedLeft = () => Assert.Equal(before, File.ReadAllBytes(_scene.SegmentFiles[^1].FullName));

        _scene.Append(second);

        Assert.Equal(1, _scene.Tiers.RetainedLeftCount);
        _scene.Append(last);
        Assert.False(_scene.Store.HasUnloggedClear);
        Assert.Equal(1, _scene.Tiers.RetainedLeftCount);
        Assert.Equal(by == "a clear" ? null : "3", _scene.Read("mark"));
    }

    [Fact]
    public void A_retained_value_that_has_expired_before_it_is_written_is_missed_by_nobody()
    {
        _scene.SetRetained("mark", "1");
        var second = _scene.AcceptValue("mark", "2", expiry: Expiry.None with { AbsoluteTicks = _scene.Clock.NowTicks + 1 }, isRetained: true);
        _scene.Time.Advance(TimeSpan.FromSeconds(1));

        _scene.Append(second);

        Assert.Equal(0, _scene.Tiers.RetainedLeftCount);
    }

    // Seen to fail when its segment went without a word, because the index did not name it any more.
    [Theory]
    [InlineData("a newer one")]
    [InlineData("a clear")]
    public void The_last_logged_version_of_a_retained_value_is_reported_before_its_segment_goes_if_what_follows_it_is_not_logged(string by)
    {
        _scene.SetRetained("mark", "1");
        string first = _scene.SegmentFiles[0].FullName;
        var last = by == "a clear" ? _scene.AcceptClear() : _scene.AcceptValue("mark", "2", isRetained: true);
        _scene.Tiers.WhenRetainedLeft = () => Assert.True(File.Exists(first));

        _scene.FillSegments(350);

        Assert.False(File.Exists(first));
        Assert.Equal(1, _scene.Tiers.RetainedLeftCount);
        _scene.Append(last);
    }

    [Theory]
    [InlineData("a newer one")]
    [InlineData("a clear")]
    [InlineData("a removal")]
    public void Nothing_is_reported_of_a_retained_value_whose_end_is_in_the_log(string by)
    {
        _scene.SetRetained("mark", "1");
        switch (by)
        {
            case "a clear":
                _scene.Clear();
                break;
            case "a removal":
                _scene.Remove("mark");
                break;
            default:
                _scene.SetRetained("mark", "2");
                break;
        }

        _scene.FillSegments(350);

        Assert.Equal(0, _scene.Tiers.RetainedLeftCount);
    }

    // Seen to fail when reclaim went on without a word.
    [Fact]
    public void A_retained_value_that_cannot_be_brought_along_is_reported_before_its_segment_goes()
    {
        _scene.SetRetained("mark", new string('m', 100));
        Flip(_scene.Find("mark")!.Value.Offset + 150);
        Assert.Equal(0, _scene.Tiers.RetainedLeftCount);

        _scene.FillSegments(350);

        Assert.Equal(1, _scene.Tiers.RetainedLeftCount);
    }

    // The 24th rule. Seen to fail when a hole dropped only what stands before it, and when what was dropped stood in the log of the next start.
    [Theory]
    [InlineData("zeros")]
    [InlineData("missing")]
    [InlineData("and the header behind it")]
    public void What_was_brought_along_behind_a_hole_and_is_older_than_it_goes_with_it(string how)
    {
        _scene.Set("old", "out of date");
        _scene.FillSegments(2);
        _scene.SetRetained("mark", "everything before is out of date");
        string hole = _scene.SegmentFiles[^1].FullName;
        _scene.FillSegments(1);
        string behind = _scene.SegmentFiles[^1].FullName;
        _scene.FillSegments(1);
        _scene.Append(AgainOf("old"));
        _scene.FillSegments(1);
        _scene.Kill();
        File.WriteAllBytes(hole, new byte[new FileInfo(hole).Length]);
        if (how == "missing")
        {
            File.Delete(hole);
        }
        else if (how != "zeros")
        {
            using var file = File.OpenWrite(behind);
            file.Write(new byte[16]);
        }

        _scene.Open();

        Assert.Null(_scene.Read("old"));
        _scene.Set("new", "v");
        _scene.ReopenKilled();
        Assert.Null(_scene.Read("old"));
        Assert.Equal("v", _scene.Read("new"));
        _scene.ReopenClosed();
        Assert.Null(_scene.Read("old"));
    }

    // Seen to fail when only a gap in the numbers was a hole.
    [Fact]
    public void So_does_it_where_the_hole_is_the_oldest_segment_and_cannot_be_opened()
    {
        string hole = BringOldBehindMark();
        _scene.Close();
        foreach (var reclaimed in _scene.SegmentFiles.TakeWhile(file => file.Name != hole))
        {
            reclaimed.Delete();
        }

        _scene.Files.Fail(FileOperation.Open, hole, times: 1);

        _scene.Open(isLastTry: true);

        Assert.Null(_scene.Read("old"));
        _scene.Set("new", "v");
        _scene.ReopenClosed();
        Assert.Equal("v", _scene.Read("new"));
    }

    // Seen to fail when what is before a hole was erased from the oldest on: then the segment with the mark was gone, and what made the hole was there again.
    // And when those that could not be opened went first.
    [Theory]
    [InlineData(FileOperation.Open, false)]
    [InlineData(FileOperation.Read, false)]
    [InlineData(FileOperation.Open, true)]
    [InlineData(FileOperation.Read, true)]
    public void A_hole_that_the_disk_gives_again_while_it_is_being_erased_is_still_a_hole(FileOperation operation, bool isMarkUnopened)
    {
        string marked = BringOldBehindMark();
        _scene.FillSegments(1);
        string hole = _scene.SegmentFiles[^1].Name;
        _scene.FillSegments(1);
        _scene.Close();
        int erasedCount = 2;
        if (isMarkUnopened)
        {
            _scene.SegmentFiles[0].Delete();
            _scene.Files.Fail(FileOperation.Open, marked, times: 1);
            erasedCount = 1;
        }

        _scene.Files.Fail(operation, hole, times: operation == FileOperation.Read ? 2 : 1);
        var erased = _scene.Files.Fail(FileOperation.Delete, ".seg", skip: erasedCount);

        Assert.Throws<IOException>(() => _scene.Open(isLastTry: true));
        erased.Heal();
        _scene.Open(isLastTry: true);

        Assert.Null(_scene.Read("old"));
        Assert.Equal(1, _scene.Store.Report.Holes);
    }

    [Fact]
    public void What_is_newer_than_a_hole_stays()
    {
        _scene.Set("old", "v");
        _scene.FillSegments(2);
        string hole = _scene.SegmentFiles[^1].FullName;
        _scene.FillSegments(2);
        _scene.Set("new", "v");
        _scene.Kill();
        File.WriteAllBytes(hole, new byte[new FileInfo(hole).Length]);

        _scene.Open();

        Assert.Null(_scene.Read("old"));
        Assert.Equal("v", _scene.Read("new"));
    }

    // Seen to fail when the floor was asked about a value without tags, and about one that memory has.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_value_that_memory_writes_again_is_stored_although_an_eviction_is_forgotten_that_is_newer(bool hasTags)
    {
        var value = _scene.AcceptValue("k", "v", hasTags ? ["other"] : null);
        _scene.Append(value);
        _scene.Evict("t");
        _scene.FillSegments(350);
        _scene.Index.RemoveIfSame(value.KeyHash, value.Sequence);
        Assert.True(_scene.Store.Barriers.Floor > value.Sequence);

        _scene.Index.SetPending(value.KeyHash, value.Sequence, value.Entry!.Deadline);
        _scene.Append(StoreScene.Again(value));

        Assert.Equal("v", _scene.Read("k"));
    }

    /// <summary>What reclaim appends for a value that is worth keeping.</summary>
    /// <summary>A value, a mark that says it is out of date, and the value once more, in three segments. Returns the name of the mark's.</summary>
    private string BringOldBehindMark()
    {
        _scene.Set("old", "out of date");
        _scene.FillSegments(1);
        _scene.SetRetained("mark", "everything before is out of date");
        string marked = _scene.SegmentFiles[^1].Name;
        _scene.FillSegments(1);
        _scene.Append(AgainOf("old"));
        return marked;
    }

    private Mutation AgainOf(string key)
    {
        var where = _scene.Find(key)!.Value;
        Assert.Equal(ReadOutcome.Hit, _scene.Store.Read(StoreScene.KeyOf(key), where, out var entry));
        _scene.Index.RemoveIfSame(where.KeyHash, where.Sequence);
        _scene.Index.SetPending(where.KeyHash, where.Sequence, where.Deadline);
        var again = Mutation.Of(entry!);
        (again.Sequence, again.KeyHash) = (where.Sequence, where.KeyHash);
        return again;
    }

    private void Reopen(bool isKilled)
    {
        if (isKilled)
        {
            _scene.ReopenKilled();
        }
        else
        {
            _scene.ReopenClosed();
        }
    }

    private void Flip(long offset)
    {
        using var file = File.Open(_scene.SegmentFiles[0].FullName, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        file.Position = offset;
        int value = file.ReadByte();
        file.Position = offset;
        file.WriteByte((byte)(value ^ 1));
    }
}
