using DiskDistributedCache.Entries;

namespace DiskDistributedCache.Tiers;

/// <summary>
/// The memory tier: entries by key within a budget of bytes. It knows nothing of expiry, barriers or disk; the caller
/// checks those. Who leaves when room is needed is up to <see cref="EvictionOrder"/>.
///
/// An entry that is not yet on disk is pinned: it waits apart, is never evicted, and joins the order of eviction when it is
/// unpinned. Pinned entries count against the budget, so the others make room for them. A newer version of a key takes over
/// the seat of the older one with its home and frequency, and starts at the young end. An entry that is retained is like a pinned
/// one that is never unpinned; it stays until it is removed.
///
/// Room is made for a little more than is needed (<see cref="LowWatermarkPart"/>), so that a full tier does not evict at every put.
///
/// Concurrency: a hit takes no lock and touches nothing but slot, entry and value. It writes only what changes, so that entries
/// which are hit all the time stay in the cache of every core. Whatever changes the structure takes one short lock. Callers
/// keep puts and removals of the same key apart; different keys need no care.
/// Order of effects: room is made before an entry is added, so <see cref="Bytes"/> is never above the budget except by
/// pinned entries. The callback is called after the lock is released, for what left because of space and for nothing else; it
/// must not throw.
/// </summary>
internal sealed class MemoryTier
{
    /// <summary>
    /// What an entry takes beyond its own bytes: objects of the entry, of its key and value, its seat and slot, and its part of
    /// the ghosts. Measured; a test compares it with the process.
    /// </summary>
    public const int OverheadBytes = 296;

    /// <summary>What a piece of a value that is not one array takes beyond its bytes.</summary>
    public const int PieceOverheadBytes = 32;

    /// <summary>What a tag takes beyond its characters: its string, and its part of the array.</summary>
    public const int TagOverheadBytes = 48;

    /// <summary>The part of the budget that is left free when room is made.</summary>
    public const int LowWatermarkPart = 256;

    /// <summary>What a lower budget evicts at once.</summary>
    private const int StepBytes = 1 << 20;

    private readonly Action<CacheEntry>? _evicted;
    private readonly Func<CacheEntry, long> _weigher;
    private readonly Lock _lock = new();

    // Written under the lock, read by anyone.
    private readonly ResidentTable _table = new();
    private readonly ResidentQueue _pinned = new(Place.Pinned);
    private readonly ResidentQueue _retained = new(Place.Retained);
    private long _bytes;
    private long _budgetBytes;
    private long _evictedCount;

    // Guarded by the lock. Leaving are the evicted that the callback has not been told of, chained by Newer.
    private readonly EvictionOrder _order = new();
    private Resident? _leaving;

    /// <param name="budgetBytes">The most that all entries may weigh, pinned ones aside; 0 keeps pinned ones only.</param>
    /// <param name="evicted">Told of each entry that leaves because of space; see the class.</param>
    /// <param name="weigher">
    /// Says what an entry weighs, at least 1, always the same; <see cref="WeightOf"/> where it is null. For replaying traces.
    /// </param>
    public MemoryTier(long budgetBytes, Action<CacheEntry>? evicted = null, Func<CacheEntry, long>? weigher = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(budgetBytes);
        _budgetBytes = budgetBytes;
        _evicted = evicted;
        _weigher = weigher ?? WeightOf;
    }

    /// <summary>The budget. Lowering it evicts before the new value can be seen, in steps, between which others get the lock.</summary>
    public long BudgetBytes
    {
        get => Volatile.Read(ref _budgetBytes);
        set
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value);
            for (long step = Bytes - StepBytes; step > value; step -= StepBytes)
            {
                Lower(step, _budgetBytes);
            }

            Lower(value, value);
        }
    }

    private void Lower(long bytes, long budgetBytes)
    {
        Resident? leaving;
        lock (_lock)
        {
            MakeRoom(0, bytes);
            Volatile.Write(ref _budgetBytes, budgetBytes);
            leaving = TakeLeaving();
        }

        Report(leaving);
    }

    /// <summary>The weight of all entries, pinned ones included.</summary>
    public long Bytes => Volatile.Read(ref _bytes);

    /// <summary>How many entries there are, pinned ones included.</summary>
    public int Count => _table.Count;

    /// <summary>How many entries have left because of space.</summary>
    public long EvictedCount => Volatile.Read(ref _evictedCount);

    /// <summary>The weight of the pinned entries, those that are retained aside.</summary>
    public long PinnedBytes => _pinned.Bytes;

    /// <summary>The weight of the entries that are retained.</summary>
    public long RetainedBytes => _retained.Bytes;

    /// <summary>What is in the tier, without order and without a lock: what comes or goes meanwhile may be seen or not.</summary>
    public IEnumerable<CacheEntry> Entries => _table.Residents.Select(resident => resident.Entry);

    /// <summary>The entries that were hit since they were put, or since they were last asked for here.</summary>
    public IEnumerable<CacheEntry> TakeUsed()
    {
        foreach (var entry in Entries.Where(entry => entry.WasHit))
        {
            entry.WasHit = false;
            yield return entry;
        }
    }

    /// <summary>What an entry weighs, as near to the memory that it takes as can be had without asking the collector.</summary>
    public static long WeightOf(CacheEntry entry)
    {
        int pieces = entry.Value.PieceCount;
        long bytes = OverheadBytes + entry.Value.Length + (pieces > 1 ? pieces * PieceOverheadBytes : 0) + (2L * entry.Key.Text.Length);
        foreach (string tag in entry.Tags)
        {
            bytes += TagOverheadBytes + (2L * tag.Length);
        }

        return bytes;
    }

    /// <summary>The entry of a key, which counts as used from now on; null where there is none.</summary>
    public CacheEntry? TryGet(in CacheKey key)
    {
        var entry = _table.FindEntry(key, key.GetHashCode());
        if (entry is null)
        {
            return null;
        }

        if (entry.Frequency < EvictionOrder.MaximumFrequency)
        {
            entry.Frequency++;
        }

        if (!entry.WasHit)
        {
            entry.WasHit = true;
        }

        return entry;
    }

    /// <summary>The entry of a key, which does not count as used; null where there is none.</summary>
    public CacheEntry? Peek(in CacheKey key) => _table.FindEntry(key, key.GetHashCode());

    /// <summary>
    /// Stores an entry in place of what its key has. False where it is not pinned and too heavy for what the pinned ones leave
    /// of the budget: then nothing is stored, and what the key had is gone all the same.
    /// </summary>
    public bool Put(CacheEntry entry, bool pinned)
    {
        long weightBytes = _weigher(entry);
        int hash = entry.Key.GetHashCode();
        Expect(hash);
        bool stored;
        Resident? leaving;
        lock (_lock)
        {
            stored = PutLocked(entry, hash, weightBytes, pinned);
            leaving = TakeLeaving();
        }

        Report(leaving);
        return stored;
    }

    /// <summary>Lets a pinned entry be evicted from now on. Does nothing unless this very object is pinned.</summary>
    public void Unpin(CacheEntry entry)
    {
        Resident? leaving;
        lock (_lock)
        {
            var resident = FindSame(entry);
            if (resident?.Place != Place.Pinned)
            {
                return;
            }

            if (resident.WeightBytes > _budgetBytes - (HeldBytes - resident.WeightBytes))
            {
                // It does not fit beside the pinned ones, which are all that is left in this case.
                Detach(resident);
                Leave(resident);
            }
            else
            {
                // It is within the budget already: unpinned entries stay only as long as all together are.
                _pinned.Remove(resident);
                _order.Add(resident);
            }

            leaving = TakeLeaving();
        }

        Report(leaving);
    }

    /// <summary>The entry that has been pinned for longest; null where none is.</summary>
    public CacheEntry? OldestPinned()
    {
        lock (_lock)
        {
            return _pinned.Oldest?.Entry;
        }
    }

    /// <summary>Removes what the key has, pinned or not. False where it has nothing.</summary>
    public bool Remove(in CacheKey key)
    {
        lock (_lock)
        {
            return Detach(_table.Find(key, key.GetHashCode()));
        }
    }

    /// <summary>Removes the entry if this very object is what its key has.</summary>
    public bool RemoveIfSame(CacheEntry entry)
    {
        lock (_lock)
        {
            return Detach(FindSame(entry));
        }
    }

    /// <summary>Removes the entries that are there at the call and fulfil the predicate, which runs outside the lock.</summary>
    public void RemoveWhere(Func<CacheEntry, bool> predicate)
    {
        foreach (var entry in Entries)
        {
            if (predicate(entry))
            {
                RemoveIfSame(entry);
            }
        }
    }

    /// <summary>Removes everything, pinned or not, and forgets what was evicted before.</summary>
    public void Clear()
    {
        lock (_lock)
        {
            _table.Clear();
            _order.Clear();
            _pinned.Clear();
            _retained.Clear();
            Volatile.Write(ref _bytes, 0);
        }
    }

    private bool PutLocked(CacheEntry entry, int hash, long weightBytes, bool pinned)
    {
        var resident = _table.Find(entry.Key, hash);
        long replacedBytes = resident?.Place is Place.Pinned or Place.Retained ? resident.WeightBytes : 0;
        bool isHeld = pinned || entry.IsRetained;
        if (!isHeld && weightBytes > _budgetBytes - (HeldBytes - replacedBytes))
        {
            Detach(resident);
            return false;
        }

        // Out of its queue, so that making room cannot evict it; still in the table, so that readers find the old version.
        bool isNew = resident is null;
        resident ??= new Resident(entry, hash) { Home = _order.HomeOf(hash, weightBytes, SpaceBytes(_budgetBytes)) };
        if (!isNew)
        {
            TakeFromQueue(resident);
        }

        MakeRoom(weightBytes, _budgetBytes);
        entry.Frequency = isNew ? (byte)0 : resident.Entry.Frequency;
        entry.WasHit = false;
        resident.WeightBytes = weightBytes;
        if (isHeld)
        {
            (entry.IsRetained ? _retained : _pinned).Add(resident);
        }
        else
        {
            _order.Add(resident);
        }

        Volatile.Write(ref _bytes, _bytes + weightBytes);
        if (isNew)
        {
            _table.Add(resident);
        }
        else
        {
            _table.Replace(resident, entry);
        }

        return true;
    }

    /// <summary>Evicts until the weight fits into the budget, with some room to spare, or only pinned entries are left.</summary>
    private void MakeRoom(long weightBytes, long budgetBytes)
    {
        if (weightBytes <= budgetBytes - _bytes)
        {
            return;
        }

        long spareBytes = budgetBytes / LowWatermarkPart;
        while (weightBytes + spareBytes > budgetBytes - _bytes && !_order.IsEmpty)
        {
            if (_order.Pass(SpaceBytes(budgetBytes), _table.Count) is { } resident)
            {
                if (_order.NextAfter(resident) is { } next)
                {
                    Expect(next.Hash);
                }

                Unseat(resident);
                Volatile.Write(ref _bytes, _bytes - resident.WeightBytes);
                Leave(resident);
            }
        }
    }

    /// <summary>A key is about to come or to go. What that touches lies far apart; prefetched, it is waited for once.</summary>
    private void Expect(int hash)
    {
        _table.Expect(hash);
        _order.Expect(hash);
    }

    private long HeldBytes => _pinned.Bytes + _retained.Bytes;

    /// <summary>What the pinned entries leave of the budget; at least 1, so that it can be divided by.</summary>
    private long SpaceBytes(long budgetBytes) => Math.Max(1, budgetBytes - HeldBytes);

    private Resident? FindSame(CacheEntry entry)
    {
        var resident = _table.Find(entry.Key, entry.Key.GetHashCode());
        return ReferenceEquals(resident?.Entry, entry) ? resident : null;
    }

    private bool Detach(Resident? resident)
    {
        if (resident is null)
        {
            return false;
        }

        TakeFromQueue(resident);
        Unseat(resident);
        return true;
    }

    private void Unseat(Resident resident)
    {
        _table.Remove(resident);
        resident.Place = Place.None;
    }

    private void TakeFromQueue(Resident resident)
    {
        if (resident.Place == Place.Pinned)
        {
            _pinned.Remove(resident);
        }
        else if (resident.Place == Place.Retained)
        {
            _retained.Remove(resident);
        }
        else
        {
            _order.Remove(resident);
        }

        Volatile.Write(ref _bytes, _bytes - resident.WeightBytes);
    }

    private void Leave(Resident resident)
    {
        Volatile.Write(ref _evictedCount, _evictedCount + 1);
        if (_evicted is not null)
        {
            resident.Newer = _leaving;
            _leaving = resident;
        }
    }

    private Resident? TakeLeaving()
    {
        var leaving = _leaving;
        _leaving = null;
        return leaving;
    }

    private void Report(Resident? leaving)
    {
        while (leaving is not null)
        {
            var next = leaving.Newer;
            leaving.Newer = null;
            _evicted!(leaving.Entry);
            leaving = next;
        }
    }
}
