using DiskDistributedCache.Storage;
using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Tiers;

/// <summary>Rules 1, 2, 3 and 5 and the writer lane: writes that take long or fail, and what is owed.</summary>
public sealed class TieredCacheWriteTests : IAsyncLifetime
{
    private readonly TierScene _scene = new();

    public async ValueTask InitializeAsync()
    {
        await _scene.OpenAsync();
        await _scene.Set("k", "v0");
    }

    public ValueTask DisposeAsync() => _scene.DisposeAsync();

    // Seen to fail when mutations were numbered by the wall clock.
    [Fact]
    public async Task The_later_of_two_values_rules_although_the_clock_was_set_back_between_them()
    {
        await _scene.Set("k", "first");
        _scene.Time.WallClockError = TimeSpan.FromMinutes(-30);
        await _scene.Set("k", "second");
        Assert.Equal("second", await _scene.Get("k"));

        await _scene.ReopenKilledAsync();

        Assert.Equal("second", await _scene.Get("k"));
    }

    // Seen to fail when a mutation was acknowledged as soon as it was queued.
    [Fact]
    public async Task A_mutation_is_acknowledged_when_its_record_is_written_and_seen_before()
    {
        var gate = _scene.Files.Hold(FileOperation.Write, TierScene.Segments);
        var set = _scene.Set("new", "v").AsTask();
        var removal = _scene.Remove("k").AsTask();
        await gate.Reached;

        Assert.False(set.IsCompleted);
        Assert.False(removal.IsCompleted);
        Assert.Equal("v", await _scene.Get("new"));
        Assert.Null(await _scene.Get("k"));

        gate.Open();
        await set;
        await removal;
        await _scene.ReopenKilledAsync();
        Assert.Equal("v", await _scene.Get("new"));
        Assert.Null(await _scene.Get("k"));
    }

    // Seen to fail when values were written without the append rule.
    [Fact]
    public async Task Removals_of_one_key_that_wait_together_cover_what_was_set_between_them()
    {
        var gate = _scene.Files.Hold(FileOperation.Write, TierScene.Segments, times: 1);
        var blocker = _scene.Set("blocker", "v").AsTask();
        await gate.Reached;
        Task[] waiting =
        [
            _scene.Remove("k").AsTask(),
            _scene.Set("k", "v1").AsTask(),
            _scene.Remove("k").AsTask(),
            _scene.Set("other", "v").AsTask(),
        ];
        gate.Open();
        await blocker;
        await Task.WhenAll(waiting);

        await _scene.ReopenKilledAsync();

        Assert.Null(await _scene.Get("k"));
        Assert.Equal("v", await _scene.Get("other"));
    }

    // Seen to fail when a removal was sent to the log only for a key that the index had.
    [Fact]
    public async Task A_removal_reaches_the_log_although_the_entry_had_been_dropped_as_corrupt()
    {
        _scene.Options.MaxMemoryBytes = 0;
        await _scene.Set("k", "a value to be found");
        await _scene.ReopenClosedAsync();
        FlipInSegments("a value to be found"u8);
        Assert.Null(await _scene.Get("k"));
        Assert.Equal(1, _scene.Cache.GetStatus().CorruptionErrors);
        FlipInSegments([(byte)('a' ^ 1), .. " value to be found"u8]);

        await _scene.Remove("k");
        await _scene.ReopenKilledAsync();

        Assert.Null(await _scene.Get("k"));
    }

    // Seen to fail when the exception of the file system reached the caller, and when a failed batch was dropped.
    [Fact]
    public async Task A_write_that_fails_is_owed_and_written_with_the_next_one()
    {
        _scene.Files.Fail(FileOperation.Write, TierScene.Segments, times: 1, exception: () => new OperationCanceledException("ECANCELED"));

        await _scene.Set("owed", "v");
        await _scene.Remove("k");

        Assert.Equal(0, _scene.Cache.GetStatus().OwedWrites);
        Assert.Equal(1, _scene.Cache.GetStatus().DiskErrors);
        Assert.Contains("ECANCELED", _scene.Cache.GetStatus().LastFault, StringComparison.Ordinal);
        await _scene.ReopenKilledWhenTrustedAsync();
        Assert.Equal("v", await _scene.Get("owed"));
        Assert.Null(await _scene.Get("k"));
    }

    // Seen to hang when a heartbeat did not try again what is owed.
    [Fact]
    public async Task A_write_that_failed_is_tried_again_by_the_heartbeat()
    {
        _scene.Files.Fail(FileOperation.Write, TierScene.Segments, times: 1);
        await _scene.Set("owed", "v");
        Assert.Equal(1, _scene.Cache.GetStatus().OwedWrites);
        Assert.Equal("v", await _scene.Get("owed"));
        var gate = _scene.Files.Hold(FileOperation.Write, TierScene.Segments, times: 1);

        _scene.Time.Advance(_scene.Options.HeartbeatInterval);
        await gate.Reached;
        gate.Open();
        await _scene.CloseAsync();

        await _scene.OpenAsync();
        Assert.Equal("v", await _scene.Get("owed"));
    }

    // Seen to hang without the watchdog.
    [Fact]
    public async Task A_write_that_hangs_is_owed_after_the_timeout_and_on_disk_once_the_disk_answers()
    {
        _scene.Options.IoTimeout = TimeSpan.FromMilliseconds(20);
        await _scene.ReopenClosedAsync();
        var gate = _scene.Files.Hold(FileOperation.Write, TierScene.Segments);

        await _scene.Set("late", "v");
        await _scene.Remove("k");
        _scene.Cache.Set(new Entries.CacheEntry(TierScene.KeyOf("blocking"), new byte[] { 1 }, [], Entries.Expiry.None, Entries.Expiry.Never)).Wait();
        Assert.Equal(3, _scene.Cache.GetStatus().OwedWrites);
        Assert.Equal("v", await _scene.Get("late"));
        Assert.Null(await _scene.Get("k"));

        gate.Open();
        await _scene.ReopenKilledWhenTrustedAsync();
        Assert.Equal("v", await _scene.Get("late"));
        Assert.Null(await _scene.Get("k"));
    }

    // Seen to fail when a value that was released while it was written counted as owed for ever.
    [Fact]
    public async Task Values_that_came_late_and_were_written_do_not_count_against_what_may_be_owed()
    {
        _scene.Options.IoTimeout = TimeSpan.FromMilliseconds(20);
        await _scene.ReopenClosedAsync();
        string large = new('v', (int)_scene.Options.MaxMemoryBytes / 5);
        for (int i = 0; i < 6; i++)
        {
            var gate = _scene.Files.Hold(FileOperation.Write, TierScene.Segments);
            await _scene.Set($"late {i}", large);
            gate.Open();
            await _scene.Cache.DrainAsync();
        }

        _scene.Files.Hold(FileOperation.Write, TierScene.Segments);
        await _scene.Set("being written", "v");
        await _scene.Set("owed", large);
        await _scene.Remove("another that has to wait");

        Assert.Equal(large, await _scene.Get("owed"));
    }

    // Seen to fail when nothing was dropped: the process would keep every value until the disk answers.
    [Fact]
    public async Task Owed_values_are_bounded_and_one_that_was_dropped_takes_the_older_version_with_it()
    {
        _scene.Options.IoTimeout = TimeSpan.FromMilliseconds(20);
        await _scene.ReopenClosedAsync();
        var gate = _scene.Files.Hold(FileOperation.Write, TierScene.Segments);
        await _scene.Set("blocker", "v");
        await _scene.Set("k", new string('1', 30_000));
        for (int i = 0; i < 40; i++)
        {
            await _scene.Set($"k{i}", new string('v', 30_000));
        }

        Assert.InRange(_scene.Cache.GetStatus().MemoryBytes, 1, _scene.Options.MaxMemoryBytes);
        Assert.Null(await _scene.Get("k"));
        gate.Open();
        await _scene.Cache.DrainAsync();
        await _scene.Cache.DrainAsync();
        Assert.InRange(_scene.Cache.GetStatus().Entries, 2, 1 + (_scene.Options.MaxMemoryBytes / 2 / 30_000));
        await _scene.ReopenKilledAsync();
        Assert.Null(await _scene.Get("k"));
    }

    // Seen to hang when closing waited for the lane without a limit, and when it forgot those who wait for the lane.
    [Fact]
    public async Task Closing_returns_although_the_disk_hangs_and_so_does_everybody_who_waits()
    {
        var gate = _scene.Files.Hold(FileOperation.Write, TierScene.Segments);
        var written = _scene.Set("being written", "v").AsTask();
        await gate.Reached;
        var queued = _scene.Set("queued", "v").AsTask();
        _scene.Cache.CloseGrace = TimeSpan.FromMilliseconds(20);

        await _scene.CloseAsync();
        await written;
        await queued;
        Assert.Equal(1, _scene.Log.Count(29));

        var closed = _scene.Log.NextAsync(4);
        gate.Open();
        await closed;
    }

    // Seen to hang when closing forgot those whose write could not be tried any more.
    [Fact]
    public async Task Closing_lets_everybody_go_when_the_disk_fails()
    {
        var gate = _scene.Files.Hold(FileOperation.Write, TierScene.Segments, times: 1);
        _scene.Files.Fail(FileOperation.Write);
        var waiting = new List<Task> { _scene.Set("first", "v").AsTask() };
        await gate.Reached;
        for (int i = 0; i < 5; i++)
        {
            waiting.Add(_scene.Set($"k{i}", new string('v', 400_000)).AsTask());
        }

        var closing = _scene.CloseAsync();
        gate.Open();

        await closing;
        await Task.WhenAll(waiting);
    }

    // Seen to fail when an oversized value left the older version, and when each one was logged.
    [Fact]
    public async Task A_value_above_the_limit_is_not_stored_takes_the_older_version_with_it_and_is_logged_once()
    {
        _scene.Options.MaxEntryBytes = 1_000;
        await _scene.ReopenClosedAsync();
        await _scene.Set("exactly", new string('v', 1_000));

        await _scene.Set("k", new string('v', 1_001));
        await _scene.Set("another", new string('v', 2_000));

        Assert.Null(await _scene.Get("k"));
        Assert.Null(await _scene.Get("another"));
        Assert.NotNull(await _scene.Get("exactly"));
        Assert.Equal(2, _scene.Cache.GetStatus().OversizedEntries);
        Assert.Equal(1, _scene.Log.Count(9));
        Assert.Contains("1000", Assert.Single(_scene.Log.Texts(9)), StringComparison.Ordinal);
        await _scene.ReopenKilledAsync();
        Assert.Null(await _scene.Get("k"));
        Assert.NotNull(await _scene.Get("exactly"));
    }

    // Seen to fail when what was used in memory was not told to the index before a segment went.
    [Fact]
    public async Task An_entry_that_only_memory_ever_served_is_kept_when_its_segment_is_reclaimed()
    {
        await _scene.Set("used", "v");
        await _scene.Set("unused", "v");
        Assert.Equal("v", await _scene.Get("used"));

        for (int i = 0; _scene.Files.CountCalls(FileOperation.Delete, "1.seg") == 0; i++)
        {
            await _scene.Set($"filler {i}", new string('f', 10_000));
        }

        await _scene.ReopenKilledAsync();
        Assert.Equal("v", await _scene.Get("used"));
        Assert.Null(await _scene.Get("unused"));
    }

    // Seen to fail when merging was logged before the evictions that it stands for.
    [Fact]
    public async Task More_evictions_than_are_kept_apart_kill_too_much_and_never_too_little()
    {
        (_scene.Options.MaxDiskBytes, _scene.Options.SegmentBytes) = (64 << 20, 1 << 20);
        await _scene.ReopenClosedAsync();
        await _scene.Set("older", "v");
        await _scene.Set("tagged", "v", ["tag 7"]);
        var evictions = Enumerable.Range(0, TagBarriers.MaxBarriers + 1).Select(i => _scene.Evict($"tag {i}").AsTask()).ToList();
        await Task.WhenAll(evictions);
        await _scene.Set("newer", "v", ["tag 7"]);
        Assert.Null(await _scene.Get("tagged"));
        Assert.Null(await _scene.Get("older"));

        await _scene.ReopenKilledAsync();

        Assert.Null(await _scene.Get("tagged"));
        Assert.Equal("v", await _scene.Get("newer"));
    }

    private void FlipInSegments(ReadOnlySpan<byte> text)
    {
        foreach (string path in Directory.GetFiles(_scene.Options.Directory!, "*.seg", SearchOption.AllDirectories))
        {
            byte[] bytes = File.ReadAllBytes(path);
            if (bytes.AsSpan().IndexOf(text) is var at and >= 0)
            {
                using var file = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
                file.Position = at;
                file.WriteByte((byte)(bytes[at] ^ 1));
                return;
            }
        }

        Assert.Fail("The text is in no segment.");
    }
}
