using DiskDistributedCache.Entries;
using DiskDistributedCache.Storage;
using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Storage;

/// <summary>Rule 6: a read believes nothing, and not everything that it does not find is a fault.</summary>
public sealed class ReadRuleTests : IDisposable
{
    private readonly StoreScene _scene = new StoreScene().Open();

    public void Dispose() => _scene.Dispose();

    // Seen to fail when the key in the record was not compared, and when another key counted as corrupt.
    [Fact]
    public void Another_key_with_the_same_hash_is_a_plain_miss()
    {
        _scene.Set("k", "v");
        var where = _scene.Find("k")!.Value;

        var outcome = _scene.Store.Read(StoreScene.KeyOf("another"), where, out var entry);

        Assert.Equal(ReadOutcome.Miss, outcome);
        Assert.Null(entry);
        Assert.Equal(0, _scene.Quarantine.CorruptCount);
        Assert.Equal("v", _scene.Read("k"));
    }

    // Seen to fail when the key in the record was not compared.
    [Fact]
    public void The_same_text_in_the_other_key_space_is_a_plain_miss()
    {
        _scene.Set("k", "v");

        var outcome = _scene.Store.Read(new CacheKey(KeySpace.Output, "k"), _scene.Find("k")!.Value, out var entry);

        Assert.Equal(ReadOutcome.Miss, outcome);
        Assert.Null(entry);
    }

    // Seen to fail when the number in the record was not compared with the index's.
    [Fact]
    public void A_record_with_another_number_than_the_index_has_is_not_returned()
    {
        _scene.Set("k", "v");
        var where = _scene.Find("k")!.Value;

        var outcome = _scene.Store.Read(StoreScene.KeyOf("k"), where with { Sequence = where.Sequence + 1 }, out var entry);

        Assert.Equal(ReadOutcome.Miss, outcome);
        Assert.Null(entry);
        Assert.Equal(0, _scene.Quarantine.CorruptCount);
    }

    // Seen to fail when a slot that was used again counted as corrupt.
    [Fact]
    public void A_location_whose_segment_was_erased_is_a_plain_miss()
    {
        _scene.Settings = _scene.Settings with { MaxDiskBytes = 16 * _scene.Settings.SegmentBytes };
        _scene.ReopenClosed();
        _scene.Set("k", "v");
        var where = _scene.Find("k")!.Value;
        _scene.FillSegments(40);

        var outcome = _scene.Store.Read(StoreScene.KeyOf("k"), where, out _);

        Assert.Equal(ReadOutcome.Miss, outcome);
        Assert.Equal(0, _scene.Quarantine.CorruptCount);
    }

    // Seen to fail when a touch was applied to whatever version the key had.
    [Fact]
    public void A_touch_moves_the_deadline_of_the_version_that_it_names_and_of_no_other()
    {
        var sliding = new Entries.Expiry(Entries.Expiry.Never, TimeSpan.FromMinutes(10).Ticks);
        var first = _scene.Set("k", "v1", expiry: sliding);
        var touch = _scene.AcceptTouch("k", _scene.Time.GetUtcNow().AddHours(1));
        _scene.Set("k", "v2", expiry: sliding);
        _scene.Append(touch);
        Assert.Null(_scene.Index.Touch(first.KeyHash, first.Sequence, touch.Deadline));
        _scene.Time.Advance(TimeSpan.FromMinutes(11));

        Assert.Null(_scene.Read("k"));
        _scene.ReopenKilled();
        Assert.Null(_scene.Read("k"));
    }

    // Seen to fail when a reinsertion wrote the deadline of the first writing, and when recovery ignored touches.
    [Fact]
    public void A_touched_deadline_survives_reinsertion_and_a_kill()
    {
        _scene.Settings = _scene.Settings with { MaxDiskBytes = 16 * _scene.Settings.SegmentBytes };
        _scene.ReopenClosed();
        var sliding = new Entries.Expiry(Entries.Expiry.Never, TimeSpan.FromMinutes(10).Ticks);
        _scene.Set("reinserted", "v", expiry: sliding);
        _scene.Append(_scene.AcceptTouch("reinserted", _scene.Time.GetUtcNow().AddMinutes(30)));
        _scene.MarkUsed("reinserted");
        _scene.FillSegments(20);
        _scene.Set("logged", "v", expiry: sliding);
        _scene.Append(_scene.AcceptTouch("logged", _scene.Time.GetUtcNow().AddMinutes(30)));
        _scene.Time.Advance(TimeSpan.FromMinutes(29));

        _scene.ReopenKilled();

        Assert.Equal("v", _scene.Read("reinserted"));
        Assert.Equal("v", _scene.Read("logged"));
        _scene.Time.Advance(TimeSpan.FromMinutes(1));
        Assert.Null(_scene.Read("reinserted"));
        Assert.Null(_scene.Read("logged"));
    }
}
