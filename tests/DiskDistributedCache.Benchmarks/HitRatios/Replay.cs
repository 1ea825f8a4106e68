using DiskDistributedCache.Entries;
using DiskDistributedCache.Tiers;

namespace DiskDistributedCache.Benchmarks.HitRatios;

/// <summary>
/// A trace on its way through caches of one size: each request looks its key up, and a miss stores the object. An object heavier
/// than the whole cache is never stored.
/// </summary>
internal sealed class Replay
{
    private readonly Trace _trace;
    private readonly CacheEntry[] _entries;

    public Replay(Trace trace)
    {
        _trace = trace;
        _entries = new CacheEntry[trace.KeyCount];
        for (int number = 0; number < _entries.Length; number++)
        {
            // Values are not needed: weights come from the trace. The sequence number tells the weigher which key it is.
            _entries[number] = new CacheEntry(new CacheKey(KeySpace.Data, trace.KeyOf(number)), default, [], Expiry.None, Expiry.Never);
            _entries[number].Number(number, 0);
        }
    }

    /// <summary>Through the memory tier itself.</summary>
    public HitCount ThroughMemoryTier(CacheSize size)
    {
        var tier = new MemoryTier(size.WeightOf(_trace), evicted: null, entry => WeightOf((int)entry.Sequence, size.Weighting));
        var hits = new HitCount();
        foreach (int number in _trace.Requests)
        {
            bool isHit = tier.TryGet(_entries[number].Key) is not null;
            hits.Count(isHit, _trace.SizeOf(number));
            if (!isHit)
            {
                tier.Put(_entries[number], pinned: false);
            }
        }

        return hits;
    }

    /// <summary>
    /// Through a cache that evicts the least recently used, with the same weights. Its figures on the traces with reference figures
    /// have to equal those, which checks the reader and the arithmetic.
    /// </summary>
    public HitCount ThroughLru(CacheSize size)
    {
        var places = new LinkedListNode<int>?[_trace.KeyCount];
        var byAge = new LinkedList<int>();
        long room = size.WeightOf(_trace);
        var hits = new HitCount();
        foreach (int number in _trace.Requests)
        {
            hits.Count(places[number] is not null, _trace.SizeOf(number));
            if (places[number] is { } place)
            {
                byAge.Remove(place);
                byAge.AddLast(place);
            }
            else if (WeightOf(number, size.Weighting) is var weight && weight <= size.WeightOf(_trace))
            {
                for (room -= weight; room < 0; byAge.RemoveFirst())
                {
                    int oldest = byAge.First!.Value;
                    room += WeightOf(oldest, size.Weighting);
                    places[oldest] = null;
                }

                places[number] = byAge.AddLast(number);
            }
        }

        return hits;
    }

    private long WeightOf(int number, Weighting weighting) => weighting switch
    {
        Weighting.Unit => 1,
        Weighting.Bytes => _trace.SizeOf(number),
        _ => _trace.SizeOf(number) + MemoryTier.WeightOf(_entries[number]),
    };
}
