using DiskDistributedCache.Entries;

namespace DiskDistributedCache.Tiers;

/// <summary>Where a resident waits. What has no place is no longer in the tier.</summary>
internal enum Place : byte
{
    None = 0,
    Small,
    Main,
    Pinned,
    Retained,
}

/// <summary>
/// A key's seat in the memory tier: what the writers know of it. A newer version of the same key takes over the seat. Readers
/// do not come here, they find the entry in the table. A seat that was given up is never used again.
/// </summary>
internal sealed class Resident(CacheEntry entry, int hash)
{
    // Written under the lock of the tier, read by anyone.
    private volatile CacheEntry _entry = entry;

    public CacheEntry Entry
    {
        get => _entry;
        set => _entry = value;
    }

    public int Hash { get; } = hash;

    public Place Place { get; set; }

    // Guarded by the lock of the tier.
    public Place Home { get; set; }

    /// <summary>Where the seat is in the table. Belongs to the table.</summary>
    public int Slot { get; set; }

    public long WeightBytes { get; set; }

    public Resident? Older { get; set; }

    public Resident? Newer { get; set; }
}

/// <summary>Residents in the order in which they came. Guarded by the lock of the tier, but for what says otherwise.</summary>
internal sealed class ResidentQueue(Place place)
{
    private Resident? _newest;
    private long _bytes;

    public Place Place { get; } = place;

    public Resident? Oldest { get; private set; }

    /// <summary>The weight of all in the queue. May be read without the lock.</summary>
    public long Bytes => Volatile.Read(ref _bytes);

    public void Add(Resident resident)
    {
        resident.Place = Place;
        resident.Older = _newest;
        resident.Newer = null;
        if (_newest is null)
        {
            Oldest = resident;
        }
        else
        {
            _newest.Newer = resident;
        }

        _newest = resident;
        Volatile.Write(ref _bytes, _bytes + resident.WeightBytes);
    }

    /// <summary>Unlinks a resident. Its place stays: on its way to another queue it has not left the tier.</summary>
    public void Remove(Resident resident)
    {
        if (resident.Older is null)
        {
            Oldest = resident.Newer;
        }
        else
        {
            resident.Older.Newer = resident.Newer;
        }

        if (resident.Newer is null)
        {
            _newest = resident.Older;
        }
        else
        {
            resident.Newer.Older = resident.Older;
        }

        resident.Older = null;
        resident.Newer = null;
        Volatile.Write(ref _bytes, _bytes - resident.WeightBytes);
    }

    /// <summary>Empties the queue; who was in it has left the tier.</summary>
    public void Clear()
    {
        while (Oldest is { } oldest)
        {
            Remove(oldest);
            oldest.Place = Place.None;
        }
    }
}
