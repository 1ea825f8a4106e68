using System.Numerics;
using DiskDistributedCache.Entries;

namespace DiskDistributedCache.Tiers;

/// <summary>
/// Finds entries and their seats by key: a hash table with open addressing and linear probing. The table of the framework for
/// this job has an object per key and locks of its own; here the writers already hold the lock of the tier.
///
/// Layout: two arrays of the same length. A slot has what a reader needs: hash, entry and value. The value is the entry's; it is
/// here too so that the processor fetches its memory together with the entry's and not after it, which is most of what a hit
/// costs where the values are too many for the caches. The seats, which only writers need, are apart.
///
/// Concurrency: readers take no lock. Writers are kept apart by the lock of the tier. A slot's hash is written before its entry
/// is published, and the entry's own key decides, so that a slot that changes hands is not taken for that of another key. A
/// newer version takes over the slot by one write: a reader sees the old entry or the new one and never neither. Nothing depends
/// on the value in the slot: it may be that of another version. A key never moves within an array, so a reader cannot miss one
/// that stays: a removed one leaves a gravestone, over which readers step, unless nothing lies behind it. When live slots and
/// gravestones fill three quarters of the array, new arrays are filled and then published; a reader who is still in the old
/// one sees the table as it was when that reader came, or later.
///
/// Order of effects: a seat is taken before its entry can be found, and changed or given up only after that entry cannot be found
/// any more. So who goes through the seats to find what has to go misses nothing that a later reader could find.
/// </summary>
internal sealed class ResidentTable
{
    private const int MinimumLength = 16;

    // The text of its key is null, which no key that is looked for equals.
    private static readonly CacheEntry s_gravestone = new(default, default, [], Expiry.None, 0);

    // Written under the lock of the tier, read by anyone.
    private volatile Slot[] _slots = new Slot[MinimumLength];
    private volatile Resident?[] _seats = new Resident?[MinimumLength];
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
            var seats = _seats;
            for (int i = 0; i < seats.Length; i++)
            {
                var resident = Volatile.Read(ref seats[i]);
                if (resident is not null && resident.Place != Place.None)
                {
                    yield return resident;
                }
            }
        }
    }

    /// <summary>Prefetches what finding, adding or removing a key touches. Takes no lock.</summary>
    public void Expect(int hash)
    {
        var slots = _slots;
        var seats = _seats;
        Prefetch.Line(in slots[hash & (slots.Length - 1)]);
        Prefetch.Line(in seats[hash & (seats.Length - 1)]);
    }

    /// <summary>The entry of a key. For readers: takes no lock.</summary>
    public CacheEntry? FindEntry(in CacheKey key, int hash)
    {
        var slots = _slots;
        int mask = slots.Length - 1;
        for (int i = hash & mask; ; i = (i + 1) & mask)
        {
            ref var slot = ref slots[i];
            var entry = Volatile.Read(ref slot.Entry);
            if (entry is null)
            {
                return null;
            }

            if (slot.Hash == hash)
            {
                Prefetch.Bytes(slot.Value!, slot.ValueLength);
                if (entry.Has(key))
                {
                    return entry;
                }
            }
        }
    }

    /// <summary>The seat of a key. For writers only.</summary>
    public Resident? Find(in CacheKey key, int hash)
    {
        var slots = _slots;
        int mask = slots.Length - 1;
        for (int i = hash & mask; slots[i].Entry is { } entry; i = (i + 1) & mask)
        {
            if (slots[i].Hash == hash && entry.Has(key))
            {
                return _seats[i];
            }
        }

        return null;
    }

    /// <summary>Adds a resident whose key is not in the table.</summary>
    public void Add(Resident resident)
    {
        if (_occupiedCount + 1 > _slots.Length / 4 * 3)
        {
            Rebuild();
        }

        int i = FreeSlot(_slots, resident.Hash);
        if (_slots[i].Entry is null)
        {
            _occupiedCount++;
        }

        resident.Slot = i;
        Volatile.Write(ref _seats[i], resident);
        _slots[i].Hash = resident.Hash;
        _slots[i].Publish(resident.Entry);
        Volatile.Write(ref _count, _count + 1);
    }

    /// <summary>Puts a newer version of the same key on the seat of a resident.</summary>
    public void Replace(Resident resident, CacheEntry entry)
    {
        _slots[resident.Slot].Publish(entry);
        resident.Entry = entry;
    }

    public void Remove(Resident resident)
    {
        var slots = _slots;
        int mask = slots.Length - 1;
        int i = resident.Slot;
        slots[i].Publish(s_gravestone);
        Volatile.Write(ref _seats[i], null);
        Volatile.Write(ref _count, _count - 1);
        if (slots[(i + 1) & mask].Entry is not null)
        {
            return;
        }

        // Nothing lies behind, so no reader has to step over this gravestone, nor over those right before it.
        for (; ReferenceEquals(slots[i].Entry, s_gravestone); i = (i - 1) & mask)
        {
            Volatile.Write(ref slots[i].Entry, null);
            _occupiedCount--;
        }
    }

    public void Clear()
    {
        _slots = new Slot[MinimumLength];
        _seats = new Resident?[MinimumLength];
        _occupiedCount = 0;
        Volatile.Write(ref _count, 0);
    }

    private void Rebuild()
    {
        int length = Math.Max(MinimumLength, (int)BitOperations.RoundUpToPowerOf2((uint)(_count + 1) * 2));
        var slots = new Slot[length];
        var seats = new Resident?[length];
        for (int old = 0; old < _slots.Length; old++)
        {
            if (_seats[old] is { } resident)
            {
                int i = FreeSlot(slots, resident.Hash);
                slots[i] = _slots[old];
                seats[i] = resident;
                resident.Slot = i;
            }
        }

        _occupiedCount = _count;
        _slots = slots;
        _seats = seats;
    }

    private static int FreeSlot(Slot[] slots, int hash)
    {
        int mask = slots.Length - 1;
        int i = hash & mask;
        while (slots[i].Entry is not null && !ReferenceEquals(slots[i].Entry, s_gravestone))
        {
            i = (i + 1) & mask;
        }

        return i;
    }

    private struct Slot
    {
        public int Hash;
        public int ValueLength;
        public byte[]? Value;

        // Written last. Where it is not null, the others are there.
        public CacheEntry? Entry;

        public void Publish(CacheEntry entry)
        {
            Value = entry.Value.First;
            ValueLength = Value.Length;
            Volatile.Write(ref Entry, entry);
        }
    }
}
