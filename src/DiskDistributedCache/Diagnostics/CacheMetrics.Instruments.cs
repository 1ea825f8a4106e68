using System.Diagnostics.Metrics;

namespace DiskDistributedCache.Diagnostics;

/// <content>
/// The instruments. Names, kinds and units follow the conventions of OpenTelemetry: counters that only grow are plural, the rest ends in
/// <c>count</c>, <c>size</c> or <c>limit</c>, and a state is an up-down counter with a series for each value.
/// </content>
internal sealed partial class CacheMetrics
{
    /// <summary>In the order of <see cref="DiskCacheMode"/>.</summary>
    private static readonly string[] s_modes = ["starting", "normal", "breaker_open", "memory_only", "recovering", "closed"];

    /// <summary>In the order of <see cref="DiskHealthState"/>.</summary>
    private static readonly string[] s_healthStates = ["unknown", "healthy", "degraded", "unhealthy"];

    private static readonly string[] s_breakerStates = ["closed", "open", "half_open"];

    /// <summary>In the order of <see cref="MutationKind"/>.</summary>
    private static readonly string[] s_mutationKinds = ["set", "remove", "evict_tag", "clear"];

    /// <summary>In the order of <see cref="EvictionReason"/>.</summary>
    private static readonly string[] s_evictionReasons = ["capacity", "expired", "tag", "owed"];

    // Fine around what a healthy disk takes and around the default of the I/O timeout.
    private static readonly InstrumentAdvice<double> s_waits = new()
    {
        HistogramBucketBoundaries = [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    };

    // From a read that the operating system answers from memory to an opening that reads every record.
    private static readonly InstrumentAdvice<double> s_operations = new()
    {
        HistogramBucketBoundaries =
            [0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 10],
    };

    private readonly Meter _meter;
    private readonly bool _isOwnMeter;
    private readonly Counter<long> _fallbacks;
    private readonly Histogram<double> _fallbackDuration;
    private readonly Histogram<double> _operationDuration;
    private readonly Counter<long> _transitions;
    private volatile Func<DiskCacheStatus>? _status;
    private volatile Func<TierSizes>? _tiers;
    private volatile Func<int>? _breakerState;
    private volatile Func<long>? _quarantineBytes;
    private volatile string? _savedUnit;

    private void ObserveRequests()
    {
        var memory = Attribute("diskcache.tier", "memory");
        var disk = Attribute("diskcache.tier", "disk");
        Counts(
            "diskcache.requests",
            "{request}",
            "Lookups, by the tier that had the last word and what that was.",
            (Attributes(memory, Attribute("diskcache.request.result", "hit")), () => MemoryHits.Value),
            (Attributes(disk, Attribute("diskcache.request.result", "hit")), () => DiskHits.Value),
            (Attributes(disk, Attribute("diskcache.request.result", "miss")), () => Misses.Value),
            (Attributes(disk, Attribute("diskcache.request.result", "unknown")), () => Unknowns.Value));
        Counts(
            "diskcache.saved.size",
            "By",
            "Bytes of the values that callers got from the cache.",
            (Attributes(memory), () => MemoryHits.OtherValue),
            (Attributes(disk), () => DiskHits.OtherValue));
        _meter.CreateObservableCounter<long>(
            "diskcache.saved.cost",
            () => _status is null || _savedUnit is not { } unit
                ? []
                :
                [
                    new(SavedCost.Value, Attributes(memory, Attribute("diskcache.saved.unit", unit))),
                    new(SavedCost.OtherValue, Attributes(disk, Attribute("diskcache.saved.unit", unit))),
                ],
            "1",
            "What the application has estimated that hits saved, in its own unit.");
    }

    private void ObserveChanges()
    {
        Counts(
            "diskcache.mutations",
            "{mutation}",
            "Changes that callers have made.",
            [.. s_mutationKinds.Select((kind, number) =>
                (Attributes(Attribute("diskcache.mutation.kind", kind)), new Func<long>(() => Volatile.Read(ref _mutations[number]))))]);
        Counts("diskcache.promotions", "{entry}", "Disk hits that were copied to memory.", (Attributes(), () => Volatile.Read(ref _promotions)));
        Counts(
            "diskcache.evictions",
            "{entry}",
            "Entries that left a tier without a caller having asked for it.",
            [.. EvictionsFrom("memory", _memoryEvictions).SkipLast(1), .. EvictionsFrom("disk", _diskEvictions)]);
        Count("diskcache.oversized", "{entry}", "Values that were refused because they are too large.", status => status.OversizedEntries);
    }

    /// <summary>Those that made room are counted where they go.</summary>
    private IEnumerable<(KeyValuePair<string, object?>[], Func<long>)> EvictionsFrom(string tier, long[] counts) =>
        s_evictionReasons.Select((reason, number) => (
            Attributes(Attribute("diskcache.tier", tier), Attribute("diskcache.eviction.reason", reason)),
            new Func<long>(() => number != (int)EvictionReason.Capacity ? Volatile.Read(ref counts[number])
                : counts == _diskEvictions ? Store.ReclaimedEntries
                : _tiers?.Invoke().MemoryEvictions ?? 0)));

    private void ObserveStore()
    {
        Counts(
            "diskcache.disk.io",
            "By",
            "Bytes read from and written to the files of the store.",
            (Attributes(Attribute("disk.io.direction", "read")), () => Store.ReadBytes),
            (Attributes(Attribute("disk.io.direction", "write")), () => Store.WrittenBytes));
        Counts("diskcache.reclaim.segments", "{segment}", "Oldest segments that made room.", (Attributes(), () => Store.ReclaimedSegments));
        Counts("diskcache.reclaim.reinserted", "By", "Bytes of records that were appended again.", (Attributes(), () => Store.ReinsertedBytes));
        Count("diskcache.disk.errors", "{error}", "Disk operations that failed or took too long.", status => status.DiskErrors);
        Count("diskcache.corruption.errors", "{error}", "Records that did not verify.", status => status.CorruptionErrors);
        Count("diskcache.quarantine.errors", "{error}", "What the quarantine could not keep.", status => status.QuarantineErrors);
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
        Size("diskcache.memory.entry.count", "{entry}", "Entries in memory.", () => _tiers?.Invoke().MemoryEntries);
        Size("diskcache.memory.size", "By", "What the memory tier holds.", () => _status?.Invoke().MemoryBytes);
        Size("diskcache.memory.limit", "By", "What the memory tier may hold at present.", () => _tiers?.Invoke().MemoryLimitBytes);
        Size("diskcache.disk.entry.count", "{entry}", "Entries on disk.", () => _status?.Invoke().Entries);
        Size("diskcache.disk.size", "By", "What the segments take.", () => _status?.Invoke().DiskBytes);
        Size("diskcache.disk.limit", "By", "What the segments may take.", () => _tiers?.Invoke().DiskLimitBytes);
        Size("diskcache.owed.count", "{mutation}", "Mutations that are acknowledged and not on disk.", () => _status?.Invoke().OwedWrites);
        Size("diskcache.quarantine.record.count", "{record}", "Records in quarantine.", () => _status?.Invoke().QuarantinedRecords);
        Size("diskcache.quarantine.size", "By", "What the quarantine takes.", () => _quarantineBytes?.Invoke());
    }

    private KeyValuePair<string, object?>[] Attributes(params ReadOnlySpan<KeyValuePair<string, object?>> attributes) => [.. attributes, _name];

    /// <summary>Numbers that are counted here, a series for each; none before there is a cache, and none after it.</summary>
    private void Counts(
        string name, string unit, string description, params (KeyValuePair<string, object?>[] Attributes, Func<long> Value)[] series) =>
        _meter.CreateObservableCounter<long>(
            name,
            () => _status is null ? [] : Array.ConvertAll(series, each => new Measurement<long>(each.Value(), each.Attributes)),
            unit,
            description);

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
        _meter.CreateObservableUpDownCounter<int>(
            name,
            () => state() is { } current
                ? attributes.Select((each, number) => new Measurement<int>(number == current ? 1 : 0, each))
                : [],
            "1",
            description);
    }
}
