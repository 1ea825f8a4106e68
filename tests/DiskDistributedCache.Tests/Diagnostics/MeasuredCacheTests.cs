using System.Diagnostics.Metrics;
using DiskDistributedCache.Diagnostics;
using DiskDistributedCache.Entries;
using DiskDistributedCache.Tests.Infrastructure;
using DiskDistributedCache.Tiers;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace DiskDistributedCache.Tests.Diagnostics;

/// <summary>What a whole cache shows of what it does: each thing once, where it happens.</summary>
public sealed class MeasuredCacheTests : IDisposable
{
    private readonly CollectedMeter _meter = new();

    public void Dispose() => _meter.Dispose();

    // Planted: an operation of the disk tier that has no name here.
    [Fact]
    public async Task Every_operation_of_the_disk_that_is_measured_is_in_the_table()
    {
        await using var scene = new TierScene { Meter = _meter };
        scene.Options.MaxMemoryBytes = 0;
        await scene.OpenAsync();
        await scene.Set("k", "v");
        Assert.Equal("v", await scene.Get("k"));
        await scene.Cache.DrainAsync();
        await scene.Cache.HeartbeatOnceAsync();
        await scene.Cache.ProbeOnceAsync();
        _meter.Collect();

        string row = File.ReadLines(OperationsPage.Find()).Single(line => line.StartsWith("| `diskcache.disk.operation.duration`", StringComparison.Ordinal));
        Assert.All(["read", "write", "sync", "heartbeat", "probe", "open", "fit", "erase_store"], operation =>
        {
            Assert.NotEqual(0, _meter.CountOf($"diskcache.disk.operation.duration diskcache.disk.operation={operation}"));
            Assert.Contains($"`{operation}`", row, StringComparison.Ordinal);
        });
        Assert.Equal(0, _meter.CountOf("diskcache.disk.operation.duration diskcache.disk.operation=other"));
    }

    // Planted: bytes written and segments reclaimed are not counted; every change is a set.
    [Fact]
    public async Task What_the_tiers_do_is_counted_where_it_happens()
    {
        await using var scene = new TierScene { Meter = _meter };
        await scene.OpenAsync();
        await scene.Set("first", "v", ["t"]);
        await scene.Set("sliding", "v", expiry: new Expiry(Expiry.Never, TimeSpan.TicksPerMinute));
        for (int i = 0; i < 3_000; i++)
        {
            await scene.Set($"k{i}", new string('v', 1_000));
        }

        await scene.Get("k2999");
        await scene.Evict("t");
        await scene.Get("first");
        await scene.Remove("k2998");
        await scene.Clear();
        _meter.Collect();

        Assert.Equal(3_002, _meter.Last("diskcache.mutations diskcache.mutation.kind=set"));
        Assert.Equal(1, _meter.Last("diskcache.mutations diskcache.mutation.kind=remove"));
        Assert.Equal(1, _meter.Last("diskcache.mutations diskcache.mutation.kind=evict_tag"));
        Assert.Equal(1, _meter.Last("diskcache.mutations diskcache.mutation.kind=clear"));
        Assert.NotEqual(0, _meter.Last("diskcache.evictions diskcache.eviction.reason=capacity diskcache.tier=memory"));
        Assert.NotEqual(0, _meter.Last("diskcache.evictions diskcache.eviction.reason=capacity diskcache.tier=disk"));
        Assert.NotEqual(0, _meter.Last("diskcache.reclaim.segments"));
        Assert.InRange(_meter.Last("diskcache.disk.io disk.io.direction=write"), 3_000 * 1_000, double.MaxValue);
        Assert.InRange(_meter.Last("diskcache.disk.io disk.io.direction=read"), 3_000 * 1_000, double.MaxValue);
        Assert.Equal(1 << 20, _meter.Last("diskcache.memory.limit"));
        Assert.Equal(1 << 20, _meter.Last("diskcache.disk.limit"));
    }

    // Planted: promotions are not counted; nor are the dead in memory; the dead on disk count when they were gone already.
    [Fact]
    public async Task Promotions_and_the_dead_that_somebody_meets_are_counted_once()
    {
        await using var scene = new TierScene { Meter = _meter };
        await scene.OpenAsync();
        var minute = new Expiry(scene.Cache.Clock.NowTicks + TimeSpan.TicksPerMinute, 0);
        await scene.Set("evicted", "v", ["t"]);
        await scene.Set("expired", "v", expiry: minute);
        await scene.Set("cold", "v", ["t"]);
        await scene.Set("cold-expired", "v", expiry: minute);
        await scene.ReopenClosedAsync();

        Assert.Equal("v", await scene.Get("evicted"));
        Assert.Equal("v", await scene.Get("expired"));
        await scene.Evict("t");
        scene.Time.Advance(TimeSpan.FromHours(1));
        for (int i = 0; i < 2; i++)
        {
            Assert.Null(await scene.Get("evicted"));
            Assert.Null(await scene.Get("expired"));
            Assert.Null(await scene.Get("cold"));
            Assert.Null(await scene.Get("cold-expired"));
        }

        _meter.Collect();
        Assert.Equal(2, _meter.Last("diskcache.promotions"));
        Assert.Equal(1, _meter.Last("diskcache.evictions diskcache.eviction.reason=tag diskcache.tier=memory"));
        Assert.Equal(1, _meter.Last("diskcache.evictions diskcache.eviction.reason=expired diskcache.tier=memory"));
        Assert.Equal(2, _meter.Last("diskcache.evictions diskcache.eviction.reason=tag diskcache.tier=disk"));
        Assert.Equal(2, _meter.Last("diskcache.evictions diskcache.eviction.reason=expired diskcache.tier=disk"));
    }

    // Planted: unknown counts as a miss.
    [Fact]
    public async Task A_lookup_that_could_not_ask_the_disk_is_unknown_and_in_the_status_a_miss()
    {
        await using var store = new NormalStore();
        await using var cache = new TieredCache(store.Options, store.FileSystem, store.Time, NullLoggerFactory.Instance, new CacheMetrics(_meter));

        // The store is not open yet.
        Assert.Equal(LookupOutcome.Unknown, (await cache.GetAsync(new CacheKey(KeySpace.Data, "key"))).Outcome);
        _meter.Collect();

        Assert.Equal(1, _meter.Last("diskcache.requests diskcache.request.result=unknown diskcache.tier=disk"));
        Assert.Equal(0, _meter.Last("diskcache.requests diskcache.request.result=miss diskcache.tier=disk"));
        Assert.Equal(1, cache.GetStatus().Misses);
    }

    // Planted: the registration passes no factory.
    [Fact]
    public async Task A_registered_cache_measures_its_lookups_with_the_meter_of_the_container()
    {
        await using var store = new NormalStore();
        await using var provider = new ServiceCollection()
            .AddSingleton<IMeterFactory>(_meter)
            .AddDiskDistributedCache(options => (options.Directory, options.MaxMemoryBytes, options.IoTimeout) =
                (store.Options.Directory, 0, TimeSpan.FromSeconds(20)))
            .BuildServiceProvider();
        var cache = provider.GetRequiredService<DiskCache>();
        await cache.StartAsync();

        await cache.SetAsync("key", [1], new DistributedCacheEntryOptions(), TestContext.Current.CancellationToken);
        Assert.NotNull(await cache.GetAsync("key", TestContext.Current.CancellationToken));
        Assert.Null(await cache.GetAsync("other", TestContext.Current.CancellationToken));
        _meter.Collect();

        Assert.Equal(1, _meter.Last("diskcache.requests diskcache.request.result=hit diskcache.tier=disk"));
        Assert.Equal(1, _meter.Last("diskcache.requests diskcache.request.result=miss diskcache.tier=disk"));
        Assert.Equal(0, _meter.Last("diskcache.requests diskcache.request.result=unknown diskcache.tier=disk"));
        Assert.Equal(1, _meter.Last("diskcache.mode diskcache.mode=normal"));
        Assert.Equal(1, _meter.Last("diskcache.disk.entry.count"));
    }
}
