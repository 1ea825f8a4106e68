using System.Numerics;
using DiskDistributedCache.Entries;

namespace DiskDistributedCache.Tiers;

/// <summary>
/// Finds residents by key: a hash table with open addressing and linear probing, one array of hash and reference.
/// The table of the framework for this job has an object per key and locks of its own; here the writers already hold the
/// lock of the tier, and the object that a key needs is the resident itself.
///
/// Concurrency: readers take no lock. Writers are kept apart by the lock of the tier. A slot's hash is written before its
/// resident is published. A resident never moves within an array, so a reader cannot miss one that stays: a removed one
/// leaves a gravestone, over which readers step, unless nothing lies behind it. When live slots and gravestones fill three
/// quarters of the array, a new array is filled and then published; readers who are still in the old one see the table as
/// it was when they came.
/// </summary>
internal sealed class ResidentTable
{
    private const int MinimumLength = 16;

    // The text of its key is null, which no key that is looked for equals.
    private static readonly Resident s_gravestone = new(new CacheEntry(default, [], [], Expiry.None, 0), 0);

    // Written under the lock of the tier, read by anyone.
    private volatile Slot[] _slots = new Slot[MinimumLength];
    private int _count;

    // Guarded by the lock of the tier: slots that are not empty, gravestones included.
    private int _occupiedCount;

    public int Count => Volatile.Read(ref _count);

    /// <summary>
    /// Everyone who is resident from the first step to the last, each once; who comes or goes meanwhile may be seen or not.
    /// </summary>
    public IEnumerable<Resident> Residents
    {
        get
        {
            var slots = _slots;
            for (int i = 0; i < slots.Length; i++)
            {
                var resident = Volatile.Read(ref slots[i].Resident);
                if (resident is not null && resident.Place != Place.None)
                {
                    yield return resident;
                }
            }
        }
    }

    public Resident? Find(in CacheKey key, int hash)
    {
        var slots = _slots;
        int mask = slots.Length - 1;
        for (int i = hash & mask; ; i = (i + 1) & mask)
        {
            ref var slot = ref slots[i];
            var resident = Volatile.Read(ref slot.Resident);
            if (resident is null)
            {
                return null;
            }

            if (slot.Hash == hash && resident.Key.Equals(key))
            {
                return resident;
            }
        }
    }

    /// <summary>Adds a resident whose key is not in the table.</summary>
    public void Add(Resident resident)
    {
        if (_occupiedCount + 1 > _slots.Length / 4 * 3)
        {
            Rebuild();
        }

        var slots = _slots;
        int i = FreeSlot(slots, resident.Hash);
        if (slots[i].Resident is null)
        {
            _occupiedCount++;
        }

        slots[i].Hash = resident.Hash;
        Volatile.Write(ref slots[i].Resident, resident);
        Volatile.Write(ref _count, _count + 1);
    }

    public void Remove(Resident resident)
    {
        var slots = _slots;
        int mask = slots.Length - 1;
        int i = resident.Hash & mask;
        while (!ReferenceEquals(slots[i].Resident, resident))
        {
            i = (i + 1) & mask;
        }

        Volatile.Write(ref slots[i].Resident, s_gravestone);
        Volatile.Write(ref _count, _count - 1);
        if (slots[(i + 1) & mask].Resident is not null)
        {
            return;
        }

        // Nothing lies behind, so no reader has to step over this gravestone, nor over those right before it.
        for (; ReferenceEquals(slots[i].Resident, s_gravestone); i = (i - 1) & mask)
        {
            Volatile.Write(ref slots[i].Resident, null);
            _occupiedCount--;
        }
    }

    public void Clear()
    {
        _slots = new Slot[MinimumLength];
        _occupiedCount = 0;
        Volatile.Write(ref _count, 0);
    }

    private void Rebuild()
    {
        var slots = new Slot[Math.Max(MinimumLength, (int)BitOperations.RoundUpToPowerOf2((uint)(_count + 1) * 2))];
        foreach (ref readonly var slot in _slots.AsSpan())
        {
            if (slot.Resident is not null && !ReferenceEquals(slot.Resident, s_gravestone))
            {
                slots[FreeSlot(slots, slot.Hash)] = slot;
            }
        }

        _occupiedCount = _count;
        _slots = slots;
    }

    private static int FreeSlot(Slot[] slots, int hash)
    {
        int mask = slots.Length - 1;
        int i = hash & mask;
        while (slots[i].Resident is not null && !ReferenceEquals(slots[i].Resident, s_gravestone))
        {
            i = (i + 1) & mask;
        }

        return i;
    }

    private struct Slot
    {
        public int Hash;
        public Resident? Resident;
    }
}
