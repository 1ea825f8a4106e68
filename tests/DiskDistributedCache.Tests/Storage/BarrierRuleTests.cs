using DiskDistributedCache.Storage;
using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Storage;

/// <summary>Rule 9: evictions by tag, and clears.</summary>
public sealed class BarrierRuleTests : IDisposable
{
    private static readonly string[] s_tags = ["t"];
    private readonly StoreScene _scene = new();

    public BarrierRuleTests()
    {
        _scene.Settings = _scene.Settings with { MaxDiskBytes = 16 * _scene.Settings.SegmentBytes };
        _scene.Open();
    }

    public void Dispose() => _scene.Dispose();

    // Seen to fail when recovery skipped tag evictions.
    [Fact]
    public void An_eviction_outlives_a_kill_and_a_clean_close()
    {
        _scene.Set("k", "v", s_tags);
        _scene.Evict("t");

        _scene.ReopenKilled();
        Assert.Null(_scene.Read("k"));
        _scene.ReopenClosed();
        Assert.Null(_scene.Read("k"));

        _scene.Set("k", "new", s_tags);
        _scene.ReopenKilled();
        Assert.Equal("new", _scene.Read("k"));
    }

    // Found by the large I/O-error sweep. Seen to fail when a clear erased every segment before its own.
    [Fact]
    public void A_clear_does_not_erase_what_is_newer_and_stands_before_it()
    {
        _scene.Set("old", "v");
        var clear = _scene.AcceptClear();
        var newer = Enumerable.Range(0, 20).Select(i => _scene.AcceptValue($"key {i}", new string('v', 500)));

        _scene.Append([.. newer, clear]);

        Assert.Equal(new string('v', 500), _scene.Read("key 0"));
        Assert.Null(_scene.Read("old"));
        _scene.ReopenKilled();
        Assert.Equal(new string('v', 500), _scene.Read("key 0"));
        Assert.Null(_scene.Read("old"));
    }

    // Seen to fail when barriers were never forgotten, and when they were forgotten before the sweep.
    [Fact]
    public void A_barrier_is_forgotten_with_its_segment_after_memory_was_swept()
    {
        var eviction = _scene.AcceptEviction("t");
        _scene.Append(eviction);
        int knownAtSweep = -1;
        _scene.Tiers.WhenSweeping = () => knownAtSweep = _scene.Store.Barriers.Count;

        _scene.FillSegments(20);

        Assert.Equal(0, _scene.Store.Barriers.Count);
        Assert.Equal(1, knownAtSweep);
        Assert.Equal(eviction.Sequence, _scene.Store.Barriers.Floor);
    }

    // Seen to fail when the append rule did not look at the floor.
    [Fact]
    public void A_value_older_than_the_forgotten_barriers_is_not_stored()
    {
        _scene.Evict("t");
        long ticket = _scene.AcceptRemoval("other").Sequence - 2;
        _scene.FillSegments(20);
        Assert.Equal(0, _scene.Store.Barriers.Count);

        _scene.Append(_scene.AcceptValue("k", "made before the eviction", s_tags, ticket: ticket));

        Assert.Null(_scene.Find("k"));
        _scene.ReopenKilled();
        Assert.Null(_scene.Find("k"));
    }

    // Seen to fail when an eviction whose record is still owed was forgotten with its segment.
    [Fact]
    public void A_barrier_that_is_not_in_the_log_yet_is_not_forgotten()
    {
        _scene.Set("k", "v", s_tags);
        _scene.AcceptEviction("t");

        _scene.FillSegments(20);

        Assert.Equal(1, _scene.Store.Barriers.Count);
    }

    // Seen to fail when the first eviction of a tag was kept and not the last.
    [Fact]
    public void A_tag_that_is_evicted_again_is_kept_as_long_as_the_later_eviction()
    {
        _scene.Evict("t");
        _scene.FillSegments(10);
        _scene.Set("k", "v", s_tags);
        _scene.Evict("t");

        _scene.FillSegments(6);

        Assert.Equal(1, _scene.Store.Barriers.Count);
        Assert.Null(_scene.Read("k"));
    }

    // Seen to fail when merging dropped the older half without raising the clear barrier.
    [Fact]
    public void Too_many_barriers_are_merged_into_one_that_kills_more_and_never_less()
    {
        var barriers = new TagBarriers();
        for (int i = 0; i <= TagBarriers.MaxBarriers; i++)
        {
            barriers.Evict($"tag {i}", 10 + i);
        }

        long merged = barriers.MergeWhenTooMany();

        Assert.InRange(barriers.Count, 1, TagBarriers.MaxBarriers);
        Assert.True(barriers.Covers(["tag 0"], 9));
        Assert.True(barriers.Covers(["tag 7"], 16));
        Assert.True(barriers.Covers([], merged - 1));
        Assert.False(barriers.Covers(["tag 0"], merged));
        Assert.True(barriers.Covers([$"tag {TagBarriers.MaxBarriers}"], 9 + TagBarriers.MaxBarriers));
        Assert.Equal(0, barriers.MergeWhenTooMany());
    }

    // Seen to fail when a merged barrier erased segments as a clear does.
    [Fact]
    public void A_merged_barrier_outlives_a_kill_and_erases_nothing()
    {
        _scene.Set("old", "v");
        _scene.FillSegments(3);
        long merged = _scene.AcceptRemoval("nothing").Sequence;
        _scene.Set("new", "v");
        int segments = _scene.SegmentFiles.Count;
        _scene.Store.Barriers.Clear(merged);

        _scene.Append(new Mutation(RecordKind.Clear) { IsMerged = true, Sequence = merged });

        Assert.Equal(segments, _scene.SegmentFiles.Count);
        _scene.ReopenKilled();
        Assert.Null(_scene.Read("old"));
        Assert.Equal("v", _scene.Read("new"));
    }

    // Seen to fail when a clear left the older segments or the quarantine alone, and when recovery passed it over.
    [Fact]
    public void A_clear_erases_older_segments_oldest_first_and_empties_the_quarantine()
    {
        _scene.Set("k", "v");
        _scene.FillSegments(4);
        _scene.Quarantine.Keep(new DamagedPlace(QuarantineReason.HeaderDamaged, 1, 128, 0, 3), [1, 2, 3]);
        var erased = new List<string>();
        _scene.Files.Watch(FileOperation.Delete, call => erased.Add(call.Path), ".seg");

        _scene.Clear();

        Assert.Single(_scene.SegmentFiles);
        Assert.Equal(erased.Order(StringComparer.Ordinal), erased);
        Assert.NotEmpty(erased);
        Assert.Empty(Directory.GetFiles(_scene.QuarantineFolder));
        Assert.Empty(_scene.Quarantine.Records);
        _scene.ReopenKilled();
        Assert.Equal(0, _scene.Index.Count);
    }

    // Seen to fail when a clear erased every segment before the one in which its batch ended.
    [Fact]
    public void What_was_set_after_a_clear_in_the_same_batch_is_kept()
    {
        _scene.Set("old", "v");
        var clear = _scene.AcceptClear();
        var values = Enumerable.Range(0, 30).Select(i => _scene.AcceptValue($"k{i}", new string('v', 500))).ToList();

        _scene.Append([clear, .. values]);

        Assert.Null(_scene.Read("old"));
        Assert.All(values, value => Assert.NotNull(_scene.Read(value.Key.Text)));
        _scene.ReopenKilled();
        Assert.Null(_scene.Read("old"));
        Assert.All(values, value => Assert.NotNull(_scene.Read(value.Key.Text)));
    }
}
