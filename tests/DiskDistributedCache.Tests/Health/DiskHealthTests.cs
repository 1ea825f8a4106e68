using DiskDistributedCache.Health;
using DiskDistributedCache.Tests.Infrastructure;
using Microsoft.Extensions.Logging.Abstractions;

namespace DiskDistributedCache.Tests.Health;

/// <summary>The changes of mode by themselves: which may follow which, whoever asks for them and however late.</summary>
public sealed class DiskHealthTests
{
    private readonly TestClock _time = new();
    private readonly DiskHealth _health;

    public DiskHealthTests() => _health = new DiskHealth(_time, memoryOnlyThreshold: 2, NullLogger.Instance);

    // Seen to fail when a recovery could begin in any mode.
    [Fact]
    public void A_recovery_begins_only_where_the_disk_is_given_up()
    {
        Assert.False(_health.TryBeginRecovery());
        _health.Opened();
        Assert.False(_health.TryBeginRecovery());

        _health.GiveUp("broken");
        Assert.True(_health.TryBeginRecovery());
        Assert.False(_health.TryBeginRecovery());
        _health.Recovered();

        Assert.Equal(DiskCacheMode.Normal, _health.Mode);
    }

    // Seen to fail when the end of a recovery was believed in any mode: then a closed cache was used again.
    [Fact]
    public void A_recovery_that_ends_after_the_cache_was_closed_changes_nothing()
    {
        _health.Opened();
        _health.GiveUp("broken");
        Assert.True(_health.TryBeginRecovery());
        _health.Closed();

        _health.Recovered();
        _health.RecoveryFailed("late");

        Assert.Equal(DiskCacheMode.Closed, _health.Mode);
        Assert.NotEqual("late", _health.Current.LastFault);
    }

    // Seen to fail when it was repeated all the same.
    [Fact]
    public void Nothing_is_repeated_by_a_monitor_that_has_been_disposed_of()
    {
        var time = new TestClock();
        int steps = 0;
        using var monitor = new DiskHealthMonitor();
        monitor.Repeat(time, TimeSpan.FromSeconds(1), done => steps += 1);
        monitor.Dispose();

        monitor.Repeat(time, TimeSpan.FromSeconds(1), done => steps += 1);

        time.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal(0, steps);
    }

    [Fact]
    public void The_end_of_a_recovery_that_never_began_changes_nothing()
    {
        _health.Opened();

        _health.RecoveryFailed("nothing");
        _health.Recovered();
        _health.BreakerClosed();

        Assert.Equal(DiskCacheMode.Normal, _health.Mode);
        Assert.Null(_health.Current.LastFault);
    }

    // Seen to fail when a recovery that failed began a new outage.
    [Fact]
    public void A_recovery_that_failed_leaves_since_when_and_why_the_disk_is_given_up()
    {
        _health.Opened();
        _health.GiveUp("broken");
        var since = _health.Current.Since;
        _time.Advance(TimeSpan.FromMinutes(5));
        Assert.True(_health.TryBeginRecovery());
        _time.Advance(TimeSpan.FromSeconds(1));

        _health.RecoveryFailed("still broken");

        Assert.Equal(DiskCacheMode.MemoryOnly, _health.Mode);
        Assert.Equal("broken", _health.Current.Reason);
        Assert.Equal(since, _health.Current.Since);
        Assert.Equal("still broken", _health.Current.LastFault);
    }

    // Seen to fail when the circuit breaker could take a disk back that is given up.
    [Fact]
    public void The_circuit_breaker_neither_takes_a_disk_away_that_is_given_up_nor_brings_it_back()
    {
        _health.Opened();
        _health.GiveUp("broken");

        _health.BreakerOpened("again");
        Assert.Equal(DiskCacheMode.MemoryOnly, _health.Mode);
        _health.BreakerClosed();

        Assert.Equal(DiskCacheMode.MemoryOnly, _health.Mode);
        Assert.Equal("broken", _health.Current.Reason);
    }

    // Seen to fail when the errors were forgotten at every healthy probe.
    [Fact]
    public void Errors_are_forgotten_by_a_healthy_probe_only_if_none_came_since_the_one_before()
    {
        _health.Opened();
        _health.Failed("first", isHard: false);
        _health.Probed(DiskHealthState.Healthy);
        _health.Failed("second", isHard: false);
        _health.Probed(DiskHealthState.Healthy);
        Assert.Equal(DiskCacheMode.Normal, _health.Mode);

        _health.Failed("third", isHard: false);
        Assert.Equal(DiskCacheMode.MemoryOnly, _health.Mode);
    }

    [Fact]
    public void Two_healthy_probes_in_a_row_forget_the_errors()
    {
        _health.Opened();
        _health.Failed("first", isHard: false);
        _health.Failed("second", isHard: false);
        _health.Probed(DiskHealthState.Healthy);
        _health.Probed(DiskHealthState.Healthy);

        _health.Failed("third", isHard: false);
        _health.Failed("fourth", isHard: false);

        Assert.Equal(DiskCacheMode.Normal, _health.Mode);
    }

    [Fact]
    public void Whoever_listens_is_told_each_change_once_and_in_order()
    {
        var changes = new List<string>();
        _health.Changed += (before, mode) => changes.Add($"{before} {mode}");

        _health.Opened();
        _health.Opened();
        _health.BreakerOpened("errors");
        _health.Failed("hard", isHard: true);
        _health.TryBeginRecovery();
        _health.RecoveryFailed("still");
        _health.Closed();
        _health.Closed();

        Assert.Equal(
            ["Starting Normal", "Normal BreakerOpen", "BreakerOpen MemoryOnly", "MemoryOnly Recovering", "Recovering MemoryOnly", "MemoryOnly Closed"],
            changes);
    }
}
