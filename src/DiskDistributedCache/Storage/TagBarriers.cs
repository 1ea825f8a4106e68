using System.Collections.Concurrent;

namespace DiskDistributedCache.Storage;

/// <summary>
/// The tag evictions and clears that still matter: an entry is dead when one of its tags was evicted, or everything was
/// cleared, after the entry's ticket. So an eviction costs the same whatever the number of entries that it kills.
///
/// A barrier is forgotten when the segment that holds its record is erased: by then no record that it kills is left on disk,
/// because reclaim is first in, first out and the writer appends nothing that a barrier covers. The highest forgotten number is
/// the <see cref="Floor"/>: a value with an older ticket can no longer be judged and is not stored. Above
/// <see cref="MaxBarriers"/> the older half is merged into one clear barrier, which kills more, never less.
///
/// Concurrency: reads take no lock. Writers may be many; numbers only grow.
/// </summary>
internal sealed class TagBarriers
{
    public const int MaxBarriers = 100_000;

    private readonly ConcurrentDictionary<string, Barrier> _barriers = new(StringComparer.Ordinal);
    private long _clearedBelow;
    private long _floor;

    public int Count => _barriers.Count;

    /// <summary>Entries with an older ticket were cleared.</summary>
    public long ClearedBelow => Volatile.Read(ref _clearedBelow);

    /// <summary>Entries with an older ticket cannot be judged any more.</summary>
    public long Floor => Volatile.Read(ref _floor);

    public bool Covers(string[] tags, long ticket)
    {
        if (ticket < ClearedBelow)
        {
            return true;
        }

        foreach (string tag in tags)
        {
            if (_barriers.TryGetValue(tag, out var barrier) && ticket < barrier.Sequence)
            {
                return true;
            }
        }

        return false;
    }

    public void Evict(string tag, long sequence) => Add(tag, new Barrier(sequence, long.MaxValue));

    public void Clear(long sequence) => Raise(ref _clearedBelow, sequence);

    /// <summary>The eviction's record is in this segment now.</summary>
    public void Place(string tag, long sequence, long segment)
    {
        if (_barriers.TryGetValue(tag, out var barrier) && barrier.Sequence == sequence)
        {
            _barriers.TryUpdate(tag, barrier with { Segment = segment }, barrier);
        }
    }

    /// <summary>Recovery: an eviction that was found in a segment.</summary>
    public void Recover(string tag, long sequence, long segment) => Add(tag, new Barrier(sequence, segment));

    /// <summary>Recovery: what is earlier in the log than a hole is dropped, barriers too.</summary>
    public void ForgetAll() => _barriers.Clear();

    /// <summary>
    /// Forgets the barriers whose records were in segments up to this one. Before, memory and queue must have been swept of what
    /// they kill.
    /// </summary>
    public void Forget(long upToSegment)
    {
        foreach (var (tag, barrier) in _barriers)
        {
            if (barrier.Segment <= upToSegment)
            {
                // First the floor: in between, whoever finds no barrier has to find the floor.
                Raise(ref _floor, barrier.Sequence);
                _barriers.TryRemove(new KeyValuePair<string, Barrier>(tag, barrier));
            }
        }
    }

    public bool HasBarriersUpTo(long segment)
    {
        foreach (var (_, barrier) in _barriers)
        {
            if (barrier.Segment <= segment)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>
    /// Where there are too many barriers, replaces the older half by one clear barrier and returns its number, which then has to be
    /// logged; otherwise 0.
    /// </summary>
    public long MergeWhenTooMany()
    {
        if (_barriers.Count <= MaxBarriers)
        {
            return 0;
        }

        var oldest = _barriers.ToArray();
        Array.Sort(oldest, (a, b) => a.Value.Sequence.CompareTo(b.Value.Sequence));
        long merged = oldest[oldest.Length / 2].Value.Sequence;
        Clear(merged);
        foreach (var pair in oldest.AsSpan(0, (oldest.Length / 2) + 1))
        {
            _barriers.TryRemove(pair);
        }

        return merged;
    }

    /// <summary>Gives every barrier a number that is higher by this much: the store was opened after they were made.</summary>
    public void Renumber(long by)
    {
        foreach (var (tag, barrier) in _barriers)
        {
            _barriers.TryUpdate(tag, barrier with { Sequence = barrier.Sequence + by }, barrier);
        }

        if (ClearedBelow > 0)
        {
            Interlocked.Add(ref _clearedBelow, by);
        }
    }

    /// <summary>Adds every barrier to another table, where the newer of two rules.</summary>
    public void MergeInto(TagBarriers other)
    {
        foreach (var (tag, barrier) in _barriers)
        {
            other.Add(tag, barrier);
        }

        other.Clear(ClearedBelow);
    }

    private void Add(string tag, Barrier added) =>
        _barriers.AddOrUpdate(tag, added, (_, known) => known.Sequence >= added.Sequence ? known : added);

    private static void Raise(ref long number, long to)
    {
        long seen = Volatile.Read(ref number);
        while (to > seen)
        {
            long before = Interlocked.CompareExchange(ref number, to, seen);
            if (before == seen)
            {
                return;
            }

            seen = before;
        }
    }

    private readonly record struct Barrier(long Sequence, long Segment);
}
