using DiskDistributedCache.Entries;

namespace DiskDistributedCache.Storage;

/// <summary>
/// Keeps the log within its limits, and within what the file system has free, by erasing its oldest segment: first in, first out,
/// never out of order, because "older" must always mean "earlier in the log". Before a segment goes, its live values that were used are appended
/// again, at most a quarter of a segment; of a short segment all of its live values. Values that are retained always are; where that
/// fails, memory has them, and writes them again. With the append rule this makes removals
/// and barriers self-cleaning: when one is erased, everything that it kills has been erased before it.
///
/// Where not all that was used finds room, what was used most goes first, and of that the shortest: a quarter of a segment is what
/// reclaim may write, and many short values answer more lookups than one long one. What is chosen is read in the order of the log.
///
/// On a disk that is full the file of the oldest segment becomes the spare, and so the next segment, without giving its blocks back
/// (<see cref="SpareSegment"/>). Elsewhere a new file costs less than writing zeros. The spare is there before its predecessor is full, so
/// what is worth keeping always has a segment to go to.
///
/// Order of effects: append again and write; drop what is left of the segment from the index; sweep memory of what its barriers
/// kill; erase or rename the file; forget the barriers; zero what was renamed. A crash in between leaves two copies with the same
/// number, or a file whose records are found again, and either is right; or a spare, which the next open deletes. Erasing stops at
/// the first file that cannot be erased.
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
    /// <summary>From this try on a segment is retired without the values that the disk does not give: else one of them keeps it for ever.</summary>
    private const int LastRetireTry = 3;

    /// <summary>The part of the usual length that a file must have to be worth being the next segment.</summary>
    private const int LeastSparePart = 2;

    private readonly DiskSpace _space = new(directory, settings, () => segments.TotalBytes + writer.Spare.Bytes);
    private long _erasedCount;
    private long _recycledCount;

    public long ErasedCount => Volatile.Read(ref _erasedCount);

    /// <summary>Those of the erased segments whose files became spares.</summary>
    public long RecycledCount => Volatile.Read(ref _recycledCount);

    /// <summary>Bytes of everything that the store has on disk for its log.</summary>
    public long OwnBytes => segments.TotalBytes + writer.Spare.Bytes;

    public DiskSpace Space => _space;

    /// <summary>Whether something has to go before this many bytes can be added to the disk.</summary>
    public bool IsNeededFor(long newBytes) =>
        OwnBytes + newBytes > settings.MaxDiskBytes || _space.Lacks(newBytes);

    /// <summary>Whether there are too many segments or entries.</summary>
    public bool IsNeededForCounts =>
        segments.Ordered.Count >= settings.SegmentLimit
        || index.Count + settings.MaxSegmentRecords > settings.MaxEntries;

    /// <summary>Whether anything of the store could go to make room for something else.</summary>
    public bool HasSomethingToGive => writer.Spare.Bytes > 0 || HasOldest;

    private bool HasOldest => segments.Ordered.Count > 0 && !writer.IsActive(segments.Ordered[0]);

    /// <summary>
    /// Whether a segment for a record of this length could be begun if everything else went. What is in vain should not cost what is
    /// there.
    /// </summary>
    public bool CanMakeRoomFor(long recordBytes) =>
        CanGain(writer.BytesToBegin(recordBytes), writer.LeastCapacity(recordBytes), segments.Ordered.Count);

    /// <summary>
    /// Erases oldest segments until this many bytes can be added, or only the active segment is left. What is appended again leaves
    /// room for <paramref name="reservedBytes"/> in the active segment.
    /// </summary>
    /// <param name="newBytes">Asked again after each segment, which may have become the spare.</param>
    /// <param name="reservedBytes">See above.</param>
    public void MakeRoom(Func<long> newBytes, long reservedBytes) =>
        EraseWhile(() => HasOldest && IsNeededFor(newBytes()), reservedBytes, mayRecycle: true);

    /// <summary>The same until there are few enough segments and entries.</summary>
    public void KeepCounts(long reservedBytes) => EraseWhile(() => HasOldest && IsNeededForCounts, reservedBytes, mayRecycle: true);

    /// <summary>
    /// Makes the spare out of free space, or else out of the oldest segment. Where neither gives one, the next segment is made when it is
    /// needed, and fails there if it must.
    /// </summary>
    public void EnsureSpare(long reservedBytes)
    {
        if (!CanGain(BytesToSpare(), writer.LeastCapacity(0), segments.Ordered.Count - 1))
        {
            return;
        }

        MakeRoom(BytesToSpare, reservedBytes);
        if (!TryMakeSpare())
        {
            MakeRoom(BytesToSpare, reservedBytes);
            TryMakeSpare();
        }
    }

    /// <summary>
    /// Others have taken the space that has to stay free: erases oldest segments until it is free again or only the newest is left,
    /// then the spare, which is the reserve.
    /// </summary>
    public void ShrinkToFit()
    {
        _space.MeasureAnew();
        EraseWhile(() => HasOldest && segments.Ordered.Count > 1 && _space.HeadroomBytes < 0, reservedBytes: 0, mayRecycle: false);
        if (_space.HeadroomBytes < 0 && writer.Spare.Bytes > 0)
        {
            writer.Spare.Drop();
        }
    }

    /// <summary>Whether erasing or recycling this many of the oldest segments would give what is needed.</summary>
    private bool CanGain(long neededBytes, long leastCapacity, int segmentCount)
    {
        long headroom = Math.Max(0, _space.HeadroomBytes);
        if (neededBytes <= headroom)
        {
            return true;
        }

        headroom = _space.HeadroomBytes;
        for (int i = 0; i < segmentCount; i++)
        {
            var segment = segments.Ordered[i];
            bool canBecomeSpare = CanBecomeSpare(segment, isLast: i == segments.Ordered.Count - 1);
            headroom += segment.LengthBytes;
            if (neededBytes <= headroom || (canBecomeSpare && segment.LengthBytes >= leastCapacity))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>False when the disk is full, although it had seemed to have room.</summary>
    private bool TryMakeSpare()
    {
        try
        {
            if (writer.Spare.Bytes == 0 && !IsNeededFor(BytesToSpare()))
            {
                writer.Spare.Make();
                _space.Grew();
            }

            return true;
        }
        catch (IOException exception) when (Faults.KindOf(exception) == FaultKind.Full)
        {
            _space.RunOut();
            return false;
        }
        catch (IOException)
        {
            // It is made in advance: nobody needs it yet.
            return true;
        }
    }

    private long BytesToSpare() => writer.Spare.Bytes > 0 ? 0 : settings.SegmentBytes;

    private void EraseWhile(Func<bool> isNeeded, long reservedBytes, bool mayRecycle)
    {
        bool marked = false;
        while (isNeeded())
        {
            if (!marked)
            {
                listener.MarkUsed();
                marked = true;
            }

            var oldest = segments.Ordered[0];
            if (!Reinsert(oldest, reservedBytes))
            {
                listener.RetainedLeft();
            }

            Erase(oldest, mayRecycle);
        }
    }

    /// <summary>
    /// Erases segments up to this number, the oldest first, until one has something alive: what was owed may stand before the clear that
    /// it is newer than.
    /// </summary>
    public void EraseUpTo(long number)
    {
        while (HasOldest && segments.Ordered[0] is var oldest && oldest.Number <= number && index.LiveCount(oldest.Slot) == 0)
        {
            Erase(oldest, mayRecycle: true);
        }
    }

    /// <summary>
    /// Appends again everything in a sealed segment that still matters: live values that verify, removals and evictions too, under
    /// their old numbers. The file itself goes in its turn. Until then its own removals and evictions count as before; so where they
    /// cannot be appended again, because the footer does not verify, nothing comes back. Not a removal whose key has a value again: it may be
    /// the value that left it, given up and written since under the number that both have, and behind that the removal would kill it.
    ///
    /// Faults: what was appended again is right wherever it stops, and the segment is retired when it meets its next corrupt record, or at the next try.
    /// </summary>
    public void Retire(SegmentFile segment, Action<long> begin)
    {
        if (segments.At(segment.Slot) != segment)
        {
            return;
        }

        segment.RetireTries++;
        try
        {
            BringAlong(segment, FactsOf(segment), begin);
        }
        catch
        {
            writer.ForgetRun();
            throw;
        }

        segment.IsRetired = true;
    }

    private void BringAlong(SegmentFile segment, SegmentFacts facts, Action<long> begin)
    {
        foreach (ref readonly Fact fact in facts.All)
        {
            if (segments.At(segment.Slot) != segment)
            {
                // It was its turn to go meanwhile; with it went everything that its removals had to cover.
                break;
            }

            if (fact.Kind != RecordKind.Value)
            {
                if (HasReturned(fact))
                {
                    continue;
                }

                var mark = new Mutation(fact.Kind)
                {
                    Sequence = fact.Sequence,
                    KeyHash = fact.KeyHash,
                    Tag = fact.Kind == RecordKind.TagEviction ? facts.TagOf(fact) : null,
                    Extended = fact.Extended,
                    Deadline = DeadlineOf(fact),
                };
                MakeRoomFor(mark.RecordBytes, begin);
                writer.Add(mark);
            }
            else if (IsLive(fact, segment, out var where))
            {
                AppendAgain(segment, where, begin);
            }
        }

        writer.WriteRun();
    }

    private void AppendAgain(SegmentFile segment, in IndexedEntry where, Action<long> begin)
    {
        var place = where;
        var stored = segment.RetireTries < LastRetireTry
            ? reader.ReadStored(segment, place)
            : TryRead(segment, from => reader.ReadStored(from, place));
        if (stored is not { } live)
        {
            if (where.IsRetained)
            {
                listener.RetainedLeft();
            }
        }
        else if (!barriers.Covers(live.Entry.Tags, live.Entry.Ticket))
        {
            MakeRoomFor(where.Length, begin);
            writer.AddAgain(live, where);
        }
    }

    /// <summary>Of a touch the one that the index has: not later than any that is to be believed.</summary>
    private long DeadlineOf(in Fact fact) =>
        fact.Kind == RecordKind.Touch && index.TryGet(fact.KeyHash, out var touched) ? touched.Deadline : fact.Deadline;

    private bool HasReturned(in Fact fact) => fact.Kind == RecordKind.Removal && index.TryGet(fact.KeyHash, out _);

    /// <summary>
    /// Whether the segment has the last logged version of a value that is retained, and what has come in its place, a newer one or a clear, is not in the log
    /// yet.
    /// </summary>
    private bool HasOvertakenRetained(SegmentFile segment)
    {
        if (!segment.HasRetained)
        {
            return false;
        }

        if (TryRead(segment, static from => from.ReadFooter()) is not { } facts)
        {
            return true;
        }

        foreach (ref readonly Fact fact in facts.All)
        {
            if (fact is { Kind: RecordKind.Value, IsRetained: true }
                && (index.TryGet(fact.KeyHash, out var now) && now.Sequence > fact.Sequence ? now.IsPending : writer.HasUnloggedClear))
            {
                return true;
            }
        }

        return false;
    }

    private bool HasRetained(SegmentFile segment) =>
        segment.HasRetained && index.Where(entry => entry.IsRetained && entry.Slot == segment.Slot).Any();

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
            live.Add(Fact.Value(entry.KeyHash, entry.Sequence, entry.Deadline, entry.Offset, entry.Length, entry.IsRetained));
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

    /// <summary>Brings to the end of the log what is worth it. False where something that is retained could not be.</summary>
    private bool Reinsert(SegmentFile oldest, long reservedBytes)
    {
        if (TryRead(oldest, FactsOf) is not { } facts)
        {
            return !HasRetained(oldest);
        }

        var live = LiveIn(oldest, facts);
        bool allRetained = !oldest.HasRetained || AppendAgain(oldest, live.Where(where => where.IsRetained), reservedBytes);
        AppendAgain(oldest, WorthKeeping(oldest, live, reservedBytes), reservedBytes);
        writer.WriteRun();
        return allRetained;
    }

    private List<IndexedEntry> LiveIn(SegmentFile segment, SegmentFacts facts)
    {
        var live = new List<IndexedEntry>();
        foreach (ref readonly Fact fact in facts.All)
        {
            if (fact.Kind == RecordKind.Value && IsLive(fact, segment, out var where))
            {
                live.Add(where);
            }
        }

        return live;
    }

    /// <summary>Those that are worth keeping, in the order of the log: what fits of the most used, and of those the shortest.</summary>
    private List<IndexedEntry> WorthKeeping(SegmentFile oldest, List<IndexedEntry> live, long reservedBytes)
    {
        bool isShort = oldest.LengthBytes <= settings.ReinsertionBytes;
        var kept = new List<IndexedEntry>();
        long keptBytes = 0;
        foreach (var where in live
            .Where(where => !where.IsRetained && (where.UseCount > 0 || isShort))
            .OrderByDescending(where => where.UseCount)
            .ThenBy(where => where.Length))
        {
            if (keptBytes + where.Length <= settings.ReinsertionBytes && writer.HasRoom(keptBytes + where.Length + reservedBytes))
            {
                kept.Add(where);
                keptBytes += where.Length;
            }
        }

        kept.Sort(static (one, other) => one.Offset.CompareTo(other.Offset));
        return kept;
    }

    /// <summary>As many as there is room for. False where some are left.</summary>
    private bool AppendAgain(SegmentFile oldest, IEnumerable<IndexedEntry> wanted, long reservedBytes)
    {
        bool all = true;
        foreach (var where in wanted)
        {
            var stored = writer.HasRoom(where.Length + reservedBytes)
                ? TryRead(oldest, segment => reader.ReadStored(segment, where))
                : null;
            if (stored is null)
            {
                all = false;
            }
            else if (!barriers.Covers(stored.Entry.Tags, stored.Entry.Ticket))
            {
                writer.AddAgain(stored, where);
            }
        }

        return all;
    }

    private void Erase(SegmentFile oldest, bool mayRecycle)
    {
        if (HasOvertakenRetained(oldest))
        {
            listener.RetainedLeft();
        }

        int live = index.LiveCount(oldest.Slot);
        if (live > 0)
        {
            DropLive(oldest);
        }

        if (barriers.HasBarriersUpTo(oldest.Number))
        {
            listener.SweepMemory();
        }

        bool isRenamed = mayRecycle && _space.IsTight && CanBecomeSpare(oldest, isLast: segments.Ordered.Count == 1) && TryRename(oldest);
        if (!isRenamed)
        {
            directory.Delete(directory.SegmentOf(storeId, oldest.Number));
        }

        // Its blocks are free once the file is closed. Where there is room for a segment without them, that is the sync lane's work.
        segments.Remove(oldest, mayCloseLater: !isRenamed && !_space.IsTight);
        writer.Forget(oldest);
        barriers.Forget(oldest.Number);
        Interlocked.Increment(ref _erasedCount);
        directory.Counts.Reclaimed(live);
        if (isRenamed)
        {
            ZeroSpare(oldest.LengthBytes);
        }
    }

    /// <summary>A short one is worth it only when nothing else is left to write to.</summary>
    private bool CanBecomeSpare(SegmentFile segment, bool isLast) =>
        writer.Spare.Bytes == 0
        && segment.CanBeRecycled
        && (isLast || segment.LengthBytes >= settings.SegmentBytes / LeastSparePart);

    private bool TryRename(SegmentFile oldest)
    {
        try
        {
            writer.Spare.Rename(oldest.Number);
            return true;
        }
        catch (Exception exception)
        {
            // It is erased then, or that fails too.
            listener.Faulted(exception);
            return false;
        }
    }

    private void ZeroSpare(long lengthBytes)
    {
        try
        {
            // What the segment had is not counted at this moment, and not free either.
            long limit = Math.Min(settings.MaxDiskBytes - OwnBytes - lengthBytes, _space.HeadroomBytes - lengthBytes);
            writer.Spare.Zero(lengthBytes, RecordFormat.Align(Math.Max(0, limit - RecordFormat.Alignment + 1)));
            Interlocked.Increment(ref _recycledCount);
        }
        catch (IOException exception) when (Faults.KindOf(exception) == FaultKind.Full)
        {
            // A file system that copies on write has no room for zeros either. The file is gone, and with it its bytes are free.
        }
        catch (Exception exception)
        {
            listener.Faulted(exception);
        }
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

    /// <summary>
    /// A value that is retained could not be brought to the end of the log, and its segment is about to go, or a removal is about to kill it; or what has
    /// come in its place is not in the log yet. Memory has it: it has to be written again, and until then the store must not be believed.
    /// </summary>
    public abstract void RetainedLeft();

    /// <summary>Drop from memory what barriers kill: some of the barriers are about to be forgotten.</summary>
    public abstract void SweepMemory();
}
