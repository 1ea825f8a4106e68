using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Scenarios;

/// <summary>What the monitor does by itself: the probe, what its results count for, and the recovery of a disk that was given up.</summary>
public sealed class ProbeAndRecoveryTests : IAsyncLifetime
{
    private const int RecoveryFailed = 16;
    private const int Recovered = 17;
    private const int ProbeChanged = 18;
    private readonly TierScene _scene = new();

    public async ValueTask InitializeAsync()
    {
        _scene.Options.FailureThreshold = 100;
        _scene.Options.VerifyWrites = false;
        await _scene.OpenAsync();
        await _scene.Set("k", "v0");
        await _scene.Set("removed", "v0");
    }

    public ValueTask DisposeAsync() => _scene.DisposeAsync();

    // Seen to fail when what the probe read was not compared, and when an error did not count.
    [Fact]
    public async Task The_probe_says_whether_the_disk_is_well_returns_other_bytes_or_fails()
    {
        Assert.Equal(DiskHealthState.Unknown, Probe);
        await _scene.Cache.ProbeOnceAsync();
        Assert.Equal(DiskHealthState.Healthy, Probe);

        _scene.Files.FlipReads(8 * 150, TierScene.Segments);
        await _scene.Cache.ProbeOnceAsync();
        Assert.Equal(DiskHealthState.Degraded, Probe);

        _scene.Files.Heal();
        _scene.Files.Fail(FileOperation.Read, TierScene.Segments);
        await _scene.Cache.ProbeOnceAsync();
        Assert.Equal(DiskHealthState.Unhealthy, Probe);

        _scene.Files.Heal();
        await _scene.Cache.ProbeOnceAsync();
        Assert.Equal(DiskHealthState.Healthy, Probe);
        Assert.Equal(4, _scene.Log.Count(ProbeChanged));
        Assert.Equal(2, _scene.Cache.GetStatus().Entries);
    }

    // Seen to fail when the probe was never repeated.
    [Fact]
    public async Task The_disk_is_probed_with_every_interval()
    {
        await _scene.Cache.ProbeOnceAsync();
        for (int i = 0; i < 3; i++)
        {
            var probe = _scene.Log.NextAsync(ProbeChanged);
            var fault = i % 2 == 0 ? _scene.Files.Fail(FileOperation.Read, TierScene.Segments) : null;

            _scene.Time.Advance(_scene.Options.HealthCheckInterval);
            await probe;

            // The next interval begins when the step is done.
            await _scene.Cache.HeartbeatOnceAsync();
            fault?.Heal();
        }

        Assert.Equal(DiskHealthState.Unhealthy, Probe);
    }

    // Seen to fail when each healthy probe forgot the errors.
    [Fact]
    public async Task A_healthy_probe_does_not_forget_errors_that_came_since_the_probe_before()
    {
        await FailAsync(6);
        await _scene.Cache.ProbeOnceAsync();
        Assert.Equal(DiskHealthState.Healthy, Probe);
        await FailAsync(4);
        Assert.Equal(DiskCacheMode.Normal, _scene.Mode);

        await FailAsync(1);

        Assert.Equal(DiskCacheMode.MemoryOnly, _scene.Mode);
    }

    // Seen to fail when errors were never forgotten.
    [Fact]
    public async Task A_healthy_probe_forgets_the_errors_when_nothing_has_failed_since_the_probe_before()
    {
        await FailAsync(6);
        await _scene.Cache.ProbeOnceAsync();
        await _scene.Cache.ProbeOnceAsync();

        await FailAsync(10);

        Assert.Equal(DiskCacheMode.Normal, _scene.Mode);
    }

    // Seen to fail when a recovery that had failed was the last one.
    [Fact]
    public async Task A_recovery_is_tried_with_every_interval_until_it_succeeds()
    {
        await _scene.LoseDiskAsync();
        await _scene.Set("k", "v1");
        await _scene.Remove("removed");
        for (int i = 1; i <= 2; i++)
        {
            await AdvanceAsync(RecoveryFailed);
            Assert.Equal(DiskCacheMode.MemoryOnly, _scene.Mode);
            Assert.Contains("Read-only", _scene.Cache.GetStatus().Reason, StringComparison.Ordinal);
            Assert.Equal("v1", await _scene.Get("k"));
        }

        _scene.Files.Heal();
        await AdvanceAsync(Recovered);

        Assert.Equal(DiskCacheMode.Normal, _scene.Mode);
        Assert.Null(_scene.Cache.GetStatus().Reason);
        Assert.Equal((2, 1, 1), (_scene.Log.Count(RecoveryFailed), _scene.Log.Count(Recovered), _scene.Log.Count(12)));
        await _scene.ReopenKilledWhenTrustedAsync();
        Assert.Equal("v1", await _scene.Get("k"));
        Assert.Null(await _scene.Get("removed"));
    }

    // Seen to fail when the recovery did not probe.
    [Fact]
    public async Task A_disk_that_returns_other_bytes_is_not_taken_back()
    {
        await _scene.LoseDiskAsync();
        _scene.Files.Heal();
        _scene.Files.FlipReads(8 * 150, TierScene.Segments);

        await _scene.Cache.RecoverOnceAsync();
        Assert.Equal(DiskCacheMode.MemoryOnly, _scene.Mode);

        await _scene.RegainDiskAsync();
    }

    // Seen to fail when a recovery that failed half-way had forgotten what it did not write.
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(5)]
    public async Task A_recovery_that_fails_half_way_loses_nothing(int writesBefore)
    {
        await _scene.LoseDiskAsync();
        for (int i = 0; i < 5; i++)
        {
            await _scene.Set($"large {i}", "v" + new string((char)('a' + i), 60_000));
        }

        await _scene.Remove("removed");
        _scene.Files.Heal();
        var fault = _scene.Files.Fail(FileOperation.Write, TierScene.Segments, skip: writesBefore);
        await _scene.Cache.RecoverOnceAsync();
        Assert.Equal(DiskCacheMode.MemoryOnly, _scene.Mode);
        Assert.True(fault.StruckCount > 0);
        await _scene.Set("k", "v1");

        await _scene.RegainDiskAsync();
        await _scene.ReopenKilledWhenTrustedAsync();

        Assert.Null(await _scene.Get("removed"));
        Assert.Equal("v1", await _scene.Get("k"));
        for (int i = 0; i < 5; i++)
        {
            Assert.Equal("v" + new string((char)('a' + i), 60_000), await _scene.Get($"large {i}"));
        }
    }

    private DiskHealthState Probe => _scene.Cache.GetStatus().DiskHealth;

    /// <summary>So many operations fail, each once.</summary>
    private async Task FailAsync(int count)
    {
        for (int i = 0; i < count; i++)
        {
            _scene.Files.Fail(FileOperation.Write, TierScene.Segments, times: 1);
            await _scene.Set("failing", "v");
            await _scene.Cache.HeartbeatOnceAsync();
            await _scene.Cache.DrainAsync();
        }
    }

    private async Task AdvanceAsync(int logId)
    {
        var logged = _scene.Log.NextAsync(logId);
        _scene.Time.Advance(_scene.Options.RecoveryInterval);
        await logged;

        // The next interval begins when the step is done.
        await _scene.Cache.HeartbeatOnceAsync();
    }
}
