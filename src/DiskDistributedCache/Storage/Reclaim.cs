using DiskDistributedCache.Entries;

namespace DiskDistributedCache.Storage;

/// <summary>
/// Keeps the log within its limits by erasing its oldest segment: first in, first out, never out of order, because "older" must
/// always mean "earlier in the log". Before a segment goes, its live values that were used since they were written are appended
/// again, at most a quarter of a segment; of a short segment all of its live values. With the append rule this makes removals
/// and barriers self-cleaning: when one is erased, everything that it kills has been erased before it.
///
/// Order of effects: append again and write; drop what is left of the segment from the index; sweep memory of what its barriers
/// kill; erase the file; forget the barriers. A crash in between leaves two copies with the same number, or a file whose records are
/// found again, and either is right. Erasing stops at the first file that cannot be erased.
/// </summary>
internal sealed class Reclaim(
    CacheDirectory directory,
    StoreSettings settings,
    Guid storeId,
    SegmentTable segments,
    EntryIndex index,
    TagBarriers barriers,
    SegmentWriter writer,
    RecordReader reader,
    CacheClock clock,
    StoreListener listener)
{
    private long _erasedCount;

    public long ErasedCount => Volatile.Read(ref _erasedCount);

    /// <summary>Whether something has to go before this many bytes can be added to the disk.</summary>
    public bool IsNeededFor(long newBytes) => segments.TotalBytes + writer.SpareBytes + newBytes > settings.MaxDiskBytes;

    /// <summary>Whether there are too many segments or entries.</summary>
    public bool IsNeededForCounts =>
        segments.Ordered.Count >= settings.SegmentLimit
        || index.Count + settings.MaxSegmentRecords > settings.MaxEntries;

    /// <summary>
    /// Erases oldest segments until this many bytes can be added, or only the active segment is left. What is appended again leaves
    /// room for <paramref name="reservedBytes"/> in the active segment.
    /// </summary>
    public void MakeRoom(long newBytes, long reservedBytes) => EraseWhile(() => IsNeededFor(newBytes), reservedBytes);

    /// <summary>The same until there are few enough segments and entries.</summary>
    public void KeepCounts(long reservedBytes) => EraseWhile(() => IsNeededForCounts, reservedBytes);

    private void EraseWhile(Func<bool> isNeeded, long reservedBytes)
    {
        bool marked = false;
        while (isNeeded() && segments.Ordered.Count > 0 && !writer.IsActive(segments.Ordered[0]))
        {
            if (!marked)
            {
                listener.MarkUsed();
                marked = true;
            }

            var oldest = segments.Ordered[0];
            Reinsert(oldest, reservedBytes);
            Erase(oldest);
        }
    }

    /// <summary>Erases every segment up to this number, without keeping anything of them.</summary>
    public void EraseUpTo(long number)
    {
        while (segments.Ordered.Count > 0 && segments.Ordered[0].Number <= number && !writer.IsActive(segments.Ordered[0]))
        {
            Erase(segments.Ordered[0]);
        }
    }

    /// <summary>
    /// Appends again everything in a sealed segment that still matters: live values that verify, removals and evictions too, under
    /// their old numbers. The file itself goes in its turn. Until then its own removals and evictions count as before; so where they
    /// cannot be appended again, because the footer does not verify, nothing comes back.
    ///
    /// Faults: what was appended again is right wherever it stops, and the segment is retired when it meets its next corrupt record.
    /// </summary>
    public void Retire(SegmentFile segment, Action<long> begin)
    {
        if (segments.At(segment.Slot) != segment)
        {
            return;
        }

        var facts = FactsOf(segment);
        foreach (ref readonly Fact fact in facts.All)
        {
            if (segments.At(segment.Slot) != segment)
            {
                // It was its turn to go meanwhile; with it went everything that its removals had to cover.
                break;
            }

            if (fact.Kind != RecordKind.Value)
            {
                var mark = new Mutation(fact.Kind)
                {
                    Sequence = fact.Sequence,
                    KeyHash = fact.KeyHash,
                    Tag = fact.Kind == RecordKind.TagEviction ? facts.TagOf(fact) : null,
                    Extended = fact.Extended,
                    Deadline = fact.Deadline,
                };
                MakeRoomFor(mark.RecordBytes, begin);
                writer.Add(mark);
            }
            else if (IsLive(fact, segment, out var where)
                && reader.ReadValue(segment, where) is { } entry
                && !barriers.Covers(entry.Tags, entry.Ticket))
            {
                MakeRoomFor(where.Length, begin);
                writer.AddAgain(entry, where);
            }
        }

        writer.WriteRun();
        segment.IsRetired = true;
    }

    /// <summary>The facts of a segment; where its footer does not verify, the values that the index has in it.</summary>
    private SegmentFacts FactsOf(SegmentFile segment)
    {
        if (segment.ReadFooter() is { } facts)
        {
            return facts;
        }

        var live = new SegmentFacts();
        foreach (var entry in index.Where(entry => entry.Slot == segment.Slot).OrderBy(entry => entry.Offset))
        {
            live.Add(Fact.Value(entry.KeyHash, entry.Sequence, entry.Deadline, entry.Offset, entry.Length));
        }

        return live;
    }

    private void MakeRoomFor(long recordBytes, Action<long> begin)
    {
        if (!writer.HasRoom(recordBytes))
        {
            writer.WriteRun();
            begin(recordBytes);
        }
    }

    private bool IsLive(in Fact fact, SegmentFile segment, out IndexedEntry where) =>
        index.TryGet(fact.KeyHash, out where)
        && where.Sequence == fact.Sequence
        && where.Slot == segment.Slot
        && where.Deadline > clock.NowTicks;

    private void Reinsert(SegmentFile oldest, long reservedBytes)
    {
        if (TryRead(oldest, FactsOf) is not { } facts)
        {
            return;
        }

        bool isShort = oldest.LengthBytes <= settings.ReinsertionBytes;
        long left = settings.ReinsertionBytes;
        foreach (ref readonly Fact fact in facts.All)
        {
            if (fact.Kind == RecordKind.Value
                && IsLive(fact, oldest, out var where)
                && (where.WasRead || isShort)
                && where.Length <= left
                && writer.HasRoom(where.Length + reservedBytes)
                && TryRead(oldest, segment => reader.ReadValue(segment, where)) is { } entry
                && !barriers.Covers(entry.Tags, entry.Ticket))
            {
                writer.AddAgain(entry, where);
                left -= where.Length;
            }
        }

        writer.WriteRun();
    }

    private void Erase(SegmentFile oldest)
    {
        if (index.LiveCount(oldest.Slot) > 0)
        {
            DropLive(oldest);
        }

        if (barriers.HasBarriersUpTo(oldest.Number))
        {
            listener.SweepMemory();
        }

        directory.Delete(directory.SegmentOf(storeId, oldest.Number));
        segments.Remove(oldest);
        barriers.Forget(oldest.Number);
        Interlocked.Increment(ref _erasedCount);
    }

    /// <summary>What cannot be read is not kept; it must not keep the segment from being erased, or nothing could be written any more.</summary>
    private T? TryRead<T>(SegmentFile segment, Func<SegmentFile, T?> read)
        where T : class
    {
        try
        {
            return read(segment);
        }
        catch (Exception exception)
        {
            listener.Faulted(exception);
            return null;
        }
    }

    private void DropLive(SegmentFile oldest)
    {
        if (TryRead(oldest, static segment => segment.ReadFooter()) is { } facts)
        {
            foreach (ref readonly Fact fact in facts.All)
            {
                if (fact.Kind == RecordKind.Value)
                {
                    index.RemoveIfSame(fact.KeyHash, fact.Sequence, oldest.Slot);
                }
            }
        }

        if (index.LiveCount(oldest.Slot) > 0)
        {
            index.RemoveSlot(oldest.Slot);
        }
    }
}

/// <summary>What the store asks of the tiers above it. Called on the writer lane.</summary>
internal abstract class StoreListener
{
    /// <summary>Tell the index which entries were used in memory: they are worth keeping.</summary>
    public abstract void MarkUsed();

    /// <summary>The disk failed at something that goes on without it.</summary>
    public abstract void Faulted(Exception exception);

    /// <summary>Nothing is on disk any more, and nothing waits to be written: what was pinned in memory for that is not pinned any more.</summary>
    public abstract void ContentGivenUp();

    /// <summary>Drop from memory what barriers kill: some of the barriers are about to be forgotten.</summary>
    public abstract void SweepMemory();
}
