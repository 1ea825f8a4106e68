using System.Diagnostics;

namespace DiskDistributedCache.Storage;

/// <summary>
/// The thread that writes, and the queue in front of it. It takes what is waiting as one batch (group commit, at most 1 MiB or one
/// record), hands it to the store and acknowledges the callers. Jobs (open, heartbeat, close) run on the same thread, before
/// the next batch.
///
/// A caller waits at most the I/O timeout; then its mutation stays in the queue and is owed. So is everything in a batch that
/// failed: it goes back to the front of the queue. While a batch is over its time the lane is stalled and nobody waits for it. Owed
/// values are bounded by dropping the oldest (its removal stays owed).
///
/// Concurrency: everything is guarded by the lock on this object, which is never held over I/O. Callers continue on the thread
/// pool, never here.
/// </summary>
internal sealed class WriteLane : IDisposable
{
    private const long BatchBytes = 1 << 20;
    private const int SpinCount = 40;

    private readonly object _lock = new();
    private readonly Func<IReadOnlyList<Mutation>, bool> _append;
    private readonly Action _finish;
    private readonly TimeSpan _timeout;
    private readonly long _maxOwedValueBytes;
    private readonly Thread _thread;
    private readonly Queue<Action> _jobs = new();
    private readonly Dictionary<Entries.CacheKey, Mutation> _waitingRemovals = [];
    private readonly List<Mutation> _batch = [];
    private Mutation? _head;
    private Mutation? _tail;
    private int _count;
    private long _owedValueBytes;
    private long _busySince;
    private bool _isOpen;
    private bool _hasFailed;
    private bool _isStopping;
    private bool _hasEnded;
    private bool _isSleeping;
    private volatile bool _hasWork;

    /// <param name="append">Appends a batch; false when it failed. Does not throw.</param>
    /// <param name="finish">Runs on the lane when it has been stopped and nothing more can be written. Does not throw.</param>
    /// <param name="timeout">The longest that a caller waits.</param>
    /// <param name="maxOwedValueBytes">Bytes of owed values above which the oldest are dropped.</param>
    public WriteLane(Func<IReadOnlyList<Mutation>, bool> append, Action finish, TimeSpan timeout, long maxOwedValueBytes)
    {
        _append = append;
        _finish = finish;
        _timeout = timeout;
        _maxOwedValueBytes = maxOwedValueBytes;
        _thread = new Thread(Run) { IsBackground = true, Name = "DiskDistributedCache writer" };
    }

    /// <summary>Called, outside the lock, with owed values that had to be dropped.</summary>
    public event Action<Entries.CacheEntry>? ValueDropped;

    /// <summary>Mutations that were acknowledged and are not on disk.</summary>
    public int OwedCount
    {
        get
        {
            lock (_lock)
            {
                int owed = _batch.Count(mutation => mutation.IsAcknowledged);
                for (var mutation = _head; mutation is not null; mutation = mutation.Next)
                {
                    owed += mutation.IsAcknowledged ? 1 : 0;
                }

                return owed;
            }
        }
    }

    public int Count => Volatile.Read(ref _count);

    public bool HasWaiters
    {
        get
        {
            lock (_lock)
            {
                return _batch.Exists(mutation => !mutation.IsAcknowledged) || (_tail is not null && !_tail.IsAcknowledged);
            }
        }
    }

    public void Start() => _thread.Start();

    /// <summary>
    /// Queues a mutation. Its task completes when it is acknowledged. A removal of a key whose removal is already waiting joins
    /// that one. Null when the lane has ended: the mutation has come too late to be kept.
    /// </summary>
    public Mutation? TryEnqueue(Mutation mutation)
    {
        lock (_lock)
        {
            if (_hasEnded)
            {
                return null;
            }

            if (mutation.Kind == RecordKind.Removal)
            {
                if (_waitingRemovals.TryGetValue(mutation.Key, out var waiting))
                {
                    waiting.Sequence = Math.Max(waiting.Sequence, mutation.Sequence);
                    return waiting;
                }

                _waitingRemovals.Add(mutation.Key, mutation);
            }

            mutation.AcceptedAt = Stopwatch.GetTimestamp();
            Append(mutation);
            _hasFailed = false;
            if (!_isOpen || IsStalled)
            {
                Release(mutation);
            }

            Wake();
            return mutation;
        }
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

    /// <summary>Lets every caller go that has waited for its time. What they wait for is owed from here on.</summary>
    public void ReleaseOverdue()
    {
        List<Entries.CacheEntry>? dropped = null;
        lock (_lock)
        {
            foreach (var mutation in _batch)
            {
                ReleaseIfOverdue(mutation);
            }

            for (var mutation = _head; mutation is not null; mutation = mutation.Next)
            {
                ReleaseIfOverdue(mutation);
            }

            for (var mutation = _head; mutation is not null && _owedValueBytes > _maxOwedValueBytes; mutation = mutation.Next)
            {
                if (mutation is { IsAcknowledged: true, Kind: RecordKind.Value })
                {
                    _owedValueBytes -= mutation.RecordBytes;
                    (dropped ??= []).Add(mutation.DropValue());
                }
            }
        }

        foreach (var entry in dropped ?? [])
        {
            ValueDropped?.Invoke(entry);
        }
    }

    /// <summary>Changes what is waiting, while nothing is taken or added.</summary>
    public void ForEachWaiting(Action<Mutation> change)
    {
        lock (_lock)
        {
            for (var mutation = _head; mutation is not null; mutation = mutation.Next)
            {
                change(mutation);
            }
        }
    }

    /// <summary>Forgets everything that is waiting and acknowledges it: something that covers all of it has happened.</summary>
    public void DropAll()
    {
        lock (_lock)
        {
            for (var mutation = _head; mutation is not null; mutation = mutation.Next)
            {
                mutation.TrySetResult();
            }

            (_head, _tail) = (null, null);
            (_count, _owedValueBytes) = (0, 0);
            _waitingRemovals.Clear();
        }
    }

    /// <summary>Writes what is waiting, runs what was posted, and ends the thread; waits for that as long as the grace time.</summary>
    public bool Stop(TimeSpan grace)
    {
        lock (_lock)
        {
            _isStopping = true;
            _hasFailed = false;
            Wake();
        }

        return !_thread.IsAlive || _thread.Join(grace);
    }

    public void Dispose() => Stop(TimeSpan.Zero);

    private bool IsStalled => _busySince != 0 && Stopwatch.GetElapsedTime(_busySince) > _timeout;

    private bool CanWrite => _head is not null && _isOpen && !_hasFailed;

    private void Run()
    {
        while (Next(out var job))
        {
            if (job is not null)
            {
                job();
            }
            else
            {
                WriteBatch();
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

                TakeBatch();
            }

            _hasWork = _jobs.Count > 0 || CanWrite || _isStopping;
            return true;
        }
    }

    private void WriteBatch()
    {
        bool isWritten = _append(_batch);
        lock (_lock)
        {
            _busySince = 0;
            if (isWritten)
            {
                foreach (var mutation in _batch)
                {
                    mutation.TrySetResult();
                }
            }
            else
            {
                // Tried again with the next mutation or the next heartbeat.
                _hasFailed = true;
                PutBack();
            }

            _batch.Clear();
        }
    }

    private void TakeBatch()
    {
        long bytes = 0;
        while (_head is { } mutation && (bytes == 0 || bytes + mutation.RecordBytes <= BatchBytes))
        {
            bytes += mutation.RecordBytes;
            _head = mutation.Next;
            mutation.Next = null;
            _count--;
            if (mutation.Kind == RecordKind.Removal)
            {
                _waitingRemovals.Remove(mutation.Key);
            }

            if (mutation is { Kind: RecordKind.Value, IsAcknowledged: true })
            {
                _owedValueBytes -= mutation.RecordBytes;
            }

            _batch.Add(mutation);
        }

        if (_head is null)
        {
            _tail = null;
        }

        _busySince = Stopwatch.GetTimestamp();
    }

    private void PutBack()
    {
        for (int i = _batch.Count - 1; i >= 0; i--)
        {
            var mutation = _batch[i];
            mutation.Next = _head;
            _head = mutation;
            _tail ??= mutation;
            _count++;
            if (mutation.Kind == RecordKind.Value && mutation.IsAcknowledged)
            {
                _owedValueBytes += mutation.RecordBytes;
            }

            Release(mutation);
        }
    }

    private void Append(Mutation mutation)
    {
        if (_tail is null)
        {
            _head = mutation;
        }
        else
        {
            _tail.Next = mutation;
        }

        _tail = mutation;
        _count++;
    }

    private void ReleaseIfOverdue(Mutation mutation)
    {
        if (!mutation.IsAcknowledged && Stopwatch.GetElapsedTime(mutation.AcceptedAt) > _timeout)
        {
            Release(mutation);
        }
    }

    /// <summary>Acknowledges a mutation that is not on disk: it is owed.</summary>
    private void Release(Mutation mutation)
    {
        if (mutation.TrySetResult() && mutation.Kind == RecordKind.Value)
        {
            _owedValueBytes += mutation.RecordBytes;
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
