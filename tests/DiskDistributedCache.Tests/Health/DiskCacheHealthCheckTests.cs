using DiskDistributedCache.Health;
using DiskDistributedCache.Tests.Infrastructure;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

namespace DiskDistributedCache.Tests.Health;

/// <summary>What the health check says of each mode, and that it says it in an application.</summary>
public sealed class DiskCacheHealthCheckTests
{
    private static readonly DateTimeOffset s_since = new(2030, 1, 1, 12, 30, 0, TimeSpan.Zero);

    private static DiskCacheStatus Status(
        DiskCacheMode mode, DiskHealthState probe = DiskHealthState.Healthy, string? reason = null, string? lastFault = null) => new()
    {
        Mode = mode,
        Since = s_since,
        Reason = reason,
        DiskHealth = probe,
        LastFault = lastFault,
        Entries = 1,
        DiskBytes = 2,
        MemoryBytes = 3,
        MemoryHits = 4,
        DiskHits = 5,
        Misses = 6,
        DiskErrors = 7,
        CorruptionErrors = 8,
        QuarantinedRecords = 9,
        OwedWrites = 10,
        OversizedEntries = 11,
    };

    // Planted: each line of the mapping swapped.
    [Theory]
    [InlineData(DiskCacheMode.Starting, HealthStatus.Degraded)]
    [InlineData(DiskCacheMode.Normal, HealthStatus.Healthy)]
    [InlineData(DiskCacheMode.BreakerOpen, HealthStatus.Degraded)]
    [InlineData(DiskCacheMode.MemoryOnly, HealthStatus.Degraded)]
    [InlineData(DiskCacheMode.Recovering, HealthStatus.Degraded)]
    [InlineData(DiskCacheMode.Closed, HealthStatus.Unhealthy)]
    public void Each_mode_has_a_status_of_its_own(DiskCacheMode mode, HealthStatus expected)
    {
        Assert.Equal(expected, DiskCacheHealthCheck.ResultOf(Status(mode), failureStatus: null).Status);
    }

    [Theory]
    [InlineData(DiskCacheMode.Starting)]
    [InlineData(DiskCacheMode.BreakerOpen)]
    [InlineData(DiskCacheMode.MemoryOnly)]
    [InlineData(DiskCacheMode.Recovering)]
    [InlineData(DiskCacheMode.Closed)]
    public void A_failure_status_that_is_given_stands_for_a_disk_that_is_not_used(DiskCacheMode mode)
    {
        foreach (var given in Enum.GetValues<HealthStatus>())
        {
            Assert.Equal(given, DiskCacheHealthCheck.ResultOf(Status(mode), given).Status);
            Assert.Equal(HealthStatus.Healthy, DiskCacheHealthCheck.ResultOf(Status(DiskCacheMode.Normal), given).Status);
        }
    }

    [Theory]
    [InlineData(DiskHealthState.Unknown, HealthStatus.Healthy)]
    [InlineData(DiskHealthState.Healthy, HealthStatus.Healthy)]
    [InlineData(DiskHealthState.Degraded, HealthStatus.Degraded)]
    [InlineData(DiskHealthState.Unhealthy, HealthStatus.Degraded)]
    public void A_disk_in_use_is_as_healthy_as_its_last_probe(DiskHealthState probe, HealthStatus expected)
    {
        Assert.Equal(expected, DiskCacheHealthCheck.ResultOf(Status(DiskCacheMode.Normal, probe), failureStatus: null).Status);
        Assert.Equal(expected, DiskCacheHealthCheck.ResultOf(Status(DiskCacheMode.Normal, probe), HealthStatus.Unhealthy).Status);
    }

    [Fact]
    public void The_description_names_the_mode_since_when_and_why()
    {
        Assert.Equal("Normal since 2030-01-01 12:30:00Z", Text(Status(DiskCacheMode.Normal, lastFault: "an old one")));
        Assert.Equal("Starting since 2030-01-01 12:30:00Z", Text(Status(DiskCacheMode.Starting)));
        Assert.Equal(
            "MemoryOnly since 2030-01-01 12:30:00Z: too many errors",
            Text(Status(DiskCacheMode.MemoryOnly, reason: "too many errors", lastFault: "the last of them")));
        Assert.Equal(
            "BreakerOpen since 2030-01-01 12:30:00Z: IOException: no disk",
            Text(Status(DiskCacheMode.BreakerOpen, lastFault: "IOException: no disk")));
        Assert.Equal(
            "Normal since 2030-01-01 12:30:00Z; the disk is Degraded: it is full",
            Text(Status(DiskCacheMode.Normal, DiskHealthState.Degraded, lastFault: "it is full")));
    }

    [Fact]
    public void The_data_are_the_whole_status()
    {
        var status = Status(DiskCacheMode.MemoryOnly, reason: "too many errors", lastFault: "the last of them");

        var numbers = DiskCacheHealthCheck.ResultOf(status, failureStatus: null).Data;

        foreach (var property in typeof(DiskCacheStatus).GetProperties())
        {
            string name = char.ToLowerInvariant(property.Name[0]) + property.Name[1..];
            object value = property.GetValue(status)!;
            Assert.Equal(value is Enum ? value.ToString() : value, Assert.Contains(name, numbers));
        }

        Assert.DoesNotContain("reason", DiskCacheHealthCheck.ResultOf(Status(DiskCacheMode.Normal), failureStatus: null).Data);
    }

    // Planted: the check opens the store; the name and the tags are not passed on.
    [Fact]
    public async Task In_an_application_the_check_follows_the_cache_and_does_not_touch_the_disk()
    {
        await using var store = new NormalStore();
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Services.AddLogging();
        builder.Services.AddDiskDistributedCache(options => options.Directory = store.Options.Directory);
        builder.Services.AddHealthChecks()
            .AddDiskDistributedCache()
            .AddDiskDistributedCache("strict", HealthStatus.Unhealthy, ["disk"], TimeSpan.FromMinutes(1));
        using var host = builder.Build();
        var checks = host.Services.GetRequiredService<HealthCheckService>();

        var before = await checks.CheckHealthAsync(TestContext.Current.CancellationToken);
        Assert.Equal(HealthStatus.Degraded, before.Entries["diskdistributedcache"].Status);
        Assert.Equal(HealthStatus.Unhealthy, before.Entries["strict"].Status);
        Assert.Equal(["disk"], before.Entries["strict"].Tags);
        Assert.Empty(Directory.EnumerateFileSystemEntries(store.Options.Directory!));

        await host.StartAsync(TestContext.Current.CancellationToken);
        await host.Services.GetRequiredService<DiskCache>().StartAsync();
        var after = await checks.CheckHealthAsync(TestContext.Current.CancellationToken);
        Assert.Equal(HealthStatus.Healthy, after.Status);
        Assert.Equal("Normal", after.Entries["diskdistributedcache"].Data["mode"]);

        await host.StopAsync(TestContext.Current.CancellationToken);
        await host.Services.GetRequiredService<DiskCache>().DisposeAsync();
        var closed = await checks.CheckHealthAsync(TestContext.Current.CancellationToken);
        Assert.Equal(HealthStatus.Unhealthy, closed.Entries["diskdistributedcache"].Status);
    }

    [Fact]
    public void A_missing_builder_is_refused()
    {
        Assert.Throws<ArgumentNullException>("builder", () => DiskDistributedCacheHealthChecksBuilderExtensions.AddDiskDistributedCache(null!));
    }

    private static string? Text(DiskCacheStatus status) => DiskCacheHealthCheck.ResultOf(status, failureStatus: null).Description;
}
