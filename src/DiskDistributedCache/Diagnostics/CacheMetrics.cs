using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace DiskDistributedCache.Diagnostics;

/// <summary>
/// What the cache counts, and the instruments that show it. All counts begin at the creation of the cache and only grow.
///
/// Most instruments are observed: they cost nothing until somebody collects, and then they read the counters and the status. So a memory
/// hit raises its own cells and knows nothing of listeners. Operations of the disk are timed on the lane that does them, and only while
/// somebody listens.
///
/// No instrument has a key or a tag as an attribute. Several caches of a process have meters of the same name; what they measure is
/// told apart by the attribute <c>diskcache.name</c>.
///
/// Lifetime: a meter outlives its cache where it comes from a factory, so the instruments reach the cache through this object only,
/// and after disposal they measure nothing and hold nothing.
/// </summary>
internal sealed partial class CacheMetrics : IDisposable
{
    public const string MeterName = "DiskDistributedCache";

    /// <summary>The name of a cache to which nobody has given one.</summary>
    public const string DefaultName = "Default";

    public const string NameAttribute = "diskcache.name";

    private const int MaxUntoldWaits = 1000;

    private readonly KeyValuePair<string, object?> _name;
    private readonly long[] _mutations = new long[s_mutationKinds.Length];
    private readonly long[] _memoryEvictions = new long[s_evictionReasons.Length];
    private readonly long[] _diskEvictions = new long[s_evictionReasons.Length];
    private long _diskErrors;
    private long _oversizedEntries;
    private long _promotions;

    // Mutations that were answered without the disk, of which listeners have not been told yet.
    private readonly ConcurrentQueue<TimeSpan> _untoldWaits = new();
    private long _untoldWrites;
    private int _isTelling;

    /// <param name="meterFactory">Where the meter comes from, and to whom it belongs then; without one it is the cache's own.</param>
    /// <param name="name">Tells the caches of a process apart.</param>
    public CacheMetrics(IMeterFactory? meterFactory = null, string name = DefaultName)
    {
        _name = Attribute(NameAttribute, name);
        Activities = new CacheActivities(name);
        _isOwnMeter = meterFactory is null;
        _meter = meterFactory?.Create(new MeterOptions(MeterName)) ?? new Meter(MeterName);
        _fallbacks = _meter.CreateCounter<long>(
            "diskcache.fallbacks", "{operation}", "Operations that were answered without the disk because it could not be used.");
        _fallbackDuration = _meter.CreateHistogram(
            "diskcache.fallback.duration", "s", "How long such an operation waited for the disk.", tags: null, s_waits);
        _operationDuration = _meter.CreateHistogram(
            "diskcache.disk.operation.duration", "s", "How long the disk took for an operation.", tags: null, s_operations);
        _transitions = _meter.CreateCounter<long>("diskcache.mode.transitions", "{transition}", "Changes of the mode.");
        ObserveRequests();
        ObserveChanges();
        ObserveStore();
        ObserveStates();
        ObserveSizes();
    }

    public CacheActivities Activities { get; }

    /// <summary>Hits of the memory tier, and besides the bytes that callers got.</summary>
    public StripedCounter MemoryHits { get; } = new();

    /// <summary>The same of the disk tier.</summary>
    public StripedCounter DiskHits { get; } = new();

    /// <summary>Lookups that found that there is nothing.</summary>
    public StripedCounter Misses { get; } = new();

    /// <summary>Lookups that found nothing because the disk could not be asked.</summary>
    public StripedCounter Unknowns { get; } = new();

    /// <summary>What the application says that hits of the memory tier saved, and besides those of the disk tier.</summary>
    public StripedCounter SavedCost { get; } = new();

    /// <summary>What the store does.</summary>
    public StoreCounts Store { get; } = new();

    public long DiskErrors => Volatile.Read(ref _diskErrors);

    public long OversizedEntries => Volatile.Read(ref _oversizedEntries);

    public void CountDiskErrors(int count) => Interlocked.Add(ref _diskErrors, count);

    /// <summary>Returns how many there have been, this one included.</summary>
    public long CountOversizedEntry() => Interlocked.Increment(ref _oversizedEntries);

    public void CountPromotion() => Interlocked.Increment(ref _promotions);

    public void CountMutation(MutationKind kind) => Interlocked.Increment(ref _mutations[(int)kind]);

    /// <summary>An entry left a tier without its caller having asked for that.</summary>
    public void CountEviction(DiskCacheTier tier, EvictionReason reason) =>
        Interlocked.Increment(ref (tier == DiskCacheTier.Memory ? _memoryEvictions : _diskEvictions)[(int)reason]);

    /// <summary>An operation was answered without the disk because that could not be used: not in time, or not at all.</summary>
    /// <param name="isWrite">Whether it was a mutation; else a lookup.</param>
    /// <param name="waited">How long its caller waited.</param>
    public void CountFallback(bool isWrite, TimeSpan waited)
    {
        var operation = Attribute("diskcache.operation", isWrite ? "write" : "read");
        try
        {
            _fallbacks.Add(1, operation, _name);
            _fallbackDuration.Record(waited.TotalSeconds, operation, _name);
        }
        catch (Exception)
        {
            // A listener's trouble is its own: it runs in this call.
        }
    }

    /// <summary>
    /// The same of a mutation, from a thread or under a lock that must not wait for a listener: they are told elsewhere, by one thread of the pool at a time.
    /// What one that blocks is not told of in time is counted all the same, but not how long it took.
    /// </summary>
    public void CountWriteFallback(TimeSpan waited)
    {
        if (!_fallbacks.Enabled && !_fallbackDuration.Enabled)
        {
            return;
        }

        if (_untoldWaits.Count < MaxUntoldWaits)
        {
            _untoldWaits.Enqueue(waited);
        }

        Interlocked.Increment(ref _untoldWrites);
        if (Interlocked.Exchange(ref _isTelling, 1) == 0)
        {
            ThreadPool.UnsafeQueueUserWorkItem(static metrics => metrics.TellWrites(), this, preferLocal: false);
        }
    }

    public void CountTransition(DiskCacheMode from, DiskCacheMode to)
    {
        try
        {
            _transitions.Add(
                1, Attribute("diskcache.mode.from", s_modes[(int)from]), Attribute("diskcache.mode.to", s_modes[(int)to]), _name);
        }
        catch (Exception)
        {
            // As above.
        }
    }

    /// <summary>Begins to time an operation of the disk, on the thread that does it; null where nobody wants to know.</summary>
    /// <param name="what">The operation, as the log names it.</param>
    public OperationTiming? Time(string what) => _operationDuration.Enabled ? new OperationTiming(this, what) : null;

    /// <summary>Says where the status comes from. Until then, nothing is measured that is not counted here.</summary>
    public void ObserveStatus(Func<DiskCacheStatus> status) => _status = status;

    /// <summary>Says where what the tiers hold, and may hold, comes from.</summary>
    public void ObserveTiers(Func<TierSizes> tiers) => _tiers = tiers;

    /// <summary>Says where the state of the circuit breaker comes from: 0 closed, 1 open, 2 half-open.</summary>
    public void ObserveBreaker(Func<int> state) => _breakerState = state;

    /// <summary>Says where the size of the quarantine comes from.</summary>
    public void ObserveQuarantine(Func<long> bytes) => _quarantineBytes = bytes;

    /// <summary>Says in what the caller measures what a hit saves. Until then, only bytes are shown.</summary>
    public void ObserveSavedCost(string unit) => _savedUnit = unit;

    public void Dispose()
    {
        _status = null;
        _tiers = null;
        _breakerState = null;
        _quarantineBytes = null;
        if (_isOwnMeter)
        {
            _meter.Dispose();
        }
    }

    private void RecordOperation(string what, long began, Exception? failure)
    {
        double seconds = Stopwatch.GetElapsedTime(began).TotalSeconds;
        var operation = Attribute("diskcache.disk.operation", NameOf(what));
        try
        {
            if (failure is null)
            {
                _operationDuration.Record(seconds, operation, _name);
            }
            else
            {
                _operationDuration.Record(seconds, operation, Attribute("error.type", failure.GetType().FullName!), _name);
            }
        }
        catch (Exception)
        {
            // As above.
        }
    }

    private void TellWrites()
    {
        do
        {
            long count = Interlocked.Exchange(ref _untoldWrites, 0);
            for (; count > 0 && _untoldWaits.TryDequeue(out var waited); count--)
            {
                CountFallback(isWrite: true, waited);
            }

            AddWrites(count);
            Volatile.Write(ref _isTelling, 0);
        }
        while (Interlocked.Read(ref _untoldWrites) > 0 && Interlocked.Exchange(ref _isTelling, 1) == 0);
    }

    private void AddWrites(long count)
    {
        if (count == 0)
        {
            return;
        }

        try
        {
            _fallbacks.Add(count, Attribute("diskcache.operation", "write"), _name);
        }
        catch (Exception)
        {
            // As above.
        }
    }

    private static KeyValuePair<string, object?> Attribute(string key, string value) => new(key, value);

    private static string NameOf(string what) => what switch
    {
        "a read" => "read",
        "a write" => "write",
        "a sync" => "sync",
        "a heartbeat" => "heartbeat",
        "a probe" => "probe",
        "writing back" or "writing what is retained" => "write_back",
        "fitting what was recovered" => "fit",
        "retiring a segment" => "retire_segment",
        "erasing an old store" => "erase_store",
        "starting over" => "start_over",
        "an opening" => "open",
        _ => "other",
    };

    /// <summary>An operation of the disk that is timed until this is disposed of.</summary>
    internal sealed class OperationTiming(CacheMetrics metrics, string what) : IDisposable
    {
        private readonly long _began = Stopwatch.GetTimestamp();
        private Exception? _failure;

        public void Failed(Exception exception) => _failure = exception;

        public void Dispose() => metrics.RecordOperation(what, _began, _failure);
    }
}

/// <summary>What the tiers hold, and may hold, at one moment, and how many entries have left memory because of space.</summary>
internal readonly record struct TierSizes(int MemoryEntries, long MemoryLimitBytes, long MemoryEvictions, long DiskLimitBytes);

/// <summary>What a caller may change, in the order of the kinds of records.</summary>
internal enum MutationKind
{
    Set = 0,
    Remove = 1,
    EvictTag = 2,
    Clear = 3,
}

/// <summary>Why an entry leaves a tier without its caller having asked for that.</summary>
internal enum EvictionReason
{
    /// <summary>Its space was needed.</summary>
    Capacity = 0,

    /// <summary>It was met after its deadline.</summary>
    Expired = 1,

    /// <summary>It was met after an eviction of one of its tags, or a clear.</summary>
    Tag = 2,

    /// <summary>More was owed than can be kept.</summary>
    Owed = 3,
}
