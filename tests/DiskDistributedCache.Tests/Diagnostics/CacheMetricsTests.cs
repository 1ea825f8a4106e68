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
        metrics.CountFallback(isWrite: false, TimeSpan.FromMilliseconds(1));
        metrics.CountTransition(DiskCacheMode.Normal, DiskCacheMode.BreakerOpen);
        _meter.Collect();

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
        _meter.Collect();

        Assert.Equal(1, _meter.Last("diskcache.requests diskcache.result=hit diskcache.tier=memory"));
        Assert.Equal(0, _meter.Last("diskcache.requests diskcache.result=hit diskcache.tier=disk"));
        Assert.Equal(1, _meter.Last("diskcache.requests diskcache.result=miss diskcache.tier=disk"));
        Assert.Equal(0, _meter.Last("diskcache.requests diskcache.result=unknown diskcache.tier=disk"));
        Assert.Equal(0.08, _meter.Last("diskcache.fallback.duration diskcache.operation=read"));
        Assert.Equal(1, _meter.Total("diskcache.fallbacks diskcache.operation=read"));
        Assert.Equal(2, _meter.Total("diskcache.fallbacks diskcache.operation=write"));
        Assert.Equal(1, _meter.Total("diskcache.mode.transitions diskcache.mode.from=normal diskcache.mode.to=breaker_open"));
        Assert.Equal(
            [1, 2, 3, 7, 8, 9, 10, 11, 12],
            new[] { "entries", "disk.size", "memory.size", "disk.errors", "corruption.errors", "quarantine.records", "writes.owed", "oversized", "quarantine.size" }
                .Select(name => _meter.Last($"diskcache.{name}")));
    }

    // Planted: the name is on the observed instruments only.
    [Fact]
    public void A_cache_with_a_name_has_it_on_all_that_it_measures()
    {
        using var metrics = Observed("orders");
        metrics.CountFallback(isWrite: true, TimeSpan.Zero);
        metrics.CountTransition(DiskCacheMode.Normal, DiskCacheMode.BreakerOpen);
        _meter.Collect();

        Assert.All(_meter.Instruments, instrument =>
            Assert.Contains("diskcache.name", _meter.AttributesOf(instrument.Name), StringComparison.Ordinal));
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
        var ended = new List<Instrument>();
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

    // Planted: unknown counts as a miss.
    [Fact]
    public async Task A_lookup_that_could_not_ask_the_disk_is_unknown_and_in_the_status_a_miss()
    {
        await using var store = new NormalStore();
        await using var cache = new TieredCache(store.Options, store.FileSystem, store.Time, NullLoggerFactory.Instance, _meter);

        // The store is not open yet.
        Assert.Equal(LookupOutcome.Unknown, (await cache.GetAsync(new CacheKey(KeySpace.Data, "key"))).Outcome);
        _meter.Collect();

        Assert.Equal(1, _meter.Last("diskcache.requests diskcache.result=unknown diskcache.tier=disk"));
        Assert.Equal(0, _meter.Last("diskcache.requests diskcache.result=miss diskcache.tier=disk"));
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

        Assert.Equal(1, _meter.Last("diskcache.requests diskcache.result=hit diskcache.tier=disk"));
        Assert.Equal(1, _meter.Last("diskcache.requests diskcache.result=miss diskcache.tier=disk"));
        Assert.Equal(0, _meter.Last("diskcache.requests diskcache.result=unknown diskcache.tier=disk"));
        Assert.Equal(1, _meter.Last("diskcache.mode diskcache.mode=normal"));
        Assert.Equal(1, _meter.Last("diskcache.entries"));
    }

    private CacheMetrics Observed(string? name = null)
    {
        var metrics = new CacheMetrics(_meter, name);
        metrics.ObserveStatus(() => _status);
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
        QuarantineErrors = 0,
    };

    private static string SnakeCase(Enum value) => UpperCase().Replace(value.ToString(), match => "_" + match.Value).TrimStart('_').ToLowerInvariant();

    private static string KindOf(Instrument instrument) =>
        UpperCase().Replace(instrument.GetType().Name.Split('`')[0], match => " " + match.Value)
            .Trim().ToLowerInvariant().Replace("up down", "up-down", StringComparison.Ordinal);

    /// <summary>The first four columns of the table in the section Metrics.</summary>
    private static IEnumerable<string> RowsOfTheTable()
    {
        string root = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(root, "DiskDistributedCache.sln")))
        {
            root = Path.GetDirectoryName(root) ?? throw new InvalidOperationException("The tests do not run inside the repository.");
        }

        string page = File.ReadAllText(Path.Combine(root, "docs", "operations.md"));
        string section = page[page.IndexOf("\n## Metrics", StringComparison.Ordinal)..].Split("\n## ")[1];
        return section.Split('\n')
            .Where(line => line.StartsWith("| `", StringComparison.Ordinal))
            .Select(line => line.Split('|', StringSplitOptions.TrimEntries)[1..5])
            .Select(cells => $"{cells[0]} | {cells[1]} | {cells[2]} | {string.Join(", ", cells[3].Split(", ").Order(StringComparer.Ordinal))}")
            .Select(row => row.Replace("`", "", StringComparison.Ordinal));
    }

    [GeneratedRegex("[A-Z]")]
    private static partial Regex UpperCase();

    private sealed class FakeCache
    {
        private readonly DiskCacheStatus _status = Status(DiskCacheMode.Normal);

        public DiskCacheStatus GetStatus() => _status;

        public int GetNumber() => (int)_status.Entries;
    }

    /// <summary>A meter factory that listens to its own meters only.</summary>
    private sealed class CollectedMeter : IMeterFactory
    {
        private readonly MeterListener _listener = new();
        private readonly List<Meter> _meters = [];
        private readonly List<(string Instrument, string Series, double Value)> _measurements = [];
        private readonly Dictionary<string, SortedSet<string>> _attributes = [];

        public CollectedMeter()
        {
            _listener.InstrumentPublished = (instrument, self) =>
            {
                if (instrument.Meter.Scope == this)
                {
                    Instruments.Add(instrument);
                    self.EnableMeasurementEvents(instrument);
                }
            };
            _listener.SetMeasurementEventCallback<int>((instrument, value, tags, _) => Add(instrument, value, tags));
            _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Add(instrument, value, tags));
            _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Add(instrument, value, tags));
            _listener.Start();
        }

        public List<Instrument> Instruments { get; } = [];

        public int Count => _measurements.Count;

        public Meter Create(MeterOptions options)
        {
            var meter = new Meter(options.Name, options.Version, options.Tags, scope: this);
            _meters.Add(meter);
            return meter;
        }

        public void Collect()
        {
            _measurements.RemoveAll(measurement => Instruments.Any(instrument => instrument.IsObservable && instrument.Name == measurement.Instrument));
            _listener.RecordObservableInstruments();
        }

        public void Clear() => _measurements.Clear();

        public double Last(string series) => _measurements.Last(measurement => measurement.Series == series).Value;

        public double Total(string series) => _measurements.Where(measurement => measurement.Series == series).Sum(measurement => measurement.Value);

        public double Sum(string instrument) => _measurements.Where(measurement => measurement.Instrument == instrument).Sum(measurement => measurement.Value);

        public int SeriesOf(string instrument) => _measurements.Count(measurement => measurement.Instrument == instrument);

        /// <summary>In alphabetical order.</summary>
        public string AttributesOf(string instrument) =>
            _attributes.GetValueOrDefault(instrument) is { Count: > 0 } names ? string.Join(", ", names) : "-";

        public void Dispose()
        {
            _listener.Dispose();
            _meters.ForEach(meter => meter.Dispose());
        }

        private void Add(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            var sorted = tags.ToArray().OrderBy(tag => tag.Key, StringComparer.Ordinal).ToArray();
            _measurements.Add((instrument.Name, string.Join(' ', [instrument.Name, .. sorted.Select(tag => $"{tag.Key}={tag.Value}")]), value));
            var names = _attributes.TryGetValue(instrument.Name, out var known) ? known : _attributes[instrument.Name] = new(StringComparer.Ordinal);
            names.UnionWith(sorted.Select(tag => tag.Key));
        }
    }
}
