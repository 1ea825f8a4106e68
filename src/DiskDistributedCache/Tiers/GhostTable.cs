using System.Runtime.InteropServices;

namespace DiskDistributedCache.Tiers;

/// <summary>
/// Remembers the hashes of keys that were evicted, from which queue, and how much weight that queue has evicted since. That distance
/// is the question that adaptation asks: a key that comes back after <c>d</c> bytes of evictions would have been a hit if its queue had
/// been <c>d</c> bytes longer. Two keys with the same 32-bit hash are taken for one, which at worst places one entry badly.
///
/// Layout: buckets of 5 slots, 60 bytes, so that remembering a key and asking for one touch one place in memory each. A key that comes to a
/// full bucket takes the place of the one that is furthest behind, so that nothing has to be looked for in order to be forgotten. There are
/// slots for twice as many keys as there are residents, made anew where that becomes too few, or half of them would do.
///
/// Guarded by the lock of the tier, but for what says otherwise.
/// </summary>
internal sealed class GhostTable
{
    private const int SlotsPerBucket = 5;
    private const int MinimumBuckets = 4;
    private const int GhostsPerResident = 2;
    private const uint Scatter = 0x9E3779B1;

    private Slot[] _slots = new Slot[MinimumBuckets * SlotsPerBucket];
    private long _smallBytes;
    private long _mainBytes;

    /// <summary>Remembers a key that leaves a queue, while there are so many residents.</summary>
    public void Add(int hash, Place queue, long weightBytes, int residentCount)
    {
        Fit(residentCount);
        long evictedBytes = queue == Place.Main ? _mainBytes += weightBytes : _smallBytes += weightBytes;
        Put(new Slot(hash, queue, evictedBytes));
    }

    /// <summary>
    /// Forgets a key, and says which queue it left and how many bytes that queue evicted afterwards. False where the key is not remembered.
    /// </summary>
    public bool TryTake(int hash, out Place queue, out long distanceBytes)
    {
        foreach (ref var slot in BucketOf(hash))
        {
            if (slot.Hash == hash && !slot.IsFree)
            {
                queue = slot.Queue;
                distanceBytes = DistanceOf(slot);
                slot = default;
                return true;
            }
        }

        queue = Place.None;
        distanceBytes = 0;
        return false;
    }

    public void Clear()
    {
        _slots = new Slot[MinimumBuckets * SlotsPerBucket];
        _smallBytes = 0;
        _mainBytes = 0;
    }

    /// <summary>Prefetches what remembering or taking a key touches. Takes no lock.</summary>
    public void Expect(int hash)
    {
        var bucket = BucketOf(hash);
        Prefetch.Line(in bucket[0]);
        Prefetch.Line(in bucket[^1]);
    }

    private void Put(Slot ghost)
    {
        var bucket = BucketOf(ghost.Hash);
        ref var furthest = ref bucket[0];
        foreach (ref var slot in bucket)
        {
            if (slot.IsFree)
            {
                slot = ghost;
                return;
            }

            if (BehindOf(slot) > BehindOf(furthest))
            {
                furthest = ref slot;
            }
        }

        furthest = ghost;
    }

    private long DistanceOf(in Slot slot) => (slot.Queue == Place.Main ? _mainBytes : _smallBytes) - slot.Stamp;

    /// <summary>How far a ghost is behind. One of the main queue is of use for a window, others for the whole space.</summary>
    private long BehindOf(in Slot slot) => slot.Queue == Place.Main ? EvictionOrder.WindowsPerSpace * DistanceOf(slot) : DistanceOf(slot);

    private Span<Slot> BucketOf(int hash)
    {
        var slots = _slots;
        uint buckets = (uint)slots.Length / SlotsPerBucket;
        int bucket = (int)(((ulong)((uint)hash * Scatter) * buckets) >> 32);
        return slots.AsSpan(bucket * SlotsPerBucket, SlotsPerBucket);
    }

    private void Fit(int residentCount)
    {
        int buckets = _slots.Length / SlotsPerBucket;
        int least = Math.Max(MinimumBuckets, (int)((long)GhostsPerResident * residentCount / SlotsPerBucket));
        if (least <= buckets && least * 2 >= buckets - MinimumBuckets)
        {
            return;
        }

        var ghosts = _slots;
        _slots = new Slot[(least + (least / 4)) * SlotsPerBucket];
        foreach (var ghost in ghosts)
        {
            if (!ghost.IsFree)
            {
                Put(ghost);
            }
        }
    }

    /// <summary>Place and stamp are one number, which is never 0 where there is a ghost.</summary>
    [StructLayout(LayoutKind.Sequential, Pack = 4)]
    private readonly struct Slot(int hash, Place queue, long evictedBytes)
    {
        private readonly long _stampAndQueue = (evictedBytes << 1) | (queue == Place.Main ? 1L : 0);

        public int Hash { get; } = hash;

        public bool IsFree => _stampAndQueue == 0;

        public Place Queue => (_stampAndQueue & 1) != 0 ? Place.Main : Place.Small;

        /// <summary>How much the queue had evicted when the key left it, the key included.</summary>
        public long Stamp => _stampAndQueue >> 1;
    }
}
