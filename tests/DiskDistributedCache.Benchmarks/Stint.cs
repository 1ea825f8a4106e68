using System.Diagnostics;

namespace DiskDistributedCache.Benchmarks;

/// <summary>
/// The end of a turn, the same for all of its callers: a time, or a number of operations that they take from together.
/// Turns end by time, and not after a fixed number of operations, because a store may now and then wait 150 ms for a lock:
/// in a short turn such a wait at the end would decide the figure.
/// </summary>
internal sealed class TurnLimit(TimeSpan duration, long maxOperations, int handful)
{
    private long _started;
    private long _taken;

    /// <summary>Since the first operation of any caller began.</summary>
    public TimeSpan Elapsed => Stopwatch.GetElapsedTime(_started);

    /// <summary>How many operations are taken at a time.</summary>
    public int Handful => handful;

    /// <summary>Whether the turn is over because of the operations, and not of the time.</summary>
    public bool IsSpent => Volatile.Read(ref _taken) > maxOperations;

    /// <summary>Takes a handful of operations; false when the turn is over.</summary>
    public bool TryTake()
    {
        if (Volatile.Read(ref _started) == 0)
        {
            Interlocked.CompareExchange(ref _started, Stopwatch.GetTimestamp(), 0);
        }

        return Elapsed < duration && Interlocked.Add(ref _taken, handful) <= maxOperations;
    }
}

/// <summary>One caller's share of a turn: it works while <see cref="GoesOn"/>. One thread at a time.</summary>
internal sealed class Stint(int caller, TurnLimit limit)
{
    private int _left;

    public int Caller => caller;

    public long Operations { get; private set; }

    /// <summary>When the stint was over, since the turn began.</summary>
    public TimeSpan Ended { get; private set; }

    /// <summary>Asked before each operation; the first false ends the stint.</summary>
    public bool GoesOn()
    {
        if (_left == 0)
        {
            if (!limit.TryTake())
            {
                Ended = limit.Elapsed;
                return false;
            }

            _left = limit.Handful;
        }

        _left--;
        Operations++;
        return true;
    }
}
