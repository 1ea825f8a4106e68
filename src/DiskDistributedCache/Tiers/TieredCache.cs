using System.Diagnostics;
using System.IO.Abstractions;
using System.Runtime.CompilerServices;
using DiskDistributedCache.Diagnostics;
using DiskDistributedCache.Entries;
using DiskDistributedCache.Health;
using DiskDistributedCache.Storage;
using Microsoft.Extensions.Logging;

namespace DiskDistributedCache.Tiers;

/// <summary>
/// The order of the tiers: memory, then disk, and promotion from disk to memory.
///
/// Concurrency: a memory hit takes no lock. Mutations and promotions of one key exclude each other by a lock that the key shares
/// with a few others and that is never held over I/O. Whoever waited for the disk checks at the end, for itself, that no barrier
/// and no deadline has reached what it got, and promotes it only if it is still the current version.
///
/// Order of effects of a mutation: its number, index or barriers, memory, the queue of the log. From the number on no reader that
/// starts anew can get what was there before.
/// </summary>
internal sealed partial class TieredCache : StoreListener, IDisposable, IAsyncDisposable
{
    private const int LockCount = 256;
    private const int MaxAttempts = 4;

    /// <summary>Far below what an array can hold, so that the length of a record and of a batch is always an int.</summary>
    private const long MaxRecordBytes = 1L << 30;

    /// <summary>Owed values are kept in at most half of the memory budget, or in this much where there is none.</summary>
    private const long MinPinnedBytes = 8 << 20;

    /// <summary>Values that are retained take at most a quarter of the memory budget, or this much, and an eighth of the disk's.</summary>
    private const long MinRetainedBytes = 2 << 20;

    private readonly Lock[] _keyLocks = new Lock[LockCount];
    private readonly long _maxRecordBytes;
    private readonly long _maxMemoryBytes;
    private readonly long _memoryOnlyMaxBytes;
    private readonly MemoryTier _memory;
    private readonly DiskTier _disk;
    private readonly DiskHealth _health;
    private readonly CacheMetrics _metrics;
    private readonly ILogger _logger;
    private readonly KeyRetention _retention;
    private readonly long _maxRetainedBytes;

    public TieredCache(
        DiskDistributedCacheOptions options,
        IFileSystem fileSystem,
        TimeProvider timeProvider,
        ILoggerFactory loggerFactory,
        CacheMetrics? metrics = null)
    {
        for (int i = 0; i < LockCount; i++)
        {
            _keyLocks[i] = new Lock();
        }

        MaxEntryBytes = options.MaxEntryBytes;
        _maxRecordBytes = Math.Min(options.MaxDiskBytes / 2, MaxRecordBytes);
        _maxMemoryBytes = options.MaxMemoryBytes;
        _memoryOnlyMaxBytes = options.MemoryOnlyMaxMemoryBytes ?? Math.Max(options.MaxMemoryBytes, unchecked(2 * options.MaxMemoryBytes));
        _retention = new KeyRetention(options.RetainKey, options.InstanceName);
        _maxRetainedBytes = Math.Min(Math.Max(options.MaxMemoryBytes / 4, MinRetainedBytes), options.MaxDiskBytes / 8);
        _logger = new SafeLogger(loggerFactory.CreateLogger(Log.CategoryOf(options.Name)));
        _metrics = metrics ?? new CacheMetrics();
        Clock = new CacheClock(timeProvider);
        _health = new DiskHealth(timeProvider, options.MemoryOnlyThreshold, _logger);
        _memory = new MemoryTier(options.MaxMemoryBytes, OnEvicted);

        // Before the disk tier is told, which lets callers go: their next value has to find the room.
        _health.Changed += (_, mode) => _memory.BudgetBytes = mode == DiskCacheMode.MemoryOnly ? _memoryOnlyMaxBytes
            : mode == DiskCacheMode.Normal ? _maxMemoryBytes
            : _memory.BudgetBytes;
        _disk = new DiskTier(
            options, fileSystem, timeProvider, Clock, _health, _metrics, loggerFactory, _logger, this, PinLimitOf(_memoryOnlyMaxBytes));
        _health.Changed += (from, to) => DiskTier.Elsewhere(() => _metrics.CountTransition(from, to));
        _disk.OwedDropped += _memory.Unpin;
        _disk.MemoryWanted += WriteBack;
        _disk.Written += _memory.Unpin;
        _disk.Renumbering += renumber =>
        {
            foreach (var entry in _memory.Entries)
            {
                renumber(entry);
            }
        };
        _disk.ReadLate += entry => TryPromote(entry);
        _metrics.ObserveTiers(() => new TierSizes(_memory.Count, _memory.BudgetBytes, _memory.EvictedCount, options.MaxDiskBytes));
        _metrics.ObserveStatus(GetStatus);
    }

    public CacheClock Clock { get; }

    /// <summary>The longest that draining and closing wait for a disk that does not answer.</summary>
    public TimeSpan CloseGrace
    {
        get => _disk.CloseGrace;
        set => _disk.CloseGrace = value;
    }

    /// <inheritdoc cref="DiskTier.MaxOwedCount"/>
    public int MaxOwedCount
    {
        get => _disk.MaxOwedCount;
        set => _disk.MaxOwedCount = value;
    }

    /// <summary>The largest value that is stored.</summary>
    public long MaxEntryBytes { get; }

    /// <summary>Whether the store has been opened: from then on what is not there is known not to be there.</summary>
    public bool IsOpen => _disk.IsOpen;

    /// <summary>Completes when the store is open, which may be never.</summary>
    public Task Opened => _disk.Opened;

    /// <summary>Begins to open the store, once. The task completes when it is open or has turned out not to open.</summary>
    public Task StartAsync() => _disk.StartAsync();

    /// <summary>Answers at once what needs no disk: a memory hit or a proven miss. False where the disk has to be asked.</summary>
    public bool TryGetNow(in CacheKey key, out Lookup lookup)
    {
        if (FindInMemory(key) is { } entry)
        {
            lookup = Lookup.Hit(entry, DiskCacheTier.Memory);
            return true;
        }

        return TryGetElsewhere(key, out lookup, out _);
    }

    /// <summary>Looks a key up and blocks for at most the I/O timeout.</summary>
    /// <param name="key">The key.</param>
    /// <param name="isServed">Whether somebody gets the value; else the entry is only used.</param>
    public Lookup Get(in CacheKey key, bool isServed = true) =>
        FindInMemory(key, isServed) is { } entry ? Lookup.Hit(entry, DiskCacheTier.Memory) : GetElsewhere(key);

    /// <inheritdoc cref="Get"/>
    public async ValueTask<Lookup> GetAsync(CacheKey key, bool isServed = true)
    {
        long began = 0;
        for (int attempt = 1; ; attempt++)
        {
            if (FindInMemory(key, isServed) is { } entry)
            {
                return Lookup.Hit(entry, DiskCacheTier.Memory);
            }

            if (TryGetElsewhere(key, out var lookup, out var where))
            {
                return lookup;
            }

            began = attempt == 1 ? Stopwatch.GetTimestamp() : began;
            var read = _disk.BeginRead(key, where);
            using var activity = read is null ? default : _metrics.Activities.Read();
            var result = read is null ? null : await read.Task.ConfigureAwait(false);
            CountIfVain(result, began, activity);
            if (Finish(key, result, mayTryAgain: MayTryAgain(attempt, began)) is { } finished)
            {
                return finished;
            }
        }
    }

    public DiskCacheStatus GetStatus()
    {
        var state = _health.Current;
        return new DiskCacheStatus
        {
            Mode = state.Mode,
            Since = state.Since,
            Reason = state.Reason,
            DiskHealth = state.Probe,
            LastFault = state.LastFault,
            Entries = _disk.EntryCount,
            DiskBytes = _disk.DiskBytes,
            MemoryBytes = _memory.Bytes,
            MemoryHits = _metrics.MemoryHits.Value,
            DiskHits = _metrics.DiskHits.Value,
            Misses = _metrics.Misses.Value + _metrics.Unknowns.Value,
            DiskErrors = _metrics.DiskErrors,
            CorruptionErrors = _disk.CorruptCount,
            QuarantinedRecords = _disk.QuarantinedCount,
            QuarantineErrors = _disk.QuarantineErrors,
            OwedWrites = _disk.OwedCount,
            OversizedEntries = _metrics.OversizedEntries,
        };
    }

    /// <summary>
    /// Lists what is alive, without values: what memory has, then what only the disk has. An entry that comes, goes or moves meanwhile may be
    /// listed or not, or twice.
    /// </summary>
    public async IAsyncEnumerable<(EntryHead Head, DiskCacheTier Tier)> ListAsync([EnumeratorCancellation] CancellationToken token)
    {
        var known = new HashSet<long>();
        foreach (var entry in _memory.Entries)
        {
            known.Add(entry.Sequence);
            if (!entry.IsExpired(Clock.NowTicks) && !_disk.Barriers.Covers(entry.Tags, entry.Ticket)
                && !MayHaveBeenSwept(entry))
            {
                yield return (EntryHead.Of(entry), DiskCacheTier.Memory);
            }
        }

        await foreach (var head in _disk.ReadHeadsAsync(known, token).ConfigureAwait(false))
        {
            yield return (head, DiskCacheTier.Disk);
        }
    }

    public IReadOnlyList<QuarantinedRecord> GetQuarantine() => _disk.Quarantined;

    /// <inheritdoc cref="DiskTier.HeartbeatOnceAsync"/>
    public Task HeartbeatOnceAsync() => _disk.HeartbeatOnceAsync();

    /// <inheritdoc cref="DiskTier.ProbeOnceAsync"/>
    public Task ProbeOnceAsync() => _disk.ProbeOnceAsync();

    /// <inheritdoc cref="DiskTier.RecoverOnceAsync"/>
    public Task RecoverOnceAsync() => _disk.RecoverOnceAsync();

    /// <inheritdoc cref="DiskTier.TrustOnceAsync"/>
    public Task TrustOnceAsync() => _disk.TrustOnceAsync();

    /// <summary>Writes and syncs what is under way, without closing: the host stops, other services may still mutate.</summary>
    public Task DrainAsync() => _disk.DrainAsync();

    public void Dispose()
    {
        foreach (var entry in _memory.Entries)
        {
            KeepDeadline(entry);
        }

        _disk.Dispose();
        _metrics.Dispose();
    }

    /// <summary>Blocks no thread of the pool: closing waits for the writer lane.</summary>
    public ValueTask DisposeAsync() =>
        new(Task.Factory.StartNew(Dispose, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default));

    public override void MarkUsed()
    {
        foreach (var entry in _memory.TakeUsed())
        {
            _disk.MarkUsed(entry);
        }
    }

    public override void Faulted(Exception exception) => _disk.Note(exception);

    public override void ContentGivenUp()
    {
        foreach (var entry in _memory.Entries)
        {
            _memory.Unpin(entry);
        }
    }

    public override void RetainedLeft() => _disk.WriteRetainedAgain();

    public override void SweepMemory()
    {
        // Whoever promotes an entry has looked at the index before: wait for those who looked before the entry was dropped there.
        foreach (var keyLock in _keyLocks)
        {
            keyLock.Enter();
            keyLock.Exit();
        }

        var barriers = _disk.Barriers;
        _memory.RemoveWhere(entry =>
        {
            bool isDead = barriers.Covers(entry.Tags, entry.Ticket);
            if (isDead)
            {
                _disk.Forget(entry, EvictionReason.Tag);
            }

            return isDead;
        });
    }

    /// <summary>Looks up what was not in memory a moment ago.</summary>
    private Lookup GetElsewhere(in CacheKey key)
    {
        long began = 0;
        for (int attempt = 1; ; attempt++)
        {
            if (attempt > 1 && FindInMemory(key) is { } entry)
            {
                return Lookup.Hit(entry, DiskCacheTier.Memory);
            }

            if (TryGetElsewhere(key, out var lookup, out var where))
            {
                return lookup;
            }

            began = attempt == 1 ? Stopwatch.GetTimestamp() : began;

            var read = _disk.BeginRead(key, where);
            using var activity = read is null ? default : _metrics.Activities.Read();
            var result = read is not null && read.Task.Wait(_disk.IoTimeout) ? read.Task.Result : null;
            CountIfVain(result, began, activity);
            if (Finish(key, result, mayTryAgain: MayTryAgain(attempt, began)) is { } finished)
            {
                return finished;
            }
        }
    }

    /// <summary>What the index says of a key that was not in memory; see <see cref="TryGetNow"/>.</summary>
    private bool TryGetElsewhere(in CacheKey key, out Lookup lookup, out IndexedEntry where)
    {
        for (int attempt = 1; ; attempt++)
        {
            var outcome = _disk.Locate(key, out where);
            if (outcome == LookupOutcome.Hit && !where.IsPending)
            {
                return TryFinishCached(key, where, out lookup);
            }

            if (outcome != LookupOutcome.Hit || attempt == MaxAttempts)
            {
                // Nor is it known what a key has whose value waits for the disk and found no room in memory.
                lookup = Missed(outcome == LookupOutcome.Miss ? Lookup.Miss : Lookup.Unknown);
                if (outcome == LookupOutcome.Unknown)
                {
                    _metrics.CountFallback(isWrite: false, TimeSpan.Zero);
                }

                return true;
            }

            // Not on disk yet, so it is in memory, or about to be as soon as its mutation has let go of the lock, or nowhere.
            LockOf(key).Enter();
            LockOf(key).Exit();
            if (FindInMemory(key) is { } entry)
            {
                lookup = Lookup.Hit(entry, DiskCacheTier.Memory);
                return true;
            }
        }
    }

    /// <summary>What the operating system has in memory is read at once; handing it over to a lane would cost several times as much.</summary>
    private bool TryFinishCached(in CacheKey key, in IndexedEntry where, out Lookup lookup)
    {
        lookup = default;
        if (_disk.TryReadCached(key, where) is not { } entry
            || Finish(key, new ReadResult(ReadOutcome.Hit, entry), mayTryAgain: true) is not { } finished)
        {
            return false;
        }

        lookup = finished;
        return true;
    }

    private Lock LockOf(in CacheKey key) => _keyLocks[key.GetHashCode() & (LockCount - 1)];

    private CacheEntry? FindInMemory(in CacheKey key, bool isServed = true)
    {
        var entry = _memory.TryGet(key);
        if (entry is null)
        {
            return null;
        }

        // An entry that lives for ever does not ask for the time: reading two clocks costs as much as the rest of a hit.
        long now = entry.Deadline == Expiry.Never ? 0 : Clock.NowTicks;
        if (entry.IsExpired(now) || _disk.Barriers.Covers(entry.Tags, entry.Ticket))
        {
            // While the store is being opened the numbers of barriers and entries do not go together for a moment.
            if (!_disk.IsOpen || TryForget(entry, now))
            {
                return null;
            }
        }

        if (MayHaveBeenSwept(entry))
        {
            return null;
        }

        // In this order: the expiry lies beyond the line of memory that the hit has fetched.
        if (now != 0 && entry.Expiry.IsSliding)
        {
            Slide(entry, now, exactly: false);
        }

        _metrics.MemoryHits.Add(1, isServed ? entry.Value.Length : 0);
        return entry;
    }

    /// <summary>A barrier may have been forgotten since the entry was found. Memory is swept before that, so what is still there is alive.</summary>
    private bool MayHaveBeenSwept(CacheEntry entry) =>
        entry.Tags.Length > 0 && entry.Ticket < _disk.Barriers.Floor && _memory.Peek(entry.Key) != entry;

    /// <summary>
    /// Starts the window anew. The index follows exactly when the disk was asked, else in steps of an eighth of the window; what is
    /// missing it learns when the entry leaves memory.
    /// </summary>
    private void Slide(CacheEntry entry, long now, bool exactly)
    {
        long before = entry.Deadline;
        long deadline = entry.Expiry.DeadlineFrom(now);
        if (deadline <= before)
        {
            return;
        }

        entry.Deadline = deadline;
        long step = Math.Max(1, entry.Expiry.SlidingTicks / 8);
        if (exactly || entry.IsRetained || before / step != deadline / step)
        {
            _disk.Touch(entry, deadline);
        }
    }

    /// <summary>
    /// A version that went while it was read is looked for again, so that overwriting does not make a key seem absent; but only while
    /// little of the caller's time is gone.
    /// </summary>
    private bool MayTryAgain(int attempt, long began) =>
        attempt < MaxAttempts && Stopwatch.GetElapsedTime(began) < _disk.IoTimeout / 8;

    /// <summary>Judges and promotes what was read; null where it should be tried again.</summary>
    private Lookup? Finish(in CacheKey key, ReadResult? result, bool mayTryAgain)
    {
        if (result is not { } read)
        {
            return Missed(Lookup.Unknown);
        }

        if (read.Outcome is ReadOutcome.Corrupt or ReadOutcome.Undecryptable && IsRetained(key))
        {
            LoseRetained();
            return Missed(Lookup.Unknown);
        }

        if (read.Entry is not { } entry)
        {
            return mayTryAgain && read.Outcome == ReadOutcome.Miss ? null : Missed(Lookup.Miss);
        }

        long now = Clock.NowTicks;
        if ((entry.IsExpired(now) || _disk.Barriers.Covers(entry.Tags, entry.Ticket)) && TryForget(entry, now))
        {
            return Missed(Lookup.Miss);
        }

        if (!TryPromote(entry))
        {
            return Overtaken(entry, mayTryAgain);
        }

        if (entry.Expiry.IsSliding)
        {
            Slide(entry, now, exactly: true);
        }

        _disk.MarkUsed(entry);
        _metrics.DiskHits.Increment();
        return Lookup.Hit(entry, DiskCacheTier.Disk);
    }

    /// <summary>
    /// Drops what was found dead, from the index first: what that names and memory has not is unknown, and this is known to be dead. False where it is alive:
    /// another use has extended it, and the index knows.
    /// </summary>
    private bool TryForget(CacheEntry entry, long now)
    {
        // Asked once: the deadline may move at any moment.
        bool isExpired = entry.IsExpired(now);
        if (isExpired && _disk.ForgetExpired(entry, now) is var deadline and > 0)
        {
            entry.Deadline = Math.Max(entry.Deadline, deadline);
            isExpired = false;
        }

        if (!isExpired)
        {
            if (!_disk.Barriers.Covers(entry.Tags, entry.Ticket))
            {
                return false;
            }

            _disk.Forget(entry, EvictionReason.Tag);
        }

        if (_memory.RemoveIfSame(entry))
        {
            _metrics.CountEviction(DiskCacheTier.Memory, isExpired ? EvictionReason.Expired : EvictionReason.Tag);
        }

        return true;
    }

    /// <summary>Keeps in memory what was read from disk, if it is still the current version. Barriers are checked at every hit.</summary>
    private bool TryPromote(CacheEntry entry)
    {
        lock (LockOf(entry.Key))
        {
            if (!_disk.IsCurrent(entry.Key, entry.Sequence))
            {
                return false;
            }

            if (_memory.Peek(entry.Key) is { } resident && resident.Sequence == entry.Sequence)
            {
                // It was read before that one was used.
                entry.Deadline = Math.Max(entry.Deadline, resident.Deadline);
            }

            if ((_memory.BudgetBytes > 0 || entry.IsRetained) && _memory.Put(entry, pinned: false))
            {
                _metrics.CountPromotion();
            }

            return true;
        }
    }

    /// <summary>
    /// The version was the current one when the caller looked it up, and what has overtaken it was not acknowledged then, so it may
    /// be returned, but not kept. Unless its segment was erased and barriers with it: then an eviction may have been forgotten.
    /// </summary>
    private Lookup? Overtaken(CacheEntry entry, bool mayTryAgain)
    {
        if (entry.Ticket < _disk.Barriers.Floor)
        {
            return mayTryAgain ? null : Missed(Lookup.Miss);
        }

        _metrics.DiskHits.Increment();
        return Lookup.Hit(entry, DiskCacheTier.Disk);
    }

    private void CountIfVain(ReadResult? result, long began, CacheActivity activity)
    {
        activity.HasRead(result is not null, result?.Entry is not null);
        if (result is null)
        {
            _metrics.CountFallback(isWrite: false, Stopwatch.GetElapsedTime(began));
        }
    }

    private Lookup Missed(Lookup lookup)
    {
        (lookup.Outcome == LookupOutcome.Unknown ? _metrics.Unknowns : _metrics.Misses).Increment();
        return lookup;
    }

    /// <summary>What memory knew of an entry and the disk has to know from now on.</summary>
    private void OnEvicted(CacheEntry entry)
    {
        KeepDeadline(entry);
        if (entry.WasHit)
        {
            _disk.MarkUsed(entry);
        }
    }

    private void KeepDeadline(CacheEntry entry)
    {
        if (entry.Expiry.IsSliding)
        {
            _disk.Touch(entry, entry.Deadline);
        }
    }
}
