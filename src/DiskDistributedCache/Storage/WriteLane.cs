using System.Diagnostics;
using DiskDistributedCache.Entries;

namespace DiskDistributedCache.Storage;

/// <summary>
/// The thread that writes, and the queue in front of it. It takes what is waiting as one batch (group commit, at most 1 MiB or one
/// record), hands it to the store and acknowledges the callers. Jobs (open, heartbeat, close) run on the same thread, before
/// the next batch.
///
/// A caller waits at most the I/O timeout; then its mutation stays in the queue and is owed. So is everything in a batch that
/// failed: it goes back to the front of the queue, and is tried again with the next mutation; after a few failures in a row, with
/// the next heartbeat. While the store is not open, the lane fails, or an operation is over its time, nobody waits. Owed values are
/// bounded by dropping the oldest (their removals stay owed).
///
/// Concurrency: everything is guarded by one lock, which is never held over I/O. Callers continue on the thread pool, never
/// here. Once the lane has ended it takes nothing more: what comes later would be neither written nor known to be missing.
/// </summary>
internal sealed class WriteLane
{
    private const long BatchBytes = 1 << 20;
    private const int SpinCount = 40;

    /// <summary>Failures in a row that are tried again at once; then the heartbeat decides.</summary>
    private const int QuickRetryCount = 2;

    private readonly object _lock = new();
    private readonly Func<IReadOnlyList<Mutation>, bool> _append;
    private readonly Action _finish;
    private readonly TimeSpan _timeout;
    private readonly long _maxOwedWeight;
    private readonly Thread _thread;

    // Guarded by _lock.
    private readonly MutationQueue _queue;
    private readonly Queue<Action> _jobs = new();
    private readonly List<Mutation> _batch = [];
    private long _busySince;
    private int _failureCount;
    private bool _isOpen;
    private bool _hasFailed;
    private bool _isStopping;
    private bool _hasEnded;
    private bool _isSleeping;

    private volatile bool _hasWork;

    /// <param name="append">Appends a batch; false when it failed. Does not throw.</param>
    /// <param name="finish">Runs on the lane when it has been stopped and nothing more can be written. Does not throw.</param>
    /// <param name="timeout">The longest that a caller waits.</param>
    /// <param name="weigh">What a value weighs in memory.</param>
    /// <param name="maxOwedWeight">Weight of owed values above which the oldest are dropped.</param>
    public WriteLane(
        Func<IReadOnlyList<Mutation>, bool> append, Action finish, TimeSpan timeout, Func<CacheEntry, long> weigh, long maxOwedWeight)
    {
        _append = append;
        _finish = finish;
        _timeout = timeout;
        _queue = new MutationQueue(weigh);
        _maxOwedWeight = maxOwedWeight;
        _thread = new Thread(Run) { IsBackground = true, Name = "DiskDistributedCache writer" };
    }

    /// <summary>Called, outside the lock, with owed values that had to be dropped.</summary>
    public event Action<CacheEntry>? ValueDropped;

    /// <summary>Mutations that were acknowledged and are not on disk.</summary>
    public int OwedCount
    {
        get
        {
            lock (_lock)
            {
                return _queue.OwedCount + _batch.Count(mutation => mutation.IsAcknowledged);
            }
        }
    }

    /// <summary>Everything that waits, owed or not.</summary>
    public int QueuedCount => _queue.Count;

    public bool HasWaiters
    {
        get
        {
            lock (_lock)
            {
                return _queue.AwaitedCount > 0 || _batch.Exists(mutation => !mutation.IsAcknowledged);
            }
        }
    }

    public void Start() => _thread.Start();

    /// <summary>
    /// Queues a mutation. Its task completes when it is acknowledged. A removal of a key whose removal is already waiting joins
    /// that one. Null when the lane has ended.
    /// </summary>
    public Mutation? TryEnqueue(Mutation mutation)
    {
        List<CacheEntry>? dropped = null;
        lock (_lock)
        {
            if (_hasEnded)
            {
                return null;
            }

            if (_queue.TryJoin(mutation) is { } waiting)
            {
                return waiting;
            }

            mutation.AcceptedAt = Stopwatch.GetTimestamp();
            _queue.Append(mutation);
            if (_failureCount <= QuickRetryCount)
            {
                _hasFailed = false;
            }

            if (!_isOpen || _hasFailed || _isStopping || IsStalled)
            {
                _queue.Acknowledge(mutation);
                dropped = _queue.DropOldestValues(_queue.OwedValueBytes - _maxOwedWeight);
            }

            Wake();
        }

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

    /// <summary>Runs a job on the lane.</summary>
    public void Post(Action job)
    {
        lock (_lock)
        {
            _jobs.Enqueue(job);
            Wake();
        }
    }

    /// <summary>Lets batches be written: the store is open, or worth another try.</summary>
    public void Resume()
    {
        lock (_lock)
        {
            _isOpen = true;
            _hasFailed = false;
            Wake();
        }
    }

    /// <summary>Lets every caller go that has waited for its time.</summary>
    public void ReleaseOverdue()
    {
        List<CacheEntry>? dropped = null;
        lock (_lock)
        {
            foreach (var mutation in _batch.Where(IsOverdue))
            {
                mutation.TrySetResult();
            }

            if (_queue.AwaitedCount > 0)
            {
                _queue.ForEach(mutation =>
                {
                    if (IsOverdue(mutation))
                    {
                        _queue.Acknowledge(mutation);
                    }
                });
            }

            dropped = _queue.DropOldestValues(_queue.OwedValueBytes - _maxOwedWeight);
        }

        Report(dropped);
    }

    /// <summary>Changes what is waiting, while nothing is taken or added.</summary>
    public void ForEachWaiting(Action<Mutation> change)
    {
        lock (_lock)
        {
            _queue.ForEach(change);
        }
    }

    /// <summary>Forgets everything that is waiting and acknowledges it: something that covers all of it has happened.</summary>
    public void DropAll()
    {
        lock (_lock)
        {
            _queue.Clear();
        }
    }

    /// <summary>
    /// Writes what is waiting, runs what was posted, and ends the thread; waits for that as long as the grace time. Whoever still waits
    /// for the lane then is let go.
    /// </summary>
    public bool Stop(TimeSpan grace)
    {
        lock (_lock)
        {
            _isStopping = true;
            _hasFailed = false;
            Wake();
        }

        bool hasEnded = !_thread.IsAlive || _thread.Join(grace);
        lock (_lock)
        {
            _batch.ForEach(mutation => mutation.TrySetResult());
            _queue.ForEach(_queue.Acknowledge);
        }

        return hasEnded;
    }

    private bool IsStalled => _busySince != 0 && Stopwatch.GetElapsedTime(_busySince) > _timeout;

    private bool CanWrite => _queue.Count > 0 && _isOpen && !_hasFailed;

    private bool IsOverdue(Mutation mutation) =>
        !mutation.IsAcknowledged && Stopwatch.GetElapsedTime(mutation.AcceptedAt) > _timeout;

    private void Run()
    {
        while (Next(out var job))
        {
            if (job is null)
            {
                WriteBatch();
            }
            else
            {
                RunJob(job);
            }
        }

        _finish();
    }

    /// <summary>Waits for a job or a batch. False when the lane is stopped and nothing is left that can be done.</summary>
    private bool Next(out Action? job)
    {
        SpinForWork();
        lock (_lock)
        {
            while (_jobs.Count == 0 && !CanWrite && !_isStopping)
            {
                _isSleeping = true;
                Monitor.Wait(_lock);
                _isSleeping = false;
            }

            if (!_jobs.TryDequeue(out job))
            {
                if (!CanWrite)
                {
                    _hasEnded = true;
                    return false;
                }

                _queue.Take(_batch, BatchBytes);
            }

            _busySince = Stopwatch.GetTimestamp();
            _hasWork = _jobs.Count > 0 || CanWrite || _isStopping;
            return true;
        }
    }

    private void RunJob(Action job)
    {
        try
        {
            job();
        }
        catch (Exception)
        {
            // Jobs handle their own trouble. What still gets here (a logger that throws, say) must not end the process.
        }

        lock (_lock)
        {
            _busySince = 0;
        }
    }

    private void WriteBatch()
    {
        bool isWritten = TryAppend();
        lock (_lock)
        {
            _busySince = 0;
            _hasFailed = !isWritten;
            _failureCount = isWritten ? 0 : _failureCount + 1;
            if (isWritten)
            {
                foreach (var mutation in _batch)
                {
                    mutation.TrySetResult();
                }
            }
            else
            {
                _queue.PutBack(_batch);
            }

            _batch.Clear();
        }
    }

    private bool TryAppend()
    {
        try
        {
            return _append(_batch);
        }
        catch (Exception)
        {
            // As for jobs.
            return false;
        }
    }

    private void Report(List<CacheEntry>? dropped)
    {
        foreach (var entry in dropped ?? [])
        {
            ValueDropped?.Invoke(entry);
        }
    }

    private void Wake()
    {
        _hasWork = true;
        if (_isSleeping)
        {
            Monitor.Pulse(_lock);
        }
    }

    /// <summary>A single caller that awaits each write comes back within microseconds; waking a sleeping thread costs more than that.</summary>
    private void SpinForWork()
    {
        for (int i = 0; i < SpinCount && !_hasWork; i++)
        {
            Thread.SpinWait(20);
        }
    }
}
