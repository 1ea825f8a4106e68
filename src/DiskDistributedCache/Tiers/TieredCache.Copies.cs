using System.Buffers;
using DiskDistributedCache.Entries;

namespace DiskDistributedCache.Tiers;

/// <content>
/// Hits that become no entry. Without a memory tier nobody keeps what was read, so a value of which the operating system has the bytes goes
/// from the buffer of the read to the caller's writer, and nothing is allocated for it.
/// </content>
internal sealed partial class TieredCache
{
    /// <summary>Whether there is no memory tier.</summary>
    public bool KeepsNothing => _memory.BudgetBytes <= 0;

    /// <summary>
    /// Writes a value to the caller's writer that is on disk, in the memory of the operating system, and not to be kept. Returns its
    /// length, or -1 where that is not so and nothing was written: then an ordinary lookup says what there is. Only where
    /// <see cref="KeepsNothing"/>: it does not look into memory.
    /// </summary>
    /// <exception cref="Exception">What the writer throws.</exception>
    public int TryCopyNow(in CacheKey key, IBufferWriter<byte> destination)
    {
        // What slides has to be touched, and what is retained is in memory all the same: both take the ordinary way.
        if (_disk.Locate(key, out var where) != LookupOutcome.Hit
            || where.IsPending
            || where.IsRetained
            || !_disk.TryBorrow(key, where, out var record))
        {
            return -1;
        }

        using (record)
        {
            if (record.Slides
                || record.HasExpired(Clock.NowTicks)
                || _disk.Barriers.Covers(record.Tags, record.Ticket)
                || !_disk.TryUse(where))
            {
                return -1;
            }

            var value = record.Value;
            destination.WriteValue(value);
            _metrics.DiskHits.Add(1, value.Length);
            return value.Length;
        }
    }
}
