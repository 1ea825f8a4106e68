using DiskDistributedCache.Entries;
using DiskDistributedCache.Storage;
using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Storage;

/// <summary>Rules 4 and 5: what is appended.</summary>
public sealed class AppendRuleTests : IDisposable
{
    private readonly StoreScene _scene = new StoreScene().Open();

    public void Dispose() => _scene.Dispose();

    // Seen to fail when a refused value left nothing in its place.
    [Fact]
    public void A_value_overtaken_in_the_queue_does_not_leave_the_one_before_it_alive()
    {
        _scene.Set("k", "v0");
        var overtaken = _scene.AcceptValue("k", "v1");
        _scene.AcceptValue("k", "v2");

        _scene.Append(overtaken);
        _scene.ReopenKilled();

        Assert.Null(_scene.Read("k"));
    }

    // Seen to fail when the removal stood behind the value, and killed it.
    [Fact]
    public void The_removal_of_a_value_that_was_given_up_and_is_written_meanwhile_is_not_written()
    {
        var value = _scene.AcceptValue("k", "v");
        _scene.Append(value);
        var removal = new Mutation(RecordKind.Removal) { Key = StoreScene.KeyOf("k"), KeyHash = value.KeyHash, Sequence = value.Sequence };

        _scene.Append(removal);

        Assert.Equal("v", _scene.Read("k"));
        _scene.ReopenKilled();
        Assert.Equal("v", _scene.Read("k"));
    }

    // Seen to fail when the append rule looked at the index only.
    [Fact]
    public void A_value_whose_tag_was_evicted_while_it_waited_is_not_written()
    {
        _scene.Set("k", "v0");
        var waiting = _scene.AcceptValue("k", "v1", ["t"]);
        var eviction = _scene.AcceptEviction("t");

        _scene.Append(eviction);
        _scene.Append(waiting);

        Assert.Null(_scene.Find("k"));
        _scene.ReopenKilled();
        Assert.Null(_scene.Find("k"));
    }

    // Seen to fail when the append rule did not look at the deadline and its removal was left out.
    [Fact]
    public void A_value_that_expired_while_it_waited_is_not_written_and_takes_the_older_one_with_it()
    {
        _scene.Set("k", "v0");
        var deadline = _scene.Time.GetUtcNow().AddMinutes(1);
        var waiting = _scene.AcceptValue("k", "v1", expiry: new Expiry(deadline.UtcTicks, 0));
        _scene.Time.Advance(TimeSpan.FromMinutes(1));

        _scene.Append(waiting);
        _scene.ReopenKilled();

        Assert.Null(_scene.Find("k"));
    }

    // Seen to fail when removals were not written.
    [Fact]
    public void A_removal_is_written_although_the_index_had_dropped_the_entry()
    {
        var value = _scene.Set("k", "v0");
        _scene.Index.RemoveIfSame(value.KeyHash, value.Sequence);

        _scene.Remove("k");
        _scene.ReopenKilled();

        Assert.Null(_scene.Read("k"));
    }

    // Seen to fail when recovery preferred the earlier of two equal numbers.
    [Fact]
    public void What_was_appended_twice_counts_once_and_at_its_later_position()
    {
        var first = _scene.AcceptValue("k", "v1");
        _scene.Append(first);
        _scene.Set("witness", "w");
        _scene.FillSegments(1);
        _scene.Append(first);

        _scene.ReopenKilled();

        Assert.Equal("v1", _scene.Read("k"));
        Assert.NotEqual(_scene.Find("witness")!.Value.Slot, _scene.Find("k")!.Value.Slot);
    }

    // Seen to fail when what was waiting was not written before the next segment was begun.
    [Fact]
    public void A_batch_over_several_segments_is_written_in_order()
    {
        var batch = new List<Mutation>();
        for (int i = 0; i < 60; i++)
        {
            batch.Add(_scene.AcceptValue($"k{i % 20}", new string('x', 400) + i));
        }

        _scene.Append([.. batch]);
        _scene.ReopenKilled();

        Assert.True(_scene.SegmentFiles.Count > 1);
        Assert.All(Enumerable.Range(40, 20), i => Assert.Equal(new string('x', 400) + i, _scene.Read($"k{i % 20}")));
    }
}
