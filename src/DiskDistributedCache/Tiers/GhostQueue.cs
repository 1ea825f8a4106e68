using System.Runtime.InteropServices;

namespace DiskDistributedCache.Tiers;

/// <summary>
/// Remembers the hashes of keys that a queue evicted, and how much weight it has evicted since. That distance is the
/// question that adaptation asks: a key that comes back after <c>d</c> bytes of evictions would have been a hit if its queue had
/// been <c>d</c> bytes longer. Two keys with the same 32-bit hash are taken for one, which at worst places one entry badly.
///
/// Layout: a ring in the order of eviction. Its slots are chained by hash from an array of heads, both of the same
/// length, a power of two: 20 bytes a key. The ring doubles when it is full of keys that are still remembered and halves when a
/// lap ends at which it is mostly empty.
///
/// Guarded by the lock of the tier.
/// </summary>
internal sealed class GhostQueue
{
    private const int MinimumLength = 16;
    private const int End = -1;
    private const int Taken = -2;

    // Positions count up for ever; the slot of a position is its remainder by the length.
    private Slot[] _ring = new Slot[MinimumLength];
    private int[] _heads = NewHeads(MinimumLength);
    private long _oldest;
    private long _next;
    private long _evictedBytes;

    // Without those that were taken, whose slots stay until the oldest end of the ring has passed them.
    private int _count;

    /// <summary>
    /// Remembers an evicted key and forgets the oldest ones: those more than <paramref name="limitBytes"/> of evictions ago,
    /// and those beyond the last <paramref name="limitCount"/>.
    /// </summary>
    public void Add(int hash, long weightBytes, long limitBytes, int limitCount)
    {
        _evictedBytes += weightBytes;
        while (_oldest < _next && (_count >= limitCount || IsOver(_ring[IndexOf(_oldest)], limitBytes)))
        {
            ForgetOldest();
        }

        FitRing();
        int index = IndexOf(_next++);
        ref int head = ref HeadOf(hash);
        _ring[index] = new Slot { Hash = hash, Next = head, Stamp = _evictedBytes };
        head = index;
        _count++;
    }

    /// <summary>
    /// Forgets a key and says how many bytes were evicted after it. False where the key is not remembered.
    /// </summary>
    public bool TryTake(int hash, out long distanceBytes)
    {
        for (int index = HeadOf(hash); index != End; index = _ring[index].Next)
        {
            if (_ring[index].Hash == hash)
            {
                distanceBytes = _evictedBytes - _ring[index].Stamp;
                Forget(index);
                return true;
            }
        }

        distanceBytes = 0;
        return false;
    }

    public void Clear()
    {
        _ring = new Slot[MinimumLength];
        _heads = NewHeads(MinimumLength);
        _oldest = 0;
        _next = 0;
        _evictedBytes = 0;
        _count = 0;
    }

    private static int[] NewHeads(int length)
    {
        int[] heads = new int[length];
        Array.Fill(heads, End);
        return heads;
    }

    private bool IsOver(in Slot slot, long limitBytes) => slot.Next == Taken || _evictedBytes - slot.Stamp > limitBytes;

    private int IndexOf(long position) => (int)(position & (_ring.Length - 1));

    private ref int HeadOf(int hash) => ref _heads[hash & (_heads.Length - 1)];

    private void ForgetOldest()
    {
        int index = IndexOf(_oldest++);
        if (_ring[index].Next != Taken)
        {
            Forget(index);
        }
    }

    private void Forget(int index)
    {
        ref int link = ref HeadOf(_ring[index].Hash);
        while (link != index)
        {
            link = ref _ring[link].Next;
        }

        link = _ring[index].Next;
        _ring[index].Next = Taken;
        _count--;
    }

    private void FitRing()
    {
        long held = _next - _oldest;
        if (held == _ring.Length)
        {
            Resize(_count > _ring.Length / 2 ? _ring.Length * 2 : _ring.Length);
        }
        else if (IndexOf(_next) == 0 && _ring.Length > MinimumLength && held < _ring.Length / 4)
        {
            Resize(_ring.Length / 2);
        }
    }

    private void Resize(int length)
    {
        var from = _ring;
        long oldest = _oldest;
        long next = _next;
        _ring = new Slot[length];
        _heads = NewHeads(length);
        _oldest = 0;
        _next = 0;
        for (long position = oldest; position < next; position++)
        {
            var slot = from[position & (from.Length - 1)];
            if (slot.Next != Taken)
            {
                int index = IndexOf(_next++);
                ref int head = ref HeadOf(slot.Hash);
                _ring[index] = slot with { Next = head };
                head = index;
            }
        }
    }

    [StructLayout(LayoutKind.Sequential, Pack = 4)]
    private record struct Slot
    {
        public int Hash;
        public int Next;
        public long Stamp;
    }
}
