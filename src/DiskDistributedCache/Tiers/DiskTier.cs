using System.Diagnostics;
using System.IO.Abstractions;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using DiskDistributedCache.Diagnostics;
using DiskDistributedCache.Entries;
using DiskDistributedCache.Health;
using DiskDistributedCache.Storage;
using Microsoft.Extensions.Logging;

namespace DiskDistributedCache.Tiers;

/// <summary>
/// The fault boundary. Below it, trouble with the disk is an exception; above it there is only hit, miss or unknown, and a
/// mutation that is acknowledged or owed. It owns the lanes on which all disk work runs, and the store once it is open.
///
/// Concurrency: mutations of one key are kept apart by the caller. Until the store is open, mutations are numbered from 1 and
/// wait in the writer's queue; they enter through <see cref="EnterWhileStarting"/>, and publishing the store, under the same
/// lock, gives them their real numbers, in order, above everything that was recovered.
///
/// Order of effects of publishing: what waits is renumbered (barriers first: in between an entry may seem dead, but none that is
/// dead seems alive), applied to the recovered index, and only then the store can be seen.
///
/// Faults: every exception of the store is caught here, of whatever type, and told to the circuit breaker and to
/// <see cref="DiskHealth"/>, which decides what the disk is used for. One operation is one fault, however many callers wait for it.
/// </summary>
internal sealed partial class DiskTier : IDisposable
{
    private readonly StoreSettings _settings;
    private readonly CacheClock _clock;
    private readonly DiskHealth _health;
    private readonly DiskBreaker _breaker;
    private readonly DiskHealthMonitor _monitor = new();
    private readonly CacheMetrics _metrics;
    private readonly ILogger _logger;
    private readonly StoreListener _listener;
    private readonly CacheDirectory _directory;
    private readonly Quarantine _quarantine;
    private readonly TrustMark _trust;
    private readonly WriteLane _writer;
    private readonly ReadLanes _readers;
    private readonly SyncLane _sync;
    private readonly Watchdog _watchdog;
    private readonly TimeProvider _timeProvider;
    private readonly TimeSpan _longestWait;
    private readonly TimeSpan _heartbeatInterval;
    private readonly TimeSpan _healthCheckInterval;
    private readonly TimeSpan _recoveryInterval;
    private readonly Lock _startingLock = new();
    private readonly TaskCompletionSource _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _opening = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile SegmentStore? _store;
    private volatile TagBarriers _barriers = new();
    private int _started;
    private long _renumberedBy;

    // Before the store is open: guarded by _startingLock. Afterwards: changed by interlocked operations.
    private long _sequence;

    public DiskTier(
        DiskDistributedCacheOptions options,
        IFileSystem fileSystem,
        TimeProvider timeProvider,
        CacheClock clock,
        DiskHealth health,
        CacheMetrics metrics,
        ILoggerFactory loggerFactory,
        ILogger logger,
        StoreListener listener,
        long maxOwedBytes)
    {
        (_clock, _health, _metrics, _logger, _listener, _timeProvider) = (clock, health, metrics, logger, listener, timeProvider);
        _settings = StoreSettings.From(options) with { Codec = new ValueCodec(options, clock, logger) };
        _directory = new CacheDirectory(fileSystem, options.Directory!, options.WitnessDirectory) { Counts = metrics.Store };
        _quarantine = new Quarantine(_directory, clock, options.MaxQuarantineBytes)
        {
            Met = record => Log.RecordCorrupt(_logger, record.Reason, record.Segment, record.Offset),
            Failed = () => Elsewhere(() => Log.QuarantineFailed(_logger)),
        };
        _trust = new TrustMark(_directory, new Guid(RandomNumberGenerator.GetBytes(16)));
        _trust.Failed += exception => Elsewhere(() => Log.WitnessFailed(_logger, exception));
        IoTimeout = options.IoTimeout;
        var times = new LaneTimes(IoTimeout, options.BreakDuration / 2);
        _longestWait = IoTimeout + (2 * times.TrustGrace);
        _writer = new WriteLane(TryAppend, CloseStore, _trust, times, MemoryTier.WeightOf, maxOwedBytes);
        _readers = new ReadLanes(Read, entry => ReadLate?.Invoke(entry), LaneEnded, times);
        _sync = new SyncLane(LaneEnded);
        _watchdog = new Watchdog(LookAfter, IoTimeout);
        _writer.ValueDropped += OnDropped;
        _writer.WaitedInVain += _metrics.CountWriteFallback;

        // After the lane, which lets callers go; and elsewhere, because a logger may be slow.
        _trust.Withdrawn += () => Elsewhere(NoteSuspect);
        _breaker = new DiskBreaker(options.FailureThreshold, options.BreakDuration, timeProvider, loggerFactory, OnBreakerChanged, options.Name);
        _metrics.ObserveBreaker(() => (int)_breaker.State);
        _metrics.ObserveQuarantine(() => _quarantine.Bytes);
        _health.Changed += OnModeChanged;
        (_heartbeatInterval, _healthCheckInterval, _recoveryInterval) =
            (options.HeartbeatInterval, options.HealthCheckInterval, options.RecoveryInterval);
    }

    /// <summary>Called with owed values that are given up because too much is owed.</summary>
    public event Action<CacheEntry>? OwedDropped;

    /// <summary>Called on a read lane with an entry whose callers did not wait for it.</summary>
    public event Action<CacheEntry>? ReadLate;

    /// <summary>Called on the writer lane with each value that the log has now.</summary>
    public event Action<CacheEntry>? Written;

    /// <summary>Called on the writer lane when entries that are in memory only should be written, or only those
    /// that are retained: see <see cref="WriteBack"/>.</summary>
    public event Action<bool>? MemoryWanted;

    /// <summary>Called when the store is about to be seen, with what gives an entry of memory its number of this session, once.</summary>
    public event Action<Action<CacheEntry>>? Renumbering;

    public TimeSpan IoTimeout { get; }

    /// <summary>Mutations that may be owed. Each is an object of some 200 bytes, values aside.</summary>
    public int MaxOwedCount { get; set; } = 1 << 18;

    /// <summary>The evictions and clears that an entry has to be judged by.</summary>
    public TagBarriers Barriers => _barriers;

    public bool IsOpen => _store is not null;

    /// <summary>Completes when the store is open, which may be never.</summary>
    public Task Opened => _opened.Task;

    public int OwedCount => _writer.OwedCount;

    public long EntryCount => _store?.Index.Count ?? 0;

    public long DiskBytes => _store?.DiskBytes ?? 0;

    public long CorruptCount => _quarantine.CorruptCount;

    public long QuarantinedCount => _quarantine.KeptCount;

    public BreakerState BreakerState => _breaker.State;

    public long QuarantineErrors => _quarantine.FailedCount;

    public IReadOnlyList<QuarantinedRecord> Quarantined => _quarantine.Records;

    /// <summary>The longest that draining and closing wait for a disk that does not answer.</summary>
    public TimeSpan CloseGrace { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>Whether the disk may be asked on behalf of a caller.</summary>
    private bool MayAsk => _health.Mode == DiskCacheMode.Normal || (_health.Mode == DiskCacheMode.BreakerOpen && _breaker.LetsThrough);

    /// <summary>Starts the lanes and begins to open the store. The task completes when that has succeeded or failed for the first time.</summary>
    public Task StartAsync()
    {
        if (Interlocked.Exchange(ref _started, 1) == 0)
        {
            try
            {
                // The writer last: it opens the store, which needs the others.
                _watchdog.Start();
                _readers.Start();
                _sync.Start();
                _writer.Post(OpenStore, JobTime.Endless);
                _writer.Start();
                StartMonitor();
            }
            catch (Exception exception)
            {
                // No threads to be had: the cache works from memory until it is disposed of.
                string id = NextFaultId();
                _health.Unavailable(Describe(id, exception));
                Log.StoreUnavailable(_logger, exception, _directory.Path, id);
                _opening.TrySetResult();
            }
        }

        return _opening.Task;
    }

    /// <summary>Takes the lock under which mutations enter while the store is not open; false when it is open and no lock is needed.</summary>
    public bool EnterWhileStarting()
    {
        if (_store is not null)
        {
            return false;
        }

        _startingLock.Enter();
        if (_store is null)
        {
            return true;
        }

        _startingLock.Exit();
        return false;
    }

    public void LeaveWhileStarting() => _startingLock.Exit();

    /// <summary>
    /// Encodes a value on its caller's thread. Not while it would be owed: what waits for long is kept as the value only, and the lane
    /// encodes it.
    /// </summary>
    public void Encode(Mutation value)
    {
        if (_health.Mode == DiskCacheMode.Normal)
        {
            _settings.Codec.Encode(value);
        }
    }

    /// <summary>
    /// The place in the order at which something begins: an eviction that is accepted afterwards is newer. None that was acknowledged
    /// before is.
    /// </summary>
    public Ticket TakeTicket()
    {
        bool isStarting = EnterWhileStarting();
        try
        {
            return Ticket.At(Interlocked.Read(ref _sequence), isStarting);
        }
        finally
        {
            if (isStarting)
            {
                LeaveWhileStarting();
            }
        }
    }

    /// <summary>
    /// Gives a mutation its place in the order and makes the index or the barriers follow it. False for a value that is dead on
    /// arrival, which has no place: an eviction has come since its ticket was taken, or may have and is forgotten.
    /// </summary>
    public bool TryNumber(Mutation mutation)
    {
        long sequence = Interlocked.Increment(ref _sequence);
        if (mutation.Entry is { } entry)
        {
            long ticket = mutation.Ticket.IsTaken ? NumberOf(mutation.Ticket) : sequence;
            if (mutation.Ticket.IsTaken
                && (_barriers.Covers(entry.Tags, ticket) || (entry.Tags.Length > 0 && ticket < _barriers.Floor)))
            {
                return false;
            }

            entry.Number(sequence, ticket);
        }

        mutation.Sequence = sequence;
        Follow(mutation);
        return true;
    }

    private long NumberOf(Ticket ticket) => ticket.WasStarting && _store is not null ? ticket.Number + _renumberedBy : ticket.Number;

    private void Follow(Mutation mutation)
    {
        if (_store is { } store)
        {
            Apply(mutation, store);
        }
        else if (mutation.Kind == RecordKind.TagEviction)
        {
            _barriers.Evict(mutation.Tag!, mutation.Sequence);
        }
        else if (mutation.Kind == RecordKind.Clear)
        {
            _barriers.Clear(mutation.Sequence);
        }
    }

    /// <summary>Sends a numbered mutation to the log.</summary>
    /// <exception cref="ObjectDisposedException">The store was closed meanwhile.</exception>
    public Acknowledgement Enqueue(Mutation mutation)
    {
        if (_writer.OwedQueuedCount > MaxOwedCount)
        {
            GiveUpOwed();
        }

        var waiting = _writer.TryEnqueue(mutation);
        ObjectDisposedException.ThrowIf(waiting is null, this);
        if (waiting.IsAcknowledged)
        {
            return Acknowledgement.Done;
        }

        _watchdog.Arm();
        return new Acknowledgement(waiting, _longestWait, _metrics.Activities);
    }

    /// <summary>Gives up the oldest owed values until this much weight is gone, or none is left.</summary>
    public void DropOwed(long weight) => _writer.DropOwed(weight);

    /// <summary>
    /// Where there are too many barriers, puts one clear in the place of the older half, and logs it. Returns whether there were.
    /// </summary>
    public bool MergeWhenTooMany()
    {
        bool isStarting = EnterWhileStarting();
        try
        {
            long merged = _barriers.MergeWhenTooMany();
            if (merged > 0)
            {
                EnqueueOwn(new Mutation(RecordKind.Clear) { IsMerged = true, Sequence = merged });
            }

            return merged > 0;
        }
        finally
        {
            if (isStarting)
            {
                LeaveWhileStarting();
            }
        }
    }

    /// <summary>What the index knows of a key. Unknown while the store is not open.</summary>
    public LookupOutcome Locate(in CacheKey key, out IndexedEntry where)
    {
        where = default;
        if (_store is not { } store)
        {
            return LookupOutcome.Unknown;
        }

        if (!store.Index.TryGet(store.HashOf(key), out where))
        {
            return LookupOutcome.Miss;
        }

        long now = _clock.NowTicks;
        if (where.Deadline > now)
        {
            return LookupOutcome.Hit;
        }

        long deadline = ForgetExpired(store, where.KeyHash, where.Sequence, now);
        where = where with { Deadline = deadline };
        return deadline > now ? LookupOutcome.Hit : LookupOutcome.Miss;
    }

    /// <summary>Reads a version that needs no waiting: the operating system has it in memory.</summary>
    public CacheEntry? TryReadCached(in CacheKey key, in IndexedEntry where) =>
        _health.Mode == DiskCacheMode.Normal && _store is { } store && store.TryReadCached(key, where, out var entry) ? entry : null;

    /// <summary>The same without making an entry of it: the record stays in a borrowed buffer until it is disposed of.</summary>
    public bool TryBorrow(in CacheKey key, in IndexedEntry where, out BorrowedRecord record)
    {
        record = default;
        return _health.Mode == DiskCacheMode.Normal && _store is { } store && store.TryBorrow(key, where, out record);
    }

    /// <summary>Begins to read a version, or joins whoever reads it. Null when the disk does not answer at present.</summary>
    public PendingRead? BeginRead(in CacheKey? key, in IndexedEntry where)
    {
        var read = MayAsk ? _readers.TryEnqueue(key, where) : null;
        if (read is not null)
        {
            _watchdog.Arm();
        }

        return read;
    }

    /// <summary>
    /// Reads, without their values, the entries on disk that are not among those that the caller knows already. Entries that the disk does
    /// not give at present are left out.
    /// </summary>
    public async IAsyncEnumerable<EntryHead> ReadHeadsAsync(HashSet<long> known, [EnumeratorCancellation] CancellationToken token)
    {
        if (_store is not { } store)
        {
            yield break;
        }

        foreach (var where in store.Index.Where(where => !where.IsPending && !known.Contains(where.Sequence)))
        {
            token.ThrowIfCancellationRequested();
            if (where.Deadline > _clock.NowTicks && BeginRead(null, where) is { } read)
            {
                var result = await read.Task.ConfigureAwait(false);
                if (result is { Head: { Key.Space: not KeySpace.Probe } head }
                    && !_barriers.Covers(head.Tags, head.Ticket)
                    && IsCurrent(head.Key, head.Sequence))
                {
                    yield return head;
                }
            }
        }
    }

    /// <summary>Whether a version is still the one that the index names.</summary>
    public bool IsCurrent(in CacheKey key, long sequence) =>
        _store is { } store && store.Index.TryGet(store.HashOf(key), out var where) && where.Sequence == sequence;

    /// <summary>Drops a version from the index: it was found dead, or is given up.</summary>
    public void Forget(CacheEntry entry, EvictionReason reason)
    {
        if (_store is { } store)
        {
            Forget(store, store.HashOf(entry.Key), entry.Sequence, reason);
        }
    }

    /// <summary>
    /// The same for one whose deadline has passed by what the caller knows. Returns the later one that the index knows, because another use has
    /// extended it; 0 where it is dead.
    /// </summary>
    public long ForgetExpired(CacheEntry entry, long nowTicks) =>
        _store is { } store ? ForgetExpired(store, store.HashOf(entry.Key), entry.Sequence, nowTicks) : 0;

    /// <summary>Whether a version is still the one that the index names; if so, it has been used.</summary>
    public bool TryUse(in IndexedEntry where) => _store is { } store && store.Index.TryMarkRead(where.KeyHash, where.Sequence);

    public void MarkUsed(CacheEntry entry)
    {
        if (_store is { } store)
        {
            store.Index.TryMarkRead(store.HashOf(entry.Key), entry.Sequence);
        }
    }

    /// <summary>
    /// Moves the deadline of a sliding entry in the index, and in the log when it has moved by a good part of its window since it was
    /// last written there. While the disk is away it is not: the log gets it later, or when the store is closed.
    /// </summary>
    public void Touch(CacheEntry entry, long deadline)
    {
        if (_store is not { } store)
        {
            return;
        }

        ulong keyHash = store.HashOf(entry.Key);
        long step = Math.Max(1, entry.Expiry.SlidingTicks / 4);
        if (store.Index.Touch(keyHash, entry.Sequence, deadline) is { } before
            && before / step != deadline / step
            && _health.Mode == DiskCacheMode.Normal)
        {
            var touch = new Mutation(RecordKind.Touch)
            {
                KeyHash = keyHash,
                Extended = entry.Sequence,
                Deadline = deadline,
                Sequence = Interlocked.Increment(ref _sequence),
            };
            EnqueueOwn(touch);
        }
    }

    /// <summary>Waits until what is queued is written and durable, at most for the grace time of a close.</summary>
    public async Task DrainAsync()
    {
        if (_store is not { } store || _health.Mode != DiskCacheMode.Normal)
        {
            return;
        }

        var drained = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        if (_writer.TryEnqueue(new Mutation(RecordKind.Touch)) is not { } last)
        {
            return;
        }

        _watchdog.Arm();
        await last.Task.ConfigureAwait(false);
        PostOnLane(() => SyncOnLane(store, all: true, drained.SetResult));
        await drained.Task.WaitAsync(CloseGrace).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <summary>Writes what is waiting and closes the store, on the lane; waits for that for a grace time.</summary>
    public void Dispose()
    {
        long began = Stopwatch.GetTimestamp();
        _monitor.Dispose();
        _isDisposing = true;
        if (Interlocked.Exchange(ref _started, 1) == 1)
        {
            _sync.Stop(GraceSince(began));
            _readers.Stop(GraceSince(began));
            if (!_writer.Stop(GraceSince(began), mayWrite: _store is not null))
            {
                Log.ClosedWithoutDisk(_logger);
            }
        }

        _opening.TrySetResult();
        _watchdog.Dispose();
        _trust.Dispose();
        _health.Closed();
    }

    private TimeSpan GraceSince(long began)
    {
        var left = CloseGrace - Stopwatch.GetElapsedTime(began);
        return left > TimeSpan.Zero ? left : TimeSpan.Zero;
    }

    /// <summary>A mutation of the cache's own, for which nobody waits and which changes nothing that was promised.</summary>
    private void EnqueueOwn(Mutation mutation)
    {
        mutation.TrySetResult();
        _writer.TryEnqueue(mutation);
    }

    private static void Apply(Mutation mutation, SegmentStore store)
    {
        switch (mutation.Kind)
        {
            case RecordKind.Value:
                mutation.KeyHash = store.HashOf(mutation.Key);
                store.Index.SetPending(mutation.KeyHash, mutation.Sequence, mutation.Entry!.Deadline, mutation.Entry.IsRetained);
                break;
            case RecordKind.Removal:
                mutation.KeyHash = store.HashOf(mutation.Key);
                store.Index.Remove(mutation.KeyHash, mutation.Sequence);
                break;
            case RecordKind.TagEviction:
                store.Barriers.Evict(mutation.Tag!, mutation.Sequence);
                break;
            case RecordKind.Clear:
                store.Barriers.Clear(mutation.Sequence);
                store.Index.Clear(mutation.Sequence);
                break;
        }
    }

    private void Forget(SegmentStore store, ulong keyHash, long sequence, EvictionReason reason)
    {
        if (store.Index.RemoveIfSame(keyHash, sequence))
        {
            _metrics.CountEviction(DiskCacheTier.Disk, reason);
        }
    }

    private long ForgetExpired(SegmentStore store, ulong keyHash, long sequence, long nowTicks)
    {
        if (store.Index.RemoveIfExpired(keyHash, sequence, nowTicks, out long deadline))
        {
            _metrics.CountEviction(DiskCacheTier.Disk, EvictionReason.Expired);
        }

        return deadline;
    }

    private void OnDropped(CacheEntry entry)
    {
        Forget(entry, EvictionReason.Owed);
        _owesWriteBack = true;
        OwedDropped?.Invoke(entry);
    }
}
