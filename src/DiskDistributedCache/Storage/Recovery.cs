namespace DiskDistributedCache.Storage;

/// <summary>
/// Reads the log of a trusted store into an empty index, segment by segment in order: the footer of a sealed one, the records of
/// one whose footer is not there.
///
/// What cannot be read below a known mark is a hole: it may have held a removal or an eviction of anything earlier, so
/// everything earlier is dropped. Only what lies behind the last mark, and does not show that it was ever complete, is a torn
/// tail. A mark is known from the header of the next segment and from the superblock.
/// </summary>
internal sealed class Recovery(
    CacheDirectory directory,
    Guid storeId,
    SegmentTable segments,
    EntryIndex index,
    TagBarriers barriers,
    Quarantine quarantine,
    OpeningReads reads,
    StoreListener listener)
{
    private const int MaxDamageBytes = 64 << 10;

    private readonly Dictionary<SegmentFile, SegmentHeader> _headers = [];
    private readonly Dictionary<SegmentFile, DamagedPlace> _damages = [];
    private readonly List<long> _unopened = [];
    private long _highestSequence;
    private long _lastEnd;
    private long _holeUpTo;
    private SegmentScan? _unsealed;

    public int HoleCount { get; private set; }

    /// <summary>
    /// Nothing may be used. Either what was brought along stands behind a hole and is older than what was in it: the hole may have held a value by which the
    /// cache's users knew that it is out of date. Or there is a segment which can neither be opened nor erased: it would be a hole at each start.
    /// </summary>
    public bool MustBeginAnew { get; private set; }

    /// <summary>The values that are retained, as they were found; some may be out of date.</summary>
    public List<(ulong KeyHash, long Sequence)> Retained { get; } = [];

    /// <summary>Segments whose records had to be read because there was no footer.</summary>
    public int ScannedCount { get; private set; }

    /// <summary>
    /// Fills index and barriers, seals the last segment, and returns where the log ends. What a hole makes worthless is erased, the
    /// newest first: what the disk did not give this time it may give the next, and a hole has to be seen until everything before it is gone. Of a segment with damage the first bytes that
    /// do not verify go to quarantine before it is erased.
    /// </summary>
    /// <param name="superblock">The superblock of the store.</param>
    /// <exception cref="UnreadableException">The disk does not give something, and there will be another try. Nothing was changed.</exception>
    public LogMark Run(Superblock superblock)
    {
        var mark = superblock.Mark;
        _highestSequence = mark.HighestSequence;
        OpenSegments(superblock);
        if (segments.Ordered.Count > 0 && segments.Ordered[0].Number > _holeUpTo && _holeUpTo > 0)
        {
            HoleCount++;
        }

        SegmentFile? previous = null;
        foreach (var segment in segments.Ordered)
        {
            if (previous is not null && segment.Number != previous.Number + 1)
            {
                Hole(upTo: previous.Number);
            }

            TryRecover(segment, superblock);
            previous = segment;
        }

        long last = Math.Max(mark.Segment, previous?.Number ?? 0);
        if (mark.EndOffset > 0 && mark.Segment > (previous?.Number ?? 0))
        {
            Hole(upTo: last);
        }

        if (HasOlderBehindHole() || !TryErase())
        {
            MustBeginAnew = true;
            return new LogMark(last, _lastEnd, _highestSequence);
        }

        if (_unsealed is not null && segments.Ordered.Count > 0)
        {
            Seal(segments.Ordered[^1], _unsealed);
        }

        return new LogMark(last, segments.Ordered.Count == 0 ? 0 : _lastEnd, _highestSequence);
    }

    private void OpenSegments(Superblock superblock)
    {
        List<long> numbers = [];
        if (!reads.TryRead(() => numbers = directory.SegmentNumbers(storeId)))
        {
            // They may be there all the same.
            MustBeginAnew = true;
        }

        foreach (long number in numbers)
        {
            if (!reads.TryRead(() => OpenSegment(number, isSynced: superblock.IsClean)))
            {
                // A hole like any other, which no gap shows where it is the first. One that the mark does not name holds nothing.
                _unopened.Add(number);
                _holeUpTo = number <= superblock.Mark.Segment ? number : _holeUpTo;
                continue;
            }

            reads.TryRead(() => ReadHeader(segments.Ordered[^1]));
        }
    }

    /// <param name="number">The number of the segment.</param>
    /// <param name="isSynced">Whether the process before has seen to it that everything is durable.</param>
    private void OpenSegment(long number, bool isSynced)
    {
        var file = directory.Open(directory.SegmentOf(storeId, number), FileMode.Open);
        try
        {
            var seed = new SegmentSeed(storeId, number);
            segments.Add(new SegmentFile(number, segments.FreeSlot(), seed, file, file.Length) { IsSynced = isSynced });
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private void ReadHeader(SegmentFile segment)
    {
        byte[] block = new byte[SegmentFormat.HeaderBytes];
        int read = segment.File.Read(block, 0);
        if (SegmentFormat.TryReadHeader(block.AsSpan(0, read), storeId, segment.Number, segment.Seed) is { } header)
        {
            _headers[segment] = header;
            if (header.CarriedFooterBytes > 0)
            {
                CarryFooter(segment, header);
            }
        }
    }

    private void CarryFooter(SegmentFile carrier, SegmentHeader header)
    {
        if (segments.Ordered.Count < 2
            || segments.Ordered[^2].Number != carrier.Number - 1
            || header.CarriedFooterBytes > carrier.LengthBytes)
        {
            return;
        }

        byte[] footer = new byte[header.CarriedFooterBytes];
        if (carrier.File.Read(footer, SegmentFormat.HeaderBytes) == footer.Length)
        {
            segments.Ordered[^2].CarriedFooter = footer;
        }
    }

    /// <summary>A segment that the disk does not give is a hole like one that does not verify.</summary>
    private void TryRecover(SegmentFile segment, Superblock superblock)
    {
        if (!reads.TryRead(() => Recover(segment, superblock)))
        {
            Hole(upTo: segment.Number);
        }
    }

    private void Recover(SegmentFile segment, Superblock superblock)
    {
        if (segment.ReadFooter() is { } footer)
        {
            Apply(segment, footer);
            return;
        }

        ScannedCount++;
        var (markEnd, isFinal) = MarkOf(segment, superblock);
        var scan = new SegmentScan(segment, _headers.GetValueOrDefault(segment), markEnd, isFinal);
        scan.Run();
        _highestSequence = Math.Max(_highestSequence, scan.Facts.HighestSequence);
        if (scan.HasHole)
        {
            _damages[segment] = scan.Damage;
            Hole(upTo: segment.Number);
            return;
        }

        Apply(segment, scan.Facts);
        _unsealed = segment == segments.Ordered[^1] ? scan : null;
    }

    /// <summary>
    /// How far the records of a segment are known to reach, 0 where nothing is known, and whether that is known to be all: it is
    /// when a later segment or the superblock says so.
    /// </summary>
    private (long End, bool IsFinal) MarkOf(SegmentFile segment, Superblock superblock)
    {
        foreach (var (other, header) in _headers)
        {
            if (other.Number == segment.Number + 1)
            {
                return (header.Predecessor.EndOffset, true);
            }
        }

        return superblock.Mark.Segment == segment.Number ? (superblock.Mark.EndOffset, superblock.IsMarkFinal) : (0, false);
    }

    private void Hole(long upTo)
    {
        HoleCount++;
        _holeUpTo = upTo;
        _unsealed = null;
        index.Clear(long.MaxValue);
        barriers.ForgetAll();
    }

    /// <summary>Erases what is before a hole and what could not be opened. False where one of the latter does not let itself be erased.</summary>
    private bool TryErase()
    {
        var worthless = segments.Ordered.TakeWhile(segment => segment.Number <= _holeUpTo).ToDictionary(segment => segment.Number);
        foreach (var segment in worthless.Values)
        {
            KeepDamage(segment);
        }

        foreach (long number in worthless.Keys.Concat(_unopened).OrderDescending())
        {
            if (worthless.TryGetValue(number, out var segment))
            {
                directory.Delete(directory.SegmentOf(storeId, number));
                segments.Remove(segment);
            }
            else if (!TryEraseUnopened(number))
            {
                return false;
            }
        }

        return true;
    }

    private bool TryEraseUnopened(long number)
    {
        try
        {
            directory.Delete(directory.SegmentOf(storeId, number));
            return true;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            listener.Faulted(exception);
            return false;
        }
    }

    private bool HasOlderBehindHole()
    {
        if (_holeUpTo == 0 || segments.Ordered.FirstOrDefault(segment => segment.Number > _holeUpTo) is not { } next)
        {
            return false;
        }

        long highest = _headers.TryGetValue(next, out var header) ? header.Predecessor.HighestSequence : long.MaxValue;
        return index.Where(entry => entry.Sequence <= highest).Any();
    }

    /// <summary>Read again, because there may be many segments with damage.</summary>
    private void KeepDamage(SegmentFile segment)
    {
        if (!_damages.TryGetValue(segment, out var place))
        {
            return;
        }

        byte[] bytes = new byte[Math.Min(MaxDamageBytes, place.OriginalBytes)];
        int read = 0;
        try
        {
            read = segment.File.Read(bytes, place.Offset);
        }
        catch (Exception exception)
        {
            // The segment goes all the same, and the place is on the list.
            listener.Faulted(exception);
        }

        quarantine.Keep(place, bytes.AsSpan(0, read));
    }

    private void Apply(SegmentFile segment, SegmentFacts facts)
    {
        foreach (ref readonly Fact fact in facts.All)
        {
            switch (fact.Kind)
            {
                case RecordKind.Value:
                    // Also when it has expired by what this record knows: a touch further on may know better.
                    index.SetRecovered(fact.KeyHash, fact.Sequence, fact.Deadline, segment.Slot, fact.Offset, fact.Length, fact.IsRetained);
                    NoteRetained(segment, fact);
                    break;
                case RecordKind.Removal:
                    index.Remove(fact.KeyHash, fact.Sequence);
                    break;
                case RecordKind.TagEviction:
                    barriers.Recover(facts.TagOf(fact), fact.Sequence, segment.Number);
                    break;
                case RecordKind.Clear:
                    index.Clear(fact.Sequence);
                    barriers.Clear(fact.Sequence);
                    break;
                case RecordKind.Touch when index.Touch(fact.KeyHash, fact.Extended, fact.Deadline) is not null:
                    index.MarkTouchLogged(fact.KeyHash, fact.Extended, fact.Deadline);
                    break;
            }
        }

        _highestSequence = Math.Max(_highestSequence, facts.HighestSequence);
        _lastEnd = facts.EndOffset;
    }

    private void NoteRetained(SegmentFile segment, in Fact fact)
    {
        if (fact.IsRetained)
        {
            segment.HasRetained = true;
            Retained.Add((fact.KeyHash, fact.Sequence));
        }
    }

    /// <summary>A session never appends to another session's segment: the last one gets its footer.</summary>
    private void Seal(SegmentFile segment, SegmentScan scan)
    {
        var facts = scan.Facts;
        if (scan.UsedEnd > facts.EndOffset)
        {
            Wipe(segment, facts.EndOffset, scan.UsedEnd);
        }

        facts.HighestSequence = _highestSequence;
        byte[] footer = facts.ToFooter(segment.Seed);
        segment.File.Write(footer, facts.EndOffset);
        segment.File.Length = facts.EndOffset + footer.Length;
        segments.Resize(segment, facts.EndOffset + footer.Length);
        segment.IsSynced = false;
        _lastEnd = facts.EndOffset;
    }

    /// <summary>
    /// Makes zeros of a torn tail. A footer written over it and torn as well would be neither a torn record nor the beginning of a footer, and
    /// so rot. The header of the torn record comes last: until the rest is gone it says how far the tail may reach.
    /// </summary>
    private static void Wipe(SegmentFile segment, long from, long to)
    {
        long body = Math.Min(to, from + RecordFormat.HeaderBytes);
        segment.File.Write(new byte[to - body], body);
        segment.File.Write(new byte[body - from], from);
    }
}
