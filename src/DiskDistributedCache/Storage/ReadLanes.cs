using System.Collections.Concurrent;
using System.Diagnostics;
using DiskDistributedCache.Entries;

namespace DiskDistributedCache.Storage;

/// <summary>A read of one version that one or more callers wait for. Its task never faults; null says that the disk did not answer.</summary>
internal sealed class PendingRead(CacheKey? key, IndexedEntry where)
    : TaskCompletionSource<ReadResult?>(TaskCreationOptions.RunContinuationsAsynchronously)
{
    private volatile bool _hasAnswered;

    /// <summary>The key that the version has to have; null where only key, tags and lengths of whatever is there are wanted.</summary>
    public CacheKey? Key { get; } = key;

    public IndexedEntry Where { get; } = where;

    /// <summary>What callers share a read by.</summary>
    public (ulong KeyHash, long Sequence, bool IsHead) Id => (Where.KeyHash, Where.Sequence, Key is null);

    public long AcceptedAt { get; } = Stopwatch.GetTimestamp();

    /// <summary>When a lane began with it; 0 while it is queued.</summary>
    public long BegunAt { get; set; }

    /// <summary>What whoever reads wants to remember of the operation.</summary>
    public object? Operation { get; set; }

    /// <summary>Whether the disk has answered: what is left is decoding the value, which is no time of the disk.</summary>
    public bool HasAnswered
    {
        get => _hasAnswered;
        set => _hasAnswered = value;
    }

    /// <summary>Whether the read is known to have taken too long.</summary>
    public bool IsStallReported { get; set; }
}

/// <summary>What a read came to.</summary>
internal readonly record struct ReadResult(ReadOutcome Outcome, CacheEntry? Entry, EntryHead? Head = null);

/// <summary>
/// The threads that read, with one bounded queue in front of them. Reads of the same version are shared: whoever comes while one is
/// under way waits for that one.
///
/// A caller waits at most the I/O timeout. While every lane is busy with a read that is over its time, and when the queue is
/// full, nobody waits at all: the answer is "not known" at once. What a late read brings is offered to whoever comes next: a
/// large value on a slow disk takes longer than any one caller waits.
///
/// The threads are not replaced when they hang: a disk that does not answer costs these two and no more.
/// </summary>
internal sealed class ReadLanes
{
    public const int LaneCount = 2;
    private const int MaxQueued = 1024;
    private const int SpinCount = 10;

    private readonly object _lock = new();
    private readonly Func<PendingRead, ReadResult?> _read;
    private readonly Action<CacheEntry> _late;
    private readonly Action _ended;
    private readonly LaneTimes _times;
    private readonly ConcurrentDictionary<(ulong KeyHash, long Sequence, bool IsHead), PendingRead> _underWay = new();
    private readonly Thread[] _threads = new Thread[LaneCount];

    // Guarded by _lock.
    private readonly Queue<PendingRead> _queue = new();
    private readonly PendingRead?[] _current = new PendingRead?[LaneCount];
    private int _sleeping;
    private bool _isStopping;

    private volatile int _queued;

    /// <param name="read">Reads; null when the disk failed. Does not throw.</param>
    /// <param name="late">Told of an entry whose callers have not waited for it.</param>
    /// <param name="ended">Told when the last read of a lane has returned and it reads no more.</param>
    /// <param name="times">How long callers and operations may take.</param>
    public ReadLanes(Func<PendingRead, ReadResult?> read, Action<CacheEntry> late, Action ended, LaneTimes times)
    {
        _read = read;
        _late = late;
        _ended = ended;
        _times = times;
        for (int i = 0; i < LaneCount; i++)
        {
            int lane = i;
            _threads[i] = new Thread(() => Run(lane)) { IsBackground = true, Name = $"DiskDistributedCache reader {lane}" };
        }
    }

    /// <summary>In what time somebody, or something, has to be looked after, as far as that is known; null where nobody has to.</summary>
    public TimeSpan? DueIn
    {
        get
        {
            TimeSpan? due = null;
            foreach (var (_, read) in _underWay)
            {
                long began = read.BegunAt;
                if (!read.Task.IsCompleted)
                {
                    due = LaneTimes.Sooner(due, LaneTimes.Left(read.AcceptedAt, _times.Timeout));
                }
                else if (!read.IsStallReported)
                {
                    due = LaneTimes.Sooner(due, began == 0 || read.HasAnswered ? _times.Timeout : LaneTimes.Left(began, _times.LimitFor(read.Where.Length)));
                }
            }

            return due;
        }
    }

    /// <summary>Whether a read that is known to have taken too long has still not returned.</summary>
    public bool IsHanging
    {
        get
        {
            lock (_lock)
            {
                return Array.Exists(_current, read => read is { IsStallReported: true });
            }
        }
    }

    /// <summary>Whether a lane is still at this read.</summary>
    public bool IsStillAt(PendingRead read)
    {
        lock (_lock)
        {
            return Array.IndexOf(_current, read) >= 0;
        }
    }

    public void Start()
    {
        foreach (var thread in _threads)
        {
            thread.UnsafeStart();
        }
    }

    /// <summary>Begins a read, or joins one of the same version. Null when the lanes are stalled or full.</summary>
    /// <param name="key">The key, or null for the head only.</param>
    /// <param name="where">The version.</param>
    public PendingRead? TryEnqueue(in CacheKey? key, in IndexedEntry where)
    {
        if (_underWay.TryGetValue((where.KeyHash, where.Sequence, key is null), out var other) && Nullable.Equals(other.Key, key))
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

            var first = _underWay.GetOrAdd(read.Id, read);
            if (first != read)
            {
                return Nullable.Equals(first.Key, key) ? first : null;
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
            if (LaneTimes.IsOver(read.AcceptedAt, _times.Timeout) && read.TrySetResult(null))
            {
                released++;
            }
        }

        return released;
    }

    /// <summary>The reads that have taken too long for what they read, each once.</summary>
    public IReadOnlyList<PendingRead> TakeStalled()
    {
        List<PendingRead>? stalled = null;
        lock (_lock)
        {
            foreach (var read in _current)
            {
                if (read is { IsStallReported: false, HasAnswered: false } && LaneTimes.IsOver(read.BegunAt, _times.LimitFor(read.Where.Length)))
                {
                    read.IsStallReported = true;
                    (stalled ??= []).Add(read);
                }
            }
        }

        return stalled ?? [];
    }

    /// <summary>Ends the threads, and waits for that as long as the grace time; what still waits is answered "not known".</summary>
    public void Stop(TimeSpan grace)
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

        long began = Stopwatch.GetTimestamp();
        foreach (var thread in _threads)
        {
            var left = grace - Stopwatch.GetElapsedTime(began);
            if (thread.IsAlive)
            {
                thread.Join(left > TimeSpan.Zero ? left : TimeSpan.Zero);
            }
        }
    }

    private bool IsStalled => Array.TrueForAll(_current, read => read is not null && LaneTimes.IsOver(read.BegunAt, _times.Timeout));

    private void Run(int lane)
    {
        while (Next(lane) is { } read)
        {
            var result = TryRead(read);
            _underWay.TryRemove(new KeyValuePair<(ulong, long, bool), PendingRead>(read.Id, read));
            if (!read.TrySetResult(result) && result is { Entry: { } entry })
            {
                _late(entry);
            }
        }

        _ended();
    }

    private ReadResult? TryRead(PendingRead read)
    {
        try
        {
            return _read(read);
        }
        catch (Exception)
        {
            // Whoever reads handles its own trouble. What still gets here must not end the process.
            return null;
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
            read.BegunAt = Stopwatch.GetTimestamp();
            return _current[lane] = read;
        }
    }
}
