using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using DiskDistributedCache.Diagnostics;
using DiskDistributedCache.Entries;
using DiskDistributedCache.Tests.Infrastructure;
using DiskDistributedCache.Tiers;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace DiskDistributedCache.Tests.Diagnostics;

/// <summary>The instruments: that they are those of the docs, measure what they say, and end with their cache.</summary>
public sealed partial class CacheMetricsTests : IDisposable
{
    private readonly CollectedMeter _meter = new();
    private DiskCacheStatus _status = Status(DiskCacheMode.Normal);

    public void Dispose() => _meter.Dispose();

    // Planted: an instrument left out of the table, another unit, another attribute.
    [Fact]
    public void The_instruments_are_those_of_the_table_in_the_docs()
    {
        using var metrics = Observed();
        MeasureEverything(metrics);

        var published = _meter.Instruments.Select(instrument =>
            $"{instrument.Name} | {KindOf(instrument)} | {instrument.Unit} | {_meter.AttributesOf(instrument.Name)}");

        Assert.Equal(RowsOfTheTable().Order(StringComparer.Ordinal), published.Order(StringComparer.Ordinal));
        Assert.All(_meter.Instruments, instrument => Assert.False(string.IsNullOrEmpty(instrument.Description)));
    }

    // Planted: one state's name left out.
    [Fact]
    public void Every_state_has_a_series_and_the_present_one_is_1()
    {
        using var metrics = Observed();
        foreach (var mode in Enum.GetValues<DiskCacheMode>())
        {
            foreach (var probe in Enum.GetValues<DiskHealthState>())
            {
                _status = Status(mode) with { DiskHealth = probe };
                _meter.Collect();

                Assert.Equal(1, _meter.Last($"diskcache.mode diskcache.mode={SnakeCase(mode)}"));
                Assert.Equal(1, _meter.Last($"diskcache.disk.health diskcache.disk.health={SnakeCase(probe)}"));
                Assert.Equal(1, _meter.Sum("diskcache.mode"));
                Assert.Equal(1, _meter.Sum("diskcache.disk.health"));
            }
        }

        Assert.Equal(Enum.GetValues<DiskCacheMode>().Length, _meter.SeriesOf("diskcache.mode"));
        Assert.Equal(Enum.GetValues<DiskHealthState>().Length, _meter.SeriesOf("diskcache.disk.health"));
        Assert.Equal(1, _meter.Last("diskcache.breaker.state diskcache.breaker.state=half_open"));
        Assert.Equal(3, _meter.SeriesOf("diskcache.breaker.state"));
    }

    // Planted: two of them swapped.
    [Fact]
    public void Each_instrument_measures_its_own_number()
    {
        using var metrics = Observed();
        metrics.MemoryHits.Increment();
        metrics.Misses.Increment();
        metrics.CountFallback(isWrite: false, TimeSpan.FromMilliseconds(80));
        metrics.CountFallback(isWrite: true, TimeSpan.Zero);
        metrics.CountFallback(isWrite: true, TimeSpan.Zero);
        metrics.CountTransition(DiskCacheMode.Normal, DiskCacheMode.BreakerOpen);
        CountChanges(metrics);
        _meter.Collect();

        AssertChanges();
        Assert.Equal(1, _meter.Last("diskcache.requests diskcache.request.result=hit diskcache.tier=memory"));
        Assert.Equal(0, _meter.Last("diskcache.requests diskcache.request.result=hit diskcache.tier=disk"));
        Assert.Equal(1, _meter.Last("diskcache.requests diskcache.request.result=miss diskcache.tier=disk"));
        Assert.Equal(0, _meter.Last("diskcache.requests diskcache.request.result=unknown diskcache.tier=disk"));
        Assert.Equal(0.08, _meter.Last("diskcache.fallback.duration diskcache.operation=read"));
        Assert.Equal(1, _meter.Total("diskcache.fallbacks diskcache.operation=read"));
        Assert.Equal(2, _meter.Total("diskcache.fallbacks diskcache.operation=write"));
        Assert.Equal(1, _meter.Total("diskcache.mode.transitions diskcache.mode.from=normal diskcache.mode.to=breaker_open"));
        Assert.Equal(
            [1, 2, 3, 7, 8, 9, 10, 11, 12, 13, 14, 15, 17],
            new[]
            {
                "disk.entry.count", "disk.size", "memory.size", "disk.errors", "corruption.errors", "quarantine.record.count", "owed.count",
                "oversized", "quarantine.size", "quarantine.errors", "memory.entry.count", "memory.limit", "disk.limit",
            }.Select(name => _meter.Last($"diskcache.{name}")));
    }

    // Planted: the failure is not told.
    [Fact]
    public void An_operation_of_the_disk_is_timed_while_somebody_listens_and_says_what_it_failed_of()
    {
        using var metrics = Observed();
        using (metrics.Time("a write"))
        {
            // It takes no time.
        }

        using (var failed = metrics.Time("retiring a segment"))
        {
            failed!.Failed(new FileNotFoundException());
        }

        Assert.Equal(1, _meter.CountOf("diskcache.disk.operation.duration diskcache.disk.operation=write"));
        Assert.Equal(1, _meter.CountOf(
            "diskcache.disk.operation.duration diskcache.disk.operation=retire_segment error.type=System.IO.FileNotFoundException"));

        _meter.Dispose();
        Assert.Null(metrics.Time("a write"));
    }

    // Planted: no boundaries.
    [Fact]
    public void Durations_are_in_seconds_and_have_boundaries_for_a_disk_and_not_those_for_milliseconds()
    {
        using var metrics = Observed();

        var durations = _meter.Instruments.OfType<Histogram<double>>().ToArray();

        Assert.Equal(["diskcache.disk.operation.duration", "diskcache.fallback.duration"], durations.Select(each => each.Name).Order());
        Assert.All(durations, each =>
        {
            var boundaries = each.Advice?.HistogramBucketBoundaries;
            Assert.NotNull(boundaries);
            Assert.Equal(boundaries.Order(), boundaries);
            Assert.InRange(boundaries[0], 0.000_001, 0.000_1);
            Assert.Equal(10, boundaries[^1]);
        });
    }

    // Planted: the name is on the observed instruments only.
    [Fact]
    public void A_cache_with_a_name_has_it_on_all_that_it_measures()
    {
        using var metrics = Observed("orders");
        MeasureEverything(metrics);

        Assert.All(_meter.Instruments, instrument =>
            Assert.Contains("diskcache.name", _meter.AttributesOf(instrument.Name), StringComparison.Ordinal));
        Assert.Equal(0, _meter.Last("diskcache.requests diskcache.name=orders diskcache.request.result=hit diskcache.tier=memory"));
    }

    // Planted: disposal leaves the sources where they are; a status that nobody has said is asked for all the same.
    [Fact]
    public void After_disposal_nothing_is_measured_and_nothing_is_held_though_the_meter_lives_on()
    {
        var cache = MeasuredAndDisposed();

        _meter.Clear();
        _meter.Collect();
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();

        Assert.Equal(0, _meter.Count);
        Assert.False(cache.TryGetTarget(out _));
    }

    // Planted: the meter is not disposed of.
    [Fact]
    public void A_meter_of_its_own_ends_with_the_cache()
    {
        // Caches of other tests may end at the same time.
        var ended = new ConcurrentBag<Instrument>();
        using var listener = new MeterListener();
        var metrics = new CacheMetrics(meterFactory: null, "ends");
        listener.InstrumentPublished = (instrument, self) =>
        {
            if (instrument.Meter.Name == CacheMetrics.MeterName)
            {
                self.EnableMeasurementEvents(instrument, metrics);
            }
        };
        listener.MeasurementsCompleted = (instrument, _) => ended.Add(instrument);
        listener.Start();

        metrics.Dispose();

        Assert.Contains(ended, instrument => instrument.Name == "diskcache.requests");
    }

    private void MeasureEverything(CacheMetrics metrics)
    {
        metrics.CountFallback(isWrite: false, TimeSpan.FromMilliseconds(1));
        metrics.CountTransition(DiskCacheMode.Normal, DiskCacheMode.BreakerOpen);
        using (var timing = metrics.Time("a read"))
        {
            timing!.Failed(new IOException());
        }

        _meter.Collect();
    }

    /// <summary>A different number of each.</summary>
    private static void CountChanges(CacheMetrics metrics)
    {
        metrics.MemoryHits.Add(0, 100);
        metrics.DiskHits.Add(0, 200);
        metrics.SavedCost.Add(21, 22);
        metrics.CountPromotion();
        metrics.CountMutation(MutationKind.Remove);
        metrics.CountMutation(MutationKind.Clear);
        metrics.CountMutation(MutationKind.Clear);
        metrics.CountEviction(DiskCacheTier.Memory, EvictionReason.Tag);
        metrics.CountEviction(DiskCacheTier.Disk, EvictionReason.Expired);
        metrics.CountEviction(DiskCacheTier.Disk, EvictionReason.Owed);
        metrics.Store.Read(30);
        metrics.Store.Wrote(40);
        metrics.Store.Reclaimed(5);
        metrics.Store.Reinserted(60);
    }

    private void AssertChanges() => Assert.Equal(
        [100, 200, 21, 22, 1, 0, 1, 0, 2, 16, 0, 1, 5, 1, 0, 1, 30, 40, 1, 60],
        new[]
        {
            "saved.size diskcache.tier=memory", "saved.size diskcache.tier=disk",
            "saved.cost diskcache.saved.unit=token diskcache.tier=memory", "saved.cost diskcache.saved.unit=token diskcache.tier=disk",
            "promotions",
            "mutations diskcache.mutation.kind=set", "mutations diskcache.mutation.kind=remove",
            "mutations diskcache.mutation.kind=evict_tag", "mutations diskcache.mutation.kind=clear",
            "evictions diskcache.eviction.reason=capacity diskcache.tier=memory", "evictions diskcache.eviction.reason=expired diskcache.tier=memory",
            "evictions diskcache.eviction.reason=tag diskcache.tier=memory",
            "evictions diskcache.eviction.reason=capacity diskcache.tier=disk", "evictions diskcache.eviction.reason=expired diskcache.tier=disk",
            "evictions diskcache.eviction.reason=tag diskcache.tier=disk", "evictions diskcache.eviction.reason=owed diskcache.tier=disk",
            "disk.io disk.io.direction=read", "disk.io disk.io.direction=write",
            "reclaim.segments", "reclaim.reinserted",
        }.Select(name => _meter.Last($"diskcache.{name}")));

    private CacheMetrics Observed(string name = CacheMetrics.DefaultName)
    {
        var metrics = new CacheMetrics(_meter, name);
        metrics.ObserveStatus(() => _status);
        metrics.ObserveTiers(() => new TierSizes(MemoryEntries: 14, MemoryLimitBytes: 15, MemoryEvictions: 16, DiskLimitBytes: 17));
        metrics.ObserveSavedCost("token");
        metrics.ObserveBreaker(() => 2);
        metrics.ObserveQuarantine(() => 12);
        return metrics;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private WeakReference<object> MeasuredAndDisposed()
    {
        var cache = new FakeCache();
        var metrics = new CacheMetrics(_meter);
        metrics.ObserveStatus(cache.GetStatus);
        metrics.ObserveBreaker(cache.GetNumber);
        metrics.ObserveQuarantine(() => cache.GetNumber());
        _meter.Collect();
        Assert.NotEqual(0, _meter.Count);
        metrics.Dispose();
        return new WeakReference<object>(cache);
    }

    private static DiskCacheStatus Status(DiskCacheMode mode) => new()
    {
        Mode = mode,
        Since = default,
        Reason = null,
        DiskHealth = DiskHealthState.Healthy,
        LastFault = null,
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
        QuarantineErrors = 13,
    };

    private static string SnakeCase(Enum value) => UpperCase().Replace(value.ToString(), match => "_" + match.Value).TrimStart('_').ToLowerInvariant();

    private static IEnumerable<string> RowsOfTheTable() => OperationsPage.Rows("Metrics", columnCount: 4)
        .Select(cells => $"{cells[0]} | {cells[1]} | {cells[2]} | {string.Join(", ", cells[3].Split(", ").Order(StringComparer.Ordinal))}");

    private static string KindOf(Instrument instrument) =>
        UpperCase().Replace(instrument.GetType().Name.Split('`')[0], match => " " + match.Value)
            .Trim().ToLowerInvariant().Replace("up down", "up-down", StringComparison.Ordinal);

    [GeneratedRegex("[A-Z]")]
    private static partial Regex UpperCase();

    private sealed class FakeCache
    {
        private readonly DiskCacheStatus _status = Status(DiskCacheMode.Normal);

        public DiskCacheStatus GetStatus() => _status;

        public int GetNumber() => (int)_status.Entries;
    }
}
