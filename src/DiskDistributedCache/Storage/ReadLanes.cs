using System.Collections.Concurrent;
using System.Diagnostics;
using DiskDistributedCache.Entries;

namespace DiskDistributedCache.Storage;

/// <summary>A read of one version that one or more callers wait for. Its task never faults; null says that the disk did not answer.</summary>
internal sealed class PendingRead(CacheKey key, IndexedEntry where)
    : TaskCompletionSource<ReadResult?>(TaskCreationOptions.RunContinuationsAsynchronously)
{
    public CacheKey Key { get; } = key;

    public IndexedEntry Where { get; } = where;

    public long AcceptedAt { get; } = Stopwatch.GetTimestamp();
}

/// <summary>What a read came to.</summary>
internal readonly record struct ReadResult(ReadOutcome Outcome, CacheEntry? Entry);

/// <summary>
/// The threads that read, with one bounded queue in front of them. Reads of the same version are shared: whoever comes while one is
/// under way waits for that one.
///
/// A caller waits at most the I/O timeout. While every lane is busy with a read that is over its time, and when the queue is
/// full, nobody waits at all: the answer is "not known" at once. What a late read brings is offered to whoever comes next: a
/// large value on a slow disk takes longer than any one caller waits.
/// </summary>
internal sealed class ReadLanes : IDisposable
{
    private const int LaneCount = 2;
    private const int MaxQueued = 1024;
    private const int SpinCount = 10;

    private readonly object _lock = new();
    private readonly Func<PendingRead, ReadResult?> _read;
    private readonly Action<CacheEntry> _late;
    private readonly TimeSpan _timeout;
    private readonly ConcurrentDictionary<(ulong KeyHash, long Sequence), PendingRead> _underWay = new();
    private readonly Thread[] _threads = new Thread[LaneCount];

    // Guarded by _lock.
    private readonly Queue<PendingRead> _queue = new();
    private readonly PendingRead?[] _current = new PendingRead?[LaneCount];
    private int _sleeping;
    private bool _isStopping;

    private volatile int _queued;

    /// <param name="read">Reads; null when the disk failed. Does not throw.</param>
    /// <param name="late">Told of an entry whose callers have not waited for it.</param>
    /// <param name="timeout">The longest that a caller waits.</param>
    public ReadLanes(Func<PendingRead, ReadResult?> read, Action<CacheEntry> late, TimeSpan timeout)
    {
        _read = read;
        _late = late;
        _timeout = timeout;
        for (int i = 0; i < LaneCount; i++)
        {
            int lane = i;
            _threads[i] = new Thread(() => Run(lane)) { IsBackground = true, Name = $"DiskDistributedCache reader {lane}" };
        }
    }

    public bool HasWaiters => !_underWay.IsEmpty;

    public void Start()
    {
        foreach (var thread in _threads)
        {
            thread.Start();
        }
    }

    /// <summary>Begins a read, or joins one of the same version. Null when the lanes are stalled or full.</summary>
    public PendingRead? TryEnqueue(in CacheKey key, in IndexedEntry where)
    {
        if (_underWay.TryGetValue((where.KeyHash, where.Sequence), out var other) && other.Key.Equals(key))
        {
            return other;
        }

        var read = new PendingRead(key, where);
        lock (_lock)
        {
            if (_isStopping || _queue.Count >= MaxQueued || IsStalled)
            {
                return null;
            }

            var first = _underWay.GetOrAdd((where.KeyHash, where.Sequence), read);
            if (first != read)
            {
                return first.Key.Equals(key) ? first : null;
            }

            _queue.Enqueue(read);
            _queued = _queue.Count;
            if (_sleeping > 0)
            {
                Monitor.Pulse(_lock);
            }
        }

        return read;
    }

    /// <summary>Answers "not known" to every caller who has waited for the timeout; returns how many reads that were.</summary>
    public int ReleaseOverdue()
    {
        int released = 0;
        foreach (var (_, read) in _underWay)
        {
            if (Stopwatch.GetElapsedTime(read.AcceptedAt) > _timeout && read.TrySetResult(null))
            {
                released++;
            }
        }

        return released;
    }

    /// <summary>Ends the threads; what still waits is answered "not known".</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            _isStopping = true;
            Monitor.PulseAll(_lock);
        }

        foreach (var (_, read) in _underWay)
        {
            read.TrySetResult(null);
        }
    }

    private bool IsStalled => Array.TrueForAll(_current, read => read is not null && Stopwatch.GetElapsedTime(read.AcceptedAt) > _timeout);

    private void Run(int lane)
    {
        while (Next(lane) is { } read)
        {
            var result = _read(read);
            _underWay.TryRemove(new KeyValuePair<(ulong, long), PendingRead>((read.Where.KeyHash, read.Where.Sequence), read));
            if (!read.TrySetResult(result) && result is { Entry: { } entry })
            {
                _late(entry);
            }
        }
    }

    private PendingRead? Next(int lane)
    {
        for (int i = 0; i < SpinCount && _queued == 0; i++)
        {
            Thread.SpinWait(20);
        }

        lock (_lock)
        {
            _current[lane] = null;
            while (_queue.Count == 0 && !_isStopping)
            {
                _sleeping++;
                Monitor.Wait(_lock);
                _sleeping--;
            }

            if (_isStopping)
            {
                return null;
            }

            var read = _queue.Dequeue();
            _queued = _queue.Count;
            return _current[lane] = read;
        }
    }
}
