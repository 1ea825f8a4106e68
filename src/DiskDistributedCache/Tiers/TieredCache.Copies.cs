using DiskDistributedCache.Entries;
using DiskDistributedCache.Storage;

namespace DiskDistributedCache.Tiers;

/// <content>
/// Hits that become no entry. Without a memory tier nobody keeps what was read, so a value of which the operating system has the bytes is lent
/// in the buffer of the read, for the caller's copy to be made of, and no array and no entry is allocated for it.
/// </content>
internal sealed partial class TieredCache
{
    /// <summary>Whether there is no memory tier.</summary>
    public bool KeepsNothing => _memory.BudgetBytes <= 0;

    /// <summary>
    /// A hit of a value that is on disk, in the memory of the operating system, and not to be kept. False where that is not so: then an ordinary lookup says
    /// what there is. Only where <see cref="KeepsNothing"/>: it does not look into memory.
    /// </summary>
    /// <param name="key">The key.</param>
    /// <param name="record">To be copied from at once, and disposed of.</param>
    public bool TryBorrowNow(in CacheKey key, out BorrowedRecord record)
    {
        record = default;

        // What slides has to be touched, and what is retained is in memory all the same: both take the ordinary way.
        if (_disk.Locate(key, out var where) != LookupOutcome.Hit
            || where.IsPending
            || where.IsRetained
            || !_disk.TryBorrow(key, where, out record))
        {
            return false;
        }

        if (record.Slides
            || record.HasExpired(Clock.NowTicks)
            || _disk.Barriers.Covers(record.Tags, record.Ticket)
            || !_disk.TryUse(where))
        {
            record.Dispose();
            record = default;
            return false;
        }

        _metrics.DiskHits.Add(1, record.Value.Length);
        return true;
    }
}
