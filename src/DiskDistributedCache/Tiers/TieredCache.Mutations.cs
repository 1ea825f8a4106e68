using DiskDistributedCache.Diagnostics;
using DiskDistributedCache.Entries;
using DiskDistributedCache.Storage;

namespace DiskDistributedCache.Tiers;

/// <content>
/// The mutations, and what keeps values in memory that are not on disk, or that must not be lost.
///
/// A value that is retained (<see cref="KeyRetention"/>) is in memory as long as it lives, whatever else has to go. Where one is lost all
/// the same, because there are too many or its record is corrupt, everything is cleared: what it may have invalidated must not outlive it.
/// </content>
internal sealed partial class TieredCache
{
    /// <summary>
    /// Stores an entry in place of what the key had. The entry's arrays belong to the cache from here on. Where a ticket was taken
    /// before the value was made and an eviction or a clear has come since, nothing is stored, and what the key had goes too; where that is
    /// retained, so does everything.
    /// </summary>
    public Acknowledgement Set(CacheEntry entry, Ticket ticket = default)
    {
        entry.IsRetained = IsRetained(entry.Key);
        if (entry.Value.Length > MaxEntryBytes
            || RecordFormat.LengthOf(entry) > _maxRecordBytes
            || (entry.IsRetained && !HasRetainRoom(entry)))
        {
            return Refuse(entry.Key, entry.Value.Length);
        }

        var mutation = Mutation.Of(entry, ticket);
        _disk.Encode(mutation);
        return Mutate(mutation);
    }

    /// <summary>Does not store a value that is too large; an older version of its key goes too.</summary>
    public Acknowledgement Refuse(CacheKey key, long valueBytes)
    {
        if (_metrics.CountOversizedEntry() == 1)
        {
            Log.EntryOversized(_logger, valueBytes, MaxEntryBytes);
        }

        if (IsRetained(key))
        {
            LoseRetained();
        }

        return Remove(key);
    }

    /// <summary>What a value is to be stored with that is about to be made from data as it is now.</summary>
    public Ticket TakeTicket() => _disk.TakeTicket();

    /// <summary>Whether the value of a key must not be lost before what is older than it; then unknown is never told as a miss.</summary>
    public bool IsRetained(in CacheKey key) => _retention.Covers(key);

    public Acknowledgement Remove(CacheKey key) => Mutate(new Mutation(RecordKind.Removal) { Key = key });

    public Acknowledgement EvictByTag(string tag)
    {
        if (RecordFormat.LengthOfEviction(tag) > _maxRecordBytes)
        {
            // No entry with such a tag is small enough to be stored, unless the limits were larger once.
            return Clear();
        }

        var acknowledgement = Accept(new Mutation(RecordKind.TagEviction) { Tag = tag });
        if (_disk.MergeWhenTooMany())
        {
            // What it has killed and is retained must not count among what is kept.
            SweepMemory();
            DiskTier.Elsewhere(() => Log.EvictionsMerged(_logger, TagBarriers.MaxBarriers));
        }

        return acknowledgement;
    }

    public Acknowledgement Clear()
    {
        // Not the number that it has later: where the store opens meanwhile, what was set after it may have its old number for a moment longer.
        var acknowledgement = Accept(new Mutation(RecordKind.Clear), out long sequence);
        _memory.RemoveWhere(entry => entry.Ticket < sequence);
        return acknowledgement;
    }

    private Acknowledgement Mutate(Mutation mutation)
    {
        lock (LockOf(mutation.Key))
        {
            return Accept(mutation);
        }
    }

    /// <summary>The order of effects of the class head. Memory follows at once for a single key; tags and clears are checked at each hit.</summary>
    private Acknowledgement Accept(Mutation mutation) => Accept(mutation, out _);

    private Acknowledgement Accept(Mutation mutation, out long sequence)
    {
        bool isStarting = _disk.EnterWhileStarting();
        try
        {
            if (!_disk.TryNumber(mutation))
            {
                if (mutation.Entry is { IsRetained: true })
                {
                    // What its key has goes too, and that is not to be lost before what is older than it.
                    sequence = 0;
                    return LoseRetained();
                }

                mutation = new Mutation(RecordKind.Removal) { Key = mutation.Key };
                _disk.TryNumber(mutation);
            }

            sequence = mutation.Sequence;
            _metrics.CountMutation(mutation.Kind - RecordKind.Value + MutationKind.Set);
            if (mutation.Kind is RecordKind.Value or RecordKind.Removal)
            {
                PutInMemory(mutation);
            }

            return _disk.Enqueue(mutation);
        }
        finally
        {
            if (isStarting)
            {
                _disk.LeaveWhileStarting();
            }
        }
    }

    /// <summary>
    /// A value that is not on disk yet is pinned. Where too much is pinned already the oldest owed values make room; where the room
    /// is taken by values whose callers still wait, the new one is not kept in memory: its caller waits too, and until it is on
    /// disk it is unknown.
    /// </summary>
    private void PutInMemory(Mutation mutation)
    {
        if (mutation.Entry is { } entry && (entry.IsRetained || HasPinRoom(MemoryTier.WeightOf(entry), mutation.Key)))
        {
            _memory.Put(entry, pinned: true);
        }
        else
        {
            _memory.Remove(mutation.Key);
        }
    }

    private static long PinLimitOf(long budgetBytes) => budgetBytes == 0 ? MinPinnedBytes : budgetBytes / 2;

    private bool HasPinRoom(long weight, in CacheKey key)
    {
        long limit = PinLimitOf(_memory.BudgetBytes);
        if (_memory.PinnedBytes + weight <= limit)
        {
            return true;
        }

        if (weight > limit)
        {
            // Not for all that is owed.
            return false;
        }

        _memory.Remove(key);
        _disk.DropOwed(_memory.PinnedBytes + weight - limit);
        return _memory.PinnedBytes + weight <= limit;
    }

    /// <summary>What is retained goes first: a kill in between must not leave what it has invalidated without it.</summary>
    private void WriteBack(bool retainedOnly)
    {
        _disk.WriteBack(_memory.Entries.Where(entry => entry.IsRetained), TryPend);
        if (!retainedOnly)
        {
            _disk.WriteBack(_memory.Entries, TryPend);
        }
    }

    /// <summary>During a recovery: whether an entry in memory is to be written; see <see cref="DiskTier.WriteBack"/>.</summary>
    private bool TryPend(CacheEntry entry)
    {
        lock (LockOf(entry.Key))
        {
            return ReferenceEquals(_memory.Peek(entry.Key), entry)
                && !entry.IsExpired(Clock.NowTicks)
                && !_disk.Barriers.Covers(entry.Tags, entry.Ticket)
                && _disk.TryPend(entry);
        }
    }

    /// <summary>
    /// Whether one more value can be retained. Where there are too many, those that have expired go first; then everything does, once,
    /// and with it what they were kept for.
    /// </summary>
    private bool HasRetainRoom(CacheEntry entry)
    {
        if (RetainedBytesWith(entry) <= _maxRetainedBytes)
        {
            return true;
        }

        long now = Clock.NowTicks;
        _memory.RemoveWhere(other => other.IsRetained && other.IsExpired(now));
        if (MemoryTier.WeightOf(entry) > _maxRetainedBytes)
        {
            return false;
        }

        if (RetainedBytesWith(entry) > _maxRetainedBytes)
        {
            LoseRetained();
        }

        return true;
    }

    /// <summary>What is retained once this entry has taken the place of what its key has.</summary>
    private long RetainedBytesWith(CacheEntry entry)
    {
        long replaced = _memory.Peek(entry.Key) is { IsRetained: true } before ? MemoryTier.WeightOf(before) : 0;
        return _memory.RetainedBytes + MemoryTier.WeightOf(entry) - replaced;
    }

    private Acknowledgement LoseRetained()
    {
        // Elsewhere: a caller is here, and may have locks.
        DiskTier.Elsewhere(() => Log.RetainedLost(_logger));
        return Clear();
    }
}
