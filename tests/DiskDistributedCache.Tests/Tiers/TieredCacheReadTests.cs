using DiskDistributedCache.Tests.Infrastructure;
using DiskDistributedCache.Tiers;

namespace DiskDistributedCache.Tests.Tiers;

/// <summary>Rule 7 and the read lanes: reads that take long, and what happens meanwhile.</summary>
public sealed class TieredCacheReadTests : IAsyncLifetime
{
    private static readonly string[] s_tags = ["t"];
    private readonly TierScene _scene = new();

    /// <summary>Entries on disk, and nothing in memory. Nothing is read back, so that reads are those of callers.</summary>
    public async ValueTask InitializeAsync()
    {
        _scene.Options.VerifyWrites = false;
        await _scene.OpenAsync();
        await _scene.Set("k", "old", s_tags);
        await _scene.Set("other", "v");
        await _scene.Set("third", "v");
        await _scene.ReopenClosedAsync();
    }

    public ValueTask DisposeAsync() => _scene.DisposeAsync();

    // Seen to fail when the barriers were checked before the read and not after it.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_read_that_an_eviction_overtook_answers_nobody_who_came_after_it(bool withBytesInHand)
    {
        var gate = Hold(withBytesInHand);
        var before = _scene.Get("k");
        await gate.Reached;
        await _scene.Evict("t");
        var after = _scene.Get("k");

        gate.Open();

        await before;
        Assert.Null(await after);
        Assert.Null(await _scene.Get("k"));
    }

    // Seen to fail when a read was promoted without asking whether it is still the current version.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_read_that_an_overwrite_overtook_does_not_take_the_place_of_the_new_value(bool withBytesInHand)
    {
        var gate = Hold(withBytesInHand);
        var before = _scene.Get("k");
        await gate.Reached;
        await _scene.Set("k", "new");
        Assert.Equal("new", await _scene.Get("k"));

        gate.Open();

        await before;
        Assert.Equal("new", await _scene.Get("k"));
    }

    // Seen to fail when a read was promoted without asking whether it is still the current version.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_read_that_a_removal_overtook_does_not_bring_the_value_back(bool withBytesInHand)
    {
        var gate = Hold(withBytesInHand);
        var before = _scene.Get("k");
        await gate.Reached;
        await _scene.Remove("k");
        Assert.Null(await _scene.Get("k"));

        gate.Open();

        await before;
        Assert.Null(await _scene.Get("k"));
        Assert.Equal(0, _scene.Cache.GetStatus().MemoryBytes);
    }

    // Seen to fail when the floor of the forgotten barriers was not looked at.
    [Fact]
    public async Task A_read_during_which_its_segment_and_the_eviction_were_reclaimed_answers_nobody_who_came_after_the_eviction()
    {
        var gate = _scene.Files.HoldDoneReads(TierScene.Segments, times: 1);
        var before = _scene.Get("k");
        await gate.Reached;
        await _scene.Evict("t");
        var after = _scene.Get("k");
        for (int i = 0; _scene.Files.CountCalls(FileOperation.Delete, "2.seg") == 0; i++)
        {
            await _scene.Set($"filler {i % 20}", new string('f', 30_000));
        }

        gate.Open();

        await before;
        Assert.Null(await after);
        Assert.Null(await _scene.Get("k"));
    }

    // Seen to fail when the deadline was checked before the read and not after it.
    [Fact]
    public async Task An_entry_that_expires_while_it_is_read_is_not_returned()
    {
        await _scene.Set("mortal", "v", expiry: new Entries.Expiry(_scene.Time.GetUtcNow().AddMinutes(1).UtcTicks, 0));
        await _scene.ReopenClosedAsync();
        var gate = Hold(withBytesInHand: true);
        var read = _scene.Get("mortal");
        await gate.Reached;
        _scene.Time.Advance(TimeSpan.FromMinutes(1));

        gate.Open();

        Assert.Null(await read);
    }

    // Seen to fail when every caller had a read of its own.
    [Fact]
    public async Task Callers_who_want_the_same_entry_share_one_read()
    {
        int before = _scene.Files.CountCalls(FileOperation.Read, TierScene.Segments);
        var gate = Hold(withBytesInHand: false);
        var reads = Enumerable.Range(0, 10).Select(_ => _scene.Get("k")).ToList();
        await gate.Reached;
        gate.Open();

        Assert.All(await Task.WhenAll(reads), value => Assert.Equal("old", value));
        Assert.Equal(before + 1, _scene.Files.CountCalls(FileOperation.Read, TierScene.Segments));
    }

    // Seen to hang without the watchdog.
    [Fact]
    public async Task A_caller_whose_read_hangs_is_told_that_nothing_is_known_and_gets_the_value_once_the_disk_answers()
    {
        await ReopenWithShortTimeoutAsync();
        var gate = Hold(withBytesInHand: false);

        Assert.Equal(LookupOutcome.Unknown, (await _scene.Look("k")).Outcome);
        while (_scene.Cache.GetStatus().LastFault is null)
        {
            // The fault is noted after the caller has been let go, and elsewhere.
            await Task.Yield();
        }

        gate.Open();

        Assert.Equal("old", await _scene.GetOnceTheDiskAnswersAsync("k"));
    }

    // Seen to hang when neither the watchdog nor the caller itself had a limit.
    [Fact]
    public async Task A_caller_who_blocks_is_told_that_nothing_is_known_when_the_read_hangs()
    {
        await ReopenWithShortTimeoutAsync();
        Hold(withBytesInHand: false);

        Assert.Equal(LookupOutcome.Unknown, _scene.Cache.Get(TierScene.KeyOf("k")).Outcome);
    }

    // Seen to fail when a late read was promoted without the current version being looked at.
    [Fact]
    public async Task A_read_that_comes_late_does_not_bring_back_what_was_removed_or_evicted_meanwhile()
    {
        await ReopenWithShortTimeoutAsync();
        var gate = Hold(withBytesInHand: true);
        Assert.Equal(LookupOutcome.Unknown, (await _scene.Look("k")).Outcome);
        Assert.Equal(LookupOutcome.Unknown, (await _scene.Look("other")).Outcome);
        await _scene.Evict("t");
        await _scene.Remove("other");

        gate.Open();

        Assert.Null(await _scene.GetOnceTheDiskAnswersAsync("k"));
        Assert.Null(await _scene.GetOnceTheDiskAnswersAsync("other"));
        Assert.Equal("v", await _scene.GetOnceTheDiskAnswersAsync("third"));
    }

    // Seen to hang when reads were still queued for lanes that all hang.
    [Fact]
    public async Task Nobody_waits_for_lanes_that_all_hang_and_memory_still_answers()
    {
        await ReopenWithShortTimeoutAsync();
        var gate = Hold(withBytesInHand: false);
        Assert.Equal(LookupOutcome.Unknown, (await _scene.Look("k")).Outcome);
        Assert.Equal(LookupOutcome.Unknown, (await _scene.Look("other")).Outcome);

        // A lane is stalled when its read is over its time, which begins when the lane does.
        var atOnce = _scene.Look("third");
        for (int i = 0; i < 1000 && !atOnce.IsCompleted; i++)
        {
            await atOnce;
            atOnce = _scene.Look("third");
        }

        Assert.True(atOnce.IsCompleted);
        Assert.Equal(LookupOutcome.Unknown, (await atOnce).Outcome);
        await _scene.Set("in memory", "v");
        Assert.Equal("v", await _scene.Get("in memory"));

        gate.Open();
        Assert.Equal("v", await _scene.GetOnceTheDiskAnswersAsync("third"));
    }

    // Seen to fail when the exception of the file system reached the caller.
    [Fact]
    public async Task A_read_that_fails_is_not_a_miss_and_the_next_one_is_answered()
    {
        _scene.Files.Fail(FileOperation.Read, TierScene.Segments, times: 1, exception: () => new OperationCanceledException("no"));

        Assert.Equal(LookupOutcome.Unknown, (await _scene.Look("k")).Outcome);
        Assert.Contains("no", _scene.Cache.GetStatus().LastFault, StringComparison.Ordinal);
        Assert.Equal(1, _scene.Cache.GetStatus().DiskErrors);
        Assert.Equal("old", await _scene.Get("k"));
    }

    // Seen to fail when the continuations of a read ran where it was completed.
    [Fact]
    public async Task A_caller_never_continues_on_a_lane()
    {
        var gate = Hold(withBytesInHand: false);
        var read = _scene.Get("k");
        await gate.Reached;
        var reader = ThreadAfterAsync(read);
        gate.Open();
        Assert.Null(await reader);

        var writes = _scene.Files.Hold(FileOperation.Write, TierScene.Segments);
        var write = _scene.Set("k", "v").AsTask();
        await writes.Reached;
        var writer = ThreadAfterAsync(write);
        writes.Open();
        Assert.Null(await writer);
    }

    /// <summary>The name of the lane on which a task continues; null where it is not one.</summary>
    private static Task<string?> ThreadAfterAsync(Task task) => task.ContinueWith(
        _ => Thread.CurrentThread.Name is { } name && name.StartsWith("DiskDistributedCache", StringComparison.Ordinal) ? name : null,
        CancellationToken.None,
        TaskContinuationOptions.ExecuteSynchronously,
        TaskScheduler.Default);

    private Gate Hold(bool withBytesInHand) => withBytesInHand
        ? _scene.Files.HoldDoneReads(TierScene.Segments)
        : _scene.Files.Hold(FileOperation.Read, TierScene.Segments);

    private async Task ReopenWithShortTimeoutAsync()
    {
        _scene.Options.IoTimeout = TimeSpan.FromMilliseconds(20);
        await _scene.ReopenClosedAsync();
    }
}
