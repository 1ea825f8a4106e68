using System.Diagnostics.Metrics;

namespace DiskDistributedCache.Diagnostics;

/// <summary>
/// What the cache counts, and the instruments that show it. All counts begin at the creation of the cache and only grow.
///
/// Most instruments are observed: they cost nothing until somebody collects, and then they read the counters and the status.
/// No instrument has a key or a tag as an attribute. Several caches of a process have meters of the same name; what they measure is
/// told apart by the attribute <c>diskcache.name</c>, if the cache has a name.
///
/// Lifetime: a meter outlives its cache where it comes from a factory, so the instruments reach the cache through this object only,
/// and after disposal they measure nothing and hold nothing.
/// </summary>
internal sealed class CacheMetrics : IDisposable
{
    public const string MeterName = "DiskDistributedCache";

    private const string NameAttribute = "diskcache.name";

    /// <summary>In the order of <see cref="DiskCacheMode"/>.</summary>
    private static readonly string[] s_modes = ["starting", "normal", "breaker_open", "memory_only", "recovering", "closed"];

    /// <summary>In the order of <see cref="DiskHealthState"/>.</summary>
    private static readonly string[] s_healthStates = ["unknown", "healthy", "degraded", "unhealthy"];

    private static readonly string[] s_breakerStates = ["closed", "open", "half_open"];

    // Fine around what a healthy disk takes and around the default of the I/O timeout.
    private static readonly InstrumentAdvice<double> s_waits = new()
    {
        HistogramBucketBoundaries = [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    };

    private readonly Meter _meter;
    private readonly bool _isOwnMeter;
    private readonly string? _name;
    private readonly Counter<long> _fallbacks;
    private readonly Histogram<double> _fallbackDuration;
    private readonly Counter<long> _transitions;
    private volatile Func<DiskCacheStatus>? _status;
    private volatile Func<int>? _breakerState;
    private volatile Func<long>? _quarantineBytes;
    private long _diskErrors;
    private long _oversizedEntries;

    /// <param name="meterFactory">Where the meter comes from, and to whom it belongs then; without one it is the cache's own.</param>
    /// <param name="name">Tells the caches of a process apart.</param>
    public CacheMetrics(IMeterFactory? meterFactory = null, string? name = null)
    {
        _name = name;
        _isOwnMeter = meterFactory is null;
        _meter = meterFactory?.Create(new MeterOptions(MeterName)) ?? new Meter(MeterName);
        _fallbacks = _meter.CreateCounter<long>(
            "diskcache.fallbacks", "{operation}", "Operations that were answered without the disk because it could not be used.");
        _fallbackDuration = _meter.CreateHistogram(
            "diskcache.fallback.duration", "s", "How long such an operation waited for the disk.", tags: null, s_waits);
        _transitions = _meter.CreateCounter<long>("diskcache.mode.transitions", "{transition}", "Changes of the mode.");
        ObserveCounts();
        ObserveStates();
        ObserveSizes();
    }

    public StripedCounter MemoryHits { get; } = new();

    public StripedCounter DiskHits { get; } = new();

    /// <summary>Lookups that found that there is nothing.</summary>
    public StripedCounter Misses { get; } = new();

    /// <summary>Lookups that found nothing because the disk could not be asked.</summary>
    public StripedCounter Unknowns { get; } = new();

    public long DiskErrors => Volatile.Read(ref _diskErrors);

    public long OversizedEntries => Volatile.Read(ref _oversizedEntries);

    public void CountDiskErrors(int count) => Interlocked.Add(ref _diskErrors, count);

    /// <summary>Returns how many there have been, this one included.</summary>
    public long CountOversizedEntry() => Interlocked.Increment(ref _oversizedEntries);

    /// <summary>An operation was answered without the disk because that could not be used: not in time, or not at all.</summary>
    /// <param name="isWrite">Whether it was a mutation; else a lookup.</param>
    /// <param name="waited">How long its caller waited.</param>
    public void CountFallback(bool isWrite, TimeSpan waited)
    {
        var operation = Attribute("diskcache.operation", isWrite ? "write" : "read");
        if (_name is null)
        {
            _fallbacks.Add(1, operation);
            _fallbackDuration.Record(waited.TotalSeconds, operation);
        }
        else
        {
            _fallbacks.Add(1, operation, Attribute(NameAttribute, _name));
            _fallbackDuration.Record(waited.TotalSeconds, operation, Attribute(NameAttribute, _name));
        }
    }

    public void CountTransition(DiskCacheMode from, DiskCacheMode to) => _transitions.Add(
        1, Attributes(Attribute("diskcache.mode.from", s_modes[(int)from]), Attribute("diskcache.mode.to", s_modes[(int)to])));

    /// <summary>Says where the status comes from. Until then, nothing is measured that is not counted here.</summary>
    public void ObserveStatus(Func<DiskCacheStatus> status) => _status = status;

    /// <summary>Says where the state of the circuit breaker comes from: 0 closed, 1 open, 2 half-open.</summary>
    public void ObserveBreaker(Func<int> state) => _breakerState = state;

    /// <summary>Says where the size of the quarantine comes from.</summary>
    public void ObserveQuarantine(Func<long> bytes) => _quarantineBytes = bytes;

    public void Dispose()
    {
        _status = null;
        _breakerState = null;
        _quarantineBytes = null;
        if (_isOwnMeter)
        {
            _meter.Dispose();
        }
    }

    private static KeyValuePair<string, object?> Attribute(string key, string value) => new(key, value);

    private KeyValuePair<string, object?>[] Attributes(params ReadOnlySpan<KeyValuePair<string, object?>> attributes) =>
        _name is null ? [.. attributes] : [.. attributes, Attribute(NameAttribute, _name)];

    private void ObserveCounts()
    {
        var memoryHit = Attributes(Attribute("diskcache.tier", "memory"), Attribute("diskcache.result", "hit"));
        var diskHit = Attributes(Attribute("diskcache.tier", "disk"), Attribute("diskcache.result", "hit"));
        var miss = Attributes(Attribute("diskcache.tier", "disk"), Attribute("diskcache.result", "miss"));
        var unknown = Attributes(Attribute("diskcache.tier", "disk"), Attribute("diskcache.result", "unknown"));
        _meter.CreateObservableCounter<long>(
            "diskcache.requests",
            () => _status is null
                ? []
                :
                [
                    new(MemoryHits.Value, memoryHit),
                    new(DiskHits.Value, diskHit),
                    new(Misses.Value, miss),
                    new(Unknowns.Value, unknown),
                ],
            "{request}",
            "Lookups, by the tier that had the last word and what that was.");
        Count("diskcache.disk.errors", "{error}", "Disk operations that failed or took too long.", status => status.DiskErrors);
        Count("diskcache.corruption.errors", "{error}", "Records that did not verify.", status => status.CorruptionErrors);
        Count("diskcache.oversized", "{entry}", "Values that were refused because they are too large.", status => status.OversizedEntries);
    }

    private void ObserveStates()
    {
        OneOf("diskcache.mode", "What the cache does with its disk.", s_modes, () => (int?)_status?.Invoke().Mode);
        OneOf(
            "diskcache.disk.health", "What the last probe of the disk found.", s_healthStates, () => (int?)_status?.Invoke().DiskHealth);
        OneOf("diskcache.breaker.state", "What the circuit breaker lets through.", s_breakerStates, () => _breakerState?.Invoke());
    }

    private void ObserveSizes()
    {
        Size("diskcache.entries", "{entry}", "Entries on disk.", () => _status?.Invoke().Entries);
        Size("diskcache.memory.size", "By", "What the memory tier holds.", () => _status?.Invoke().MemoryBytes);
        Size("diskcache.disk.size", "By", "What the segments take.", () => _status?.Invoke().DiskBytes);
        Size("diskcache.writes.owed", "{mutation}", "Mutations that are acknowledged and not on disk.", () => _status?.Invoke().OwedWrites);
        Size("diskcache.quarantine.records", "{record}", "Records in quarantine.", () => _status?.Invoke().QuarantinedRecords);
        Size("diskcache.quarantine.size", "By", "What the quarantine takes.", () => _quarantineBytes?.Invoke());
    }

    private void Count(string name, string unit, string description, Func<DiskCacheStatus, long> count)
    {
        var attributes = Attributes();
        _meter.CreateObservableCounter<long>(
            name, () => _status?.Invoke() is { } status ? [new(count(status), attributes)] : [], unit, description);
    }

    private void Size(string name, string unit, string description, Func<long?> size)
    {
        var attributes = Attributes();
        _meter.CreateObservableUpDownCounter<long>(name, () => size() is { } now ? [new(now, attributes)] : [], unit, description);
    }

    /// <summary>A series for each state, 1 for the present one and 0 for the others, so that none goes stale. The attribute has the instrument's name.</summary>
    private void OneOf(string name, string description, string[] states, Func<int?> state)
    {
        var attributes = Array.ConvertAll(states, each => Attributes(Attribute(name, each)));
        _meter.CreateObservableGauge<int>(
            name,
            () => state() is { } current
                ? attributes.Select((each, number) => new Measurement<int>(number == current ? 1 : 0, each))
                : [],
            "1",
            description);
    }
}
