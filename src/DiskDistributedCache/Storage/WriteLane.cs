using System.Diagnostics;
using DiskDistributedCache.Entries;

namespace DiskDistributedCache.Storage;

/// <summary>
/// The thread that writes, and the queue in front of it. It takes what is waiting as one batch (group commit, at most 1 MiB or one
/// record), hands it to the store and lets the callers go. Jobs (open, heartbeat, probe, close) run on the same thread, before
/// the next batch.
///
/// A caller waits at most the I/O timeout; then its mutation stays in the queue and is owed. So is everything in a batch that
/// failed: it goes back to the front of the queue, and is tried again with the next mutation, or with the next heartbeat. While the
/// lane is paused, fails, or has an operation that is over its time, nobody waits at all. Owed values are bounded by dropping the
/// oldest (their removals stay owed).
///
/// Order of effects of owing: the next process is told that it must not believe the store (<see cref="TrustMark"/>), then the caller is
/// let go. If that cannot be told in time, the caller is let go all the same.
///
/// Concurrency: everything is guarded by one lock, which is never held over I/O. Callers continue on the thread pool, never
/// here. Once the lane has ended it takes nothing more: what comes later would be neither written nor known to be missing.
/// </summary>
internal sealed partial class WriteLane
{
    private const long BatchBytes = 1 << 20;

    private readonly object _lock = new();
    private readonly Func<IReadOnlyList<Mutation>, bool> _append;
    private readonly Action _finish;
    private readonly TrustMark _trust;
    private readonly LaneTimes _times;
    private readonly long _maxOwedWeight;
    private readonly Thread _thread;

    // Guarded by _lock.
    private readonly MutationQueue _queue;
    private readonly Queue<Job> _jobs = new();
    private readonly List<Mutation> _batch = [];
    private readonly List<Mutation> _due = [];
    private readonly List<TimeSpan> _waits = [];
    private long _dueSince;
    private long _busySince;
    private TimeSpan _busyLimit;
    private bool _isStallReported;
    private long _owedGeneration;
    private bool _mustBeDurable;
    private bool _wasJob;
    private bool _isPaused = true;
    private bool _hasFailed;
    private bool _isStopping;
    private bool _hasEnded;
    private bool _isSleeping;

    private volatile bool _hasWork;

    /// <param name="append">Appends a batch; false when it failed. Does not throw.</param>
    /// <param name="finish">Runs on the lane when it has been stopped and nothing more can be written. Does not throw.</param>
    /// <param name="trust">What the next process is told.</param>
    /// <param name="times">How long callers and operations may take.</param>
    /// <param name="weigh">What a value weighs in memory.</param>
    /// <param name="maxOwedWeight">Weight of owed values above which the oldest are dropped.</param>
    public WriteLane(
        Func<IReadOnlyList<Mutation>, bool> append,
        Action finish,
        TrustMark trust,
        LaneTimes times,
        Func<CacheEntry, long> weigh,
        long maxOwedWeight)
    {
        _append = append;
        _finish = finish;
        _trust = trust;
        _times = times;
        _queue = new MutationQueue(weigh);
        _maxOwedWeight = maxOwedWeight;
        _thread = new Thread(Run) { IsBackground = true, Name = "DiskDistributedCache writer" };
        _trust.Withdrawn += LetDueGoIfWithdrawn;
    }

    /// <summary>Called, outside the lock, with owed values that had to be dropped.</summary>
    public event Action<CacheEntry>? ValueDropped;

    /// <summary>Called, outside the lock, for each mutation that is owed, with the time that its caller has waited for the disk.</summary>
    public event Action<TimeSpan>? WaitedInVain;

    /// <summary>Mutations that were acknowledged and are not on disk.</summary>
    public int OwedCount
    {
        get
        {
            lock (_lock)
            {
                return CountOwed();
            }
        }
    }

    /// <summary>Everything that waits, owed or not.</summary>
    public int QueuedCount => _queue.Count;

    /// <summary>What waits and is owed, without a lock.</summary>
    public int OwedQueuedCount => _queue.OwedCount;

    /// <summary>In what time somebody, or something, has to be looked after, as far as that is known; null where nobody has to.</summary>
    public TimeSpan? DueIn
    {
        get
        {
            lock (_lock)
            {
                TimeSpan? due = _due.Count > 0 ? _times.Soon : null;
                if ((_batch.Find(mutation => !mutation.IsOwed) ?? _queue.FirstAwaited) is { } first)
                {
                    due = LaneTimes.Sooner(due, LaneTimes.Left(first.AcceptedAt, _times.Timeout));
                }

                return _busySince != 0 && _busyLimit != Timeout.InfiniteTimeSpan && !_isStallReported
                    ? LaneTimes.Sooner(due, LaneTimes.Left(_busySince, _busyLimit))
                    : due;
            }
        }
    }

    /// <summary>Without what flows with the caller: the lane outlives the request in which it was started.</summary>
    public void Start() => _thread.UnsafeStart();

    /// <summary>
    /// Queues a mutation. Its task completes when it is acknowledged. A change of a key for which one is already waiting may join
    /// that one. Null when the lane has ended.
    /// </summary>
    public Mutation? TryEnqueue(Mutation mutation)
    {
        List<CacheEntry>? dropped = null;
        bool isDue = false;
        lock (_lock)
        {
            if (_hasEnded)
            {
                return null;
            }

            bool isOwing = IsOwing;
            if (_queue.TryJoin(mutation, isOwing) is { } waiting)
            {
                mutation = waiting;
            }
            else
            {
                mutation.AcceptedAt = Stopwatch.GetTimestamp();
                _queue.Append(mutation);
            }

            _hasFailed = false;
            if (isOwing)
            {
                isDue = Owe(mutation);
                dropped = _queue.DropIfHeavier(mutation, _maxOwedWeight) ?? _queue.DropOldestValues(_queue.OwedValueBytes - _maxOwedWeight);
            }

            Wake();
        }

        AfterOwing(isDue);
        Report(dropped);
        return mutation;
    }

    /// <summary>Gives up the oldest owed values until this much weight is gone, or none is left.</summary>
    public void DropOwed(long weight)
    {
        List<CacheEntry>? dropped = null;
        lock (_lock)
        {
            dropped = _queue.DropOldestValues(weight);
        }

        Report(dropped);
    }

    /// <summary>Runs a job on the lane, before the next batch; but after a job a batch comes first.</summary>
    public void Post(Action job, JobTime time = JobTime.Short)
    {
        lock (_lock)
        {
            _jobs.Enqueue(new Job(job, time));
            Wake();
        }
    }

    /// <summary>Lets batches be written: the disk may be used.</summary>
    public void Resume()
    {
        lock (_lock)
        {
            _isPaused = false;
            _hasFailed = false;
            Wake();
        }
    }

    /// <summary>No batch is written until further notice, and nobody waits for one.</summary>
    public void Pause()
    {
        bool isDue;
        lock (_lock)
        {
            _isPaused = true;
            _mustBeDurable = true;
            isDue = OweWhere(_ => true);
        }

        AfterOwing(isDue);
    }

    /// <summary>
    /// Lets every caller go that has waited for its time. Returns when the operation on the lane began, once it is over its time, once
    /// for each operation; otherwise null.
    /// </summary>
    public long? ReleaseOverdue()
    {
        List<CacheEntry>? dropped = null;
        long? stalledSince = null;
        bool isDue;
        lock (_lock)
        {
            isDue = OweWhere(IsOverdue);
            dropped = _queue.DropOldestValues(_queue.OwedValueBytes - _maxOwedWeight);
            if (_due.Count > 0 && Stopwatch.GetElapsedTime(_dueSince) > _times.TrustGrace)
            {
                _trust.GiveUpWaiting();
                LetDueGo();
            }

            // Whoever made something due may not have come to say so yet.
            isDue |= _due.Count > 0;

            if (_busySince != 0 && !_isStallReported && LaneTimes.IsOver(_busySince, _busyLimit))
            {
                stalledSince = _busySince;
                _isStallReported = true;
            }
        }

        AfterOwing(isDue);
        Report(dropped);
        return stalledSince;
    }

    /// <summary>Whether the lane is still at the operation that was reported as stalled and began then.</summary>
    public bool IsStillAt(long began)
    {
        lock (_lock)
        {
            return _busySince == began;
        }
    }

    /// <summary>The store is not to be trusted, though nothing is owed.</summary>
    public void Distrust()
    {
        lock (_lock)
        {
            _owedGeneration++;
            _mustBeDurable = true;
        }

        _trust.Withdraw();
    }

    /// <summary>The same, and when this returns the next process has been told.</summary>
    public void DistrustNow()
    {
        Distrust();
        _trust.WithdrawAgain();
    }

    /// <summary>What failed is worth another try.</summary>
    public void Retry()
    {
        lock (_lock)
        {
            _hasFailed = false;
            Wake();
        }
    }

    /// <summary>Does something while nothing is taken, added or dropped.</summary>
    public void Exclusively(Action action)
    {
        lock (_lock)
        {
            action();
        }
    }

    /// <summary>Changes what is waiting, while nothing is taken or added.</summary>
    public void ForEachWaiting(Action<Mutation> change)
    {
        lock (_lock)
        {
            _queue.ForEach(change);
        }
    }

    /// <summary>
    /// Forgets everything that is waiting; what makes up for that happens in the same moment. The callers are let go. False, and nothing is done, where the lane
    /// has ended.
    /// </summary>
    public bool TryDropAll(Action makeUp)
    {
        bool isDue;
        lock (_lock)
        {
            if (_hasEnded)
            {
                return false;
            }

            isDue = OweWhere(_ => true);
            _queue.Clear();
            _owedGeneration++;
            _mustBeDurable = true;
            makeUp();
        }

        AfterOwing(isDue);
        return true;
    }

    /// <summary>
    /// Whether the store owes nothing any more and may be trusted again; the generation tells whether that is still so afterwards.
    /// </summary>
    /// <param name="generation">Whatever becomes owed changes it.</param>
    /// <param name="mustBeDurable">
    /// Whether it has to be durable first. What was late and nothing else is in the log as what was in time is, which is enough for a process
    /// that is killed.
    /// </param>
    public bool OwesNothing(out long generation, out bool mustBeDurable)
    {
        lock (_lock)
        {
            (generation, mustBeDurable) = (_owedGeneration, _mustBeDurable);
            return !_isPaused && !_hasFailed && CountOwed() == 0 && _due.Count == 0;
        }
    }

    /// <summary>Begins to trust the store again, unless something became owed since that generation.</summary>
    public bool TryTrust(long generation)
    {
        lock (_lock)
        {
            if (_owedGeneration != generation || CountOwed() > 0 || _due.Count > 0)
            {
                return false;
            }

            _trust.Reset();
            _mustBeDurable = _isPaused;
            return true;
        }
    }

    /// <summary>
    /// Writes what is waiting if the disk may be tried, runs what was posted, and ends the thread; waits for that as long as the grace
    /// time. Whoever still waits for the lane then is let go.
    /// </summary>
    public bool Stop(TimeSpan grace, bool mayWrite)
    {
        lock (_lock)
        {
            _isStopping = true;
            _hasFailed = false;
            _isPaused = !mayWrite;
            Wake();
        }

        bool hasEnded = !_thread.IsAlive || _thread.Join(grace);
        bool isDue;
        lock (_lock)
        {
            isDue = OweWhere(_ => true) || _due.Count > 0;
        }

        if (isDue)
        {
            _trust.Withdraw();
            lock (_lock)
            {
                if (_due.Count > 0)
                {
                    Monitor.Wait(_lock, _times.TrustGrace);
                }

                LetDueGo();
            }
        }

        return hasEnded;
    }

    private bool IsOwing => _isPaused || _isStopping || IsStalled;

    private bool IsStalled => _busySince != 0 && Stopwatch.GetElapsedTime(_busySince) > _times.Timeout;

    private bool CanWrite => _queue.Count > 0 && !_isPaused && !_hasFailed;

    private bool IsOverdue(Mutation mutation) => Stopwatch.GetElapsedTime(mutation.AcceptedAt) > _times.Timeout;

    private int CountOwed() => _queue.OwedCount + _batch.Count(mutation => mutation.IsOwed);

    private bool OweWhere(Func<Mutation, bool> condition)
    {
        bool isDue = false;
        foreach (var mutation in _batch)
        {
            isDue |= !mutation.IsOwed && condition(mutation) && Owe(mutation);
        }

        if (_queue.AwaitedCount > 0)
        {
            _queue.ForEach(mutation => isDue |= !mutation.IsOwed && condition(mutation) && Owe(mutation));
        }

        return isDue;
    }

    /// <summary>Lets the caller of a mutation go, now or, which the result says, as soon as the store is known not to be trusted.</summary>
    private bool Owe(Mutation mutation)
    {
        if (!mutation.IsOwed)
        {
            _queue.Owe(mutation);
        }

        _owedGeneration++;
        if (!mutation.IsAcknowledged)
        {
            _waits.Add(Stopwatch.GetElapsedTime(mutation.AcceptedAt));
        }

        if (_trust.IsWithdrawn)
        {
            mutation.TrySetResult();
            return false;
        }

        if (mutation.IsAcknowledged)
        {
            return false;
        }

        _dueSince = _due.Count == 0 ? Stopwatch.GetTimestamp() : _dueSince;
        _due.Add(mutation);
        return true;
    }

    /// <summary>Outside the lock: has the next process told, and tells who waited in vain.</summary>
    private void AfterOwing(bool isDue)
    {
        if (isDue)
        {
            _trust.Withdraw();
        }

        if (_waits.Count == 0)
        {
            return;
        }

        TimeSpan[] waits;
        lock (_lock)
        {
            waits = [.. _waits];
            _waits.Clear();
        }

        foreach (var wait in waits)
        {
            WaitedInVain?.Invoke(wait);
        }
    }

    private void LetDueGoIfWithdrawn()
    {
        lock (_lock)
        {
            // It may have been a withdrawal of before: what has become due since then needs one of its own.
            if (_trust.IsWithdrawn)
            {
                LetDueGo();
            }
        }
    }

    private void LetDueGo()
    {
        lock (_lock)
        {
            _due.ForEach(mutation => mutation.TrySetResult());
            _due.Clear();
            Monitor.PulseAll(_lock);
        }
    }

    private void Report(List<CacheEntry>? dropped)
    {
        foreach (var entry in dropped ?? [])
        {
            ValueDropped?.Invoke(entry);
        }
    }

    /// <summary>Not while the lane is paused: what comes then can wait, and waking a thread for each of it costs more than the rest of a set.</summary>
    private void Wake()
    {
        _hasWork = _jobs.Count > 0 || CanWrite || _isStopping;
        if (_hasWork && _isSleeping)
        {
            Monitor.Pulse(_lock);
        }
    }
}
