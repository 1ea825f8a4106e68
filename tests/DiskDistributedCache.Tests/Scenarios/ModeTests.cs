using DiskDistributedCache.Tests.Infrastructure;
using DiskDistributedCache.Tiers;

namespace DiskDistributedCache.Tests.Scenarios;

/// <summary>What makes the cache leave its disk alone, for the time of a break or until it has recovered, and how it works meanwhile.</summary>
public sealed class ModeTests : IAsyncLifetime
{
    private const int DiskGivenUp = 12;
    private const int BreakerOpened = 13;
    private const int BreakerClosed = 14;
    private static readonly string[] s_tags = ["t"];
    private readonly TierScene _scene = new();

    public async ValueTask InitializeAsync()
    {
        await _scene.OpenAsync();
        await _scene.Set("k", "v0", s_tags);
        await _scene.Set("removed", "v0");
    }

    public ValueTask DisposeAsync() => _scene.DisposeAsync();

    // Seen to fail without the breaker.
    [Fact]
    public async Task The_breaker_opens_after_three_failures_and_closes_with_a_trial_after_the_break()
    {
        FailWrites();
        await _scene.Set("a", "v");
        await _scene.Set("b", "v");
        Assert.Equal(DiskCacheMode.Normal, _scene.Mode);
        await _scene.Set("c", "v");
        Assert.Equal(DiskCacheMode.BreakerOpen, _scene.Mode);
        Assert.Contains("IOException", _scene.Cache.GetStatus().Reason, StringComparison.Ordinal);
        Assert.Equal(_scene.Cache.GetStatus().LastFault, _scene.Cache.GetStatus().Reason);
        Assert.Contains("(fault 000003)", _scene.Cache.GetStatus().Reason, StringComparison.Ordinal);
        long calls = _scene.Files.CallCount;
        await _scene.Set("d", "v");
        await _scene.Remove("removed");
        await _scene.Cache.HeartbeatOnceAsync();
        await _scene.Cache.ProbeOnceAsync();
        Assert.Equal(calls, _scene.Files.CallCount);

        _scene.Files.Heal();
        _scene.Time.Advance(_scene.Options.BreakDuration);
        await _scene.Cache.HeartbeatOnceAsync();

        Assert.Equal(DiskCacheMode.Normal, _scene.Mode);
        Assert.Equal((1, 1, 0), (_scene.Log.Count(BreakerOpened), _scene.Log.Count(BreakerClosed), _scene.Log.Count(DiskGivenUp)));
        await _scene.ReopenKilledWhenTrustedAsync();
        Assert.Equal("v", await _scene.Get("a"));
        Assert.Equal("v", await _scene.Get("d"));
        Assert.Null(await _scene.Get("removed"));
    }

    // Seen to fail without the breaker.
    [Fact]
    public async Task While_the_breaker_is_open_a_lookup_that_needs_the_disk_is_answered_at_once_and_not_with_a_miss()
    {
        _scene.Options.MaxMemoryBytes = 0;
        await _scene.ReopenClosedAsync();
        _scene.Files.Fail(FileOperation.Read, TierScene.Segments);
        for (int i = 0; i < 3; i++)
        {
            Assert.Equal(LookupOutcome.Unknown, (await _scene.Look("k")).Outcome);
        }

        Assert.Equal(DiskCacheMode.BreakerOpen, _scene.Mode);
        long calls = _scene.Files.CallCount;
        Assert.Equal(LookupOutcome.Unknown, (await _scene.Look("k")).Outcome);
        Assert.Equal(LookupOutcome.Miss, (await _scene.Look("nobody has set this")).Outcome);
        Assert.Equal(calls, _scene.Files.CallCount);

        _scene.Files.Heal();
        _scene.Time.Advance(_scene.Options.BreakDuration);
        await _scene.Cache.HeartbeatOnceAsync();
        Assert.Equal(DiskCacheMode.Normal, _scene.Mode);
        Assert.Equal("v0", await _scene.Get("k"));
    }

    // Seen to fail when the errors were not counted.
    [Fact]
    public async Task More_errors_than_the_threshold_make_the_cache_give_the_disk_up_once()
    {
        _scene.Options.FailureThreshold = 100;
        await _scene.ReopenClosedAsync();
        FailWrites();
        for (int i = 0; i < _scene.Options.MemoryOnlyThreshold; i++)
        {
            await _scene.Set($"k{i}", "v");
            Assert.Equal(DiskCacheMode.Normal, _scene.Mode);
        }

        var givenUp = _scene.Log.NextAsync(DiskGivenUp);
        await _scene.Set("one too many", "v");
        await givenUp;
        await _scene.Set("after", "v");

        Assert.Equal(DiskCacheMode.MemoryOnly, _scene.Mode);
        Assert.Contains("More than 10", _scene.Cache.GetStatus().Reason, StringComparison.Ordinal);
        Assert.Equal(1, _scene.Log.Count(DiskGivenUp));
    }

    // Seen to fail when these counted as errors like others.
    [Theory]
    [InlineData(DiskError.ReadOnlyFileSystem)]
    [InlineData(DiskError.AccessDenied)]
    [InlineData(DiskError.NotADirectory)]
    [InlineData(DiskError.StaleHandle)]
    public async Task An_error_that_no_retry_can_help_makes_the_cache_give_the_disk_up_at_once(object error)
    {
        _scene.Files.Fail(FileOperation.Write, TierScene.Segments, times: 1, error: (DiskError)error);

        var givenUp = _scene.Log.NextAsync(DiskGivenUp);
        await _scene.Set("k", "v1");
        await givenUp;

        Assert.Equal(DiskCacheMode.MemoryOnly, _scene.Mode);
        Assert.Equal(_scene.Cache.GetStatus().Reason, _scene.Cache.GetStatus().LastFault);
        Assert.Equal(1, _scene.Log.Count(DiskGivenUp));
        Assert.Equal("v1", await _scene.Get("k"));
    }

    // Seen to fail when a full disk counted as an error, and when a heartbeat, which needs no room, counted as room.
    [Theory]
    [InlineData(DiskError.NoSpace)]
    [InlineData(DiskError.QuotaExceeded)]
    public async Task A_full_disk_changes_no_mode(object error)
    {
        _scene.Files.Fail(FileOperation.Write, TierScene.Segments, error: (DiskError)error);
        for (int i = 0; i < 12; i++)
        {
            await _scene.Set($"k{i}", "v");
        }

        Assert.Equal(DiskCacheMode.Normal, _scene.Mode);
        Assert.Equal(0, _scene.Cache.GetStatus().DiskErrors);
        await _scene.Cache.HeartbeatOnceAsync();
        await _scene.Set("still", "v");
        Assert.Equal((1, 0), (_scene.Log.Count(21), _scene.Log.Count(30)));

        _scene.Files.Heal();
        await _scene.Set("room", "v");
        Assert.Equal((1, 1), (_scene.Log.Count(21), _scene.Log.Count(30)));
    }

    // Seen to fail when a request or a step of the monitor went to the disk.
    [Fact]
    public async Task From_memory_everything_works_and_no_call_reaches_the_file_system()
    {
        await _scene.LoseDiskAsync();
        long calls = _scene.Files.CallCount;

        await _scene.Set("new", "v", s_tags);
        await _scene.Set("other", "v", ["u"], new Entries.Expiry(Entries.Expiry.Never, TimeSpan.TicksPerMinute));
        Assert.Equal("v0", await _scene.Get("k"));
        Assert.Equal("v", await _scene.Get("new"));
        Assert.Equal("v", await _scene.Get("other"));
        await _scene.Remove("removed");
        Assert.Null(await _scene.Get("removed"));
        await _scene.Evict("t");
        Assert.Null(await _scene.Get("k"));
        Assert.Null(await _scene.Get("new"));
        _scene.Time.Advance(TimeSpan.FromSeconds(50));
        Assert.Equal("v", await _scene.Get("other"));
        _scene.Time.Advance(TimeSpan.FromSeconds(50));
        Assert.Equal("v", await _scene.Get("other"));
        await _scene.Clear();
        Assert.Null(await _scene.Get("other"));
        await _scene.Cache.HeartbeatOnceAsync();
        await _scene.Cache.ProbeOnceAsync();

        Assert.Equal(calls, _scene.Files.CallCount);
    }

    // Seen to fail when the budget stayed as it was, in either direction.
    [Fact]
    public async Task From_memory_the_budget_is_twice_as_large_and_after_the_recovery_what_it_was()
    {
        await _scene.LoseDiskAsync();
        for (int i = 0; i < 60; i++)
        {
            await _scene.Set($"k{i}", new string('v', 30_000));
        }

        Assert.InRange(_scene.Cache.GetStatus().MemoryBytes, 60 * 30_000, 2 * _scene.Options.MaxMemoryBytes);
        Assert.NotNull(await _scene.Get("k0"));

        await _scene.RegainDiskAsync();

        Assert.InRange(_scene.Cache.GetStatus().MemoryBytes, 1, _scene.Options.MaxMemoryBytes);
    }

    // Seen to fail when a hang was only a failure like others.
    [Theory]
    [InlineData(FileOperation.Write)]
    [InlineData(FileOperation.Read)]
    public async Task A_disk_that_hangs_for_five_seconds_is_given_up(object operation)
    {
        _scene.Options.IoTimeout = TimeSpan.FromMilliseconds(100);
        _scene.Options.VerifyWrites = false;
        _scene.Options.MaxMemoryBytes = 0;
        await _scene.ReopenClosedAsync();
        var stalled = _scene.Log.NextAsync(20);
        var gate = _scene.Files.Hold((FileOperation)operation, TierScene.Segments);
        await (operation is FileOperation.Read ? _scene.Look("k") : _scene.Set("new", "v").AsTask());
        await stalled;
        Assert.Equal(DiskCacheMode.Normal, _scene.Mode);

        while (_scene.Mode == DiskCacheMode.Normal)
        {
            _scene.Time.Advance(TimeSpan.FromSeconds(1));
        }

        Assert.Equal(DiskCacheMode.MemoryOnly, _scene.Mode);
        Assert.Contains("for 5 s", _scene.Cache.GetStatus().Reason, StringComparison.Ordinal);
        gate.Open();
        await _scene.RegainDiskAsync();
        Assert.Equal("v0", await _scene.GetOnceTheDiskAnswersAsync("k"));
    }

    // Seen to fail when the hang was noticed although the disk had answered.
    [Fact]
    public async Task A_disk_that_was_slow_once_is_not_given_up()
    {
        _scene.Options.IoTimeout = TimeSpan.FromMilliseconds(100);
        await _scene.ReopenClosedAsync();
        var stalled = _scene.Log.NextAsync(20);
        var gate = _scene.Files.Hold(FileOperation.Write, TierScene.Segments, times: 1);
        await _scene.Set("new", "v");
        await stalled;
        gate.Open();
        await _scene.Cache.DrainAsync();

        _scene.Time.Advance(TimeSpan.FromSeconds(6));
        await _scene.Cache.HeartbeatOnceAsync();

        Assert.Equal(DiskCacheMode.Normal, _scene.Mode);
    }

    // Seen to fail when corrupt records counted as answers only, and when each counted as a failure.
    [Theory]
    [InlineData(1, DiskCacheMode.Normal)]
    [InlineData(2, DiskCacheMode.Normal)]
    [InlineData(3, DiskCacheMode.BreakerOpen)]
    public async Task Records_that_do_not_verify_open_the_breaker_when_they_are_in_three_segments(int segments, DiskCacheMode expected)
    {
        _scene.Options.MaxMemoryBytes = 0;
        _scene.Options.VerifyWrites = false;
        await _scene.ReopenClosedAsync();
        for (int i = 0; i < 12; i++)
        {
            await _scene.Set($"k{i}", new string('v', 14_000));
        }

        _scene.Files.FlipReads(8 * 1_000, TierScene.Segments);

        // Four records fit into a segment, and the first one begins in a new segment.
        int[] read = segments switch
        {
            1 => [0, 1, 2],
            2 => [0, 1, 2, 4, 5],
            _ => [0, 4, 8],
        };
        foreach (int i in read)
        {
            Assert.Null(await _scene.Get($"k{i}"));
        }

        Assert.Equal(read.Length, _scene.Cache.GetStatus().CorruptionErrors);
        Assert.Equal(expected, _scene.Mode);
        Assert.Equal(0, _scene.Cache.GetStatus().DiskErrors);
    }

    private void FailWrites() => _scene.Files.Fail(FileOperation.Write, TierScene.Segments);
}
