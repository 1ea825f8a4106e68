using DiskDistributedCache.Entries;

namespace DiskDistributedCache.Storage;

/// <summary>
/// The end of the log: appends records in batches, seals full segments and begins new ones. Everything here happens on the writer
/// lane. It owns the spare segment.
///
/// Order of effects of a batch: decide per record (the append rule), write, read back and compare, then publish the locations
/// that are still current. Of a new segment: a file under another name with its full length, its header, then its name; so a
/// segment that can be seen has a header. Of sealing: the footer, then the cut to length; in between, recovery finds the records.
///
/// Faults: after a failed write the segment ends at its last verified byte and is not touched again; its footer is carried in the
/// header of its successor. What was to be written stays with the caller.
/// </summary>
internal sealed class SegmentWriter(
    CacheDirectory directory,
    StoreSettings settings,
    Guid storeId,
    SegmentTable segments,
    EntryIndex index,
    TagBarriers barriers,
    CacheClock clock,
    StoreListener listener)
{
    private const int BatchBytes = 1 << 20;

    private readonly SpareSegment _spare = new(directory, settings, storeId);
    private readonly List<Placed> _run = [];
    private byte[] _buffer = new byte[64 << 10];
    private byte[] _readBack = [];
    private int _runBytes;

    // The active segment; null when there is none.
    private SegmentFile? _active;
    private long _capacity;

    // The last segment, where it could not get its footer.
    private SegmentFile? _abandoned;

    // Of the one or the other. Kept from segment to segment: new arrays of this size would have the collector go through the whole heap.
    private readonly SegmentFacts _facts = new();

    private long _clearedInLog;

    /// <summary>Where the log ends.</summary>
    public LogMark Mark { get; private set; }

    /// <summary>Whether a clear has been accepted that the log does not have yet.</summary>
    public bool HasUnloggedClear => barriers.ClearedBelow > _clearedInLog;

    public bool HasAbandoned => _abandoned is not null;

    public bool HasActive => _active is not null;

    /// <summary>Goes on behind a log that was recovered and sealed.</summary>
    public void ContinueAfter(in LogMark mark) => (Mark, _clearedInLog) = (mark, barriers.ClearedBelow);

    public SpareSegment Spare => _spare;

    /// <summary>Bytes that beginning a segment for a record of this length adds to the disk.</summary>
    public long BytesToBegin(long recordBytes) => CapacityFor(recordBytes, CarriedBytes) - _spare.Bytes;

    /// <summary>The smallest capacity of a segment that begins with a record of this length.</summary>
    public long LeastCapacity(long recordBytes) => LeastCapacity(recordBytes, CarriedBytes);

    /// <summary>Bytes that the footer of the active segment adds to the disk: what does not fit behind the last record.</summary>
    public long BytesToSeal => _active is null ? 0 : Math.Max(0, _facts.EndOffset + _facts.FooterLength - _capacity);

    public bool IsActive(SegmentFile segment) => ReferenceEquals(segment, _active);

    private long CarriedBytes => _abandoned is null ? 0 : _facts.FooterLength;

    /// <summary>Whether a record of this length fits into the active segment behind what is waiting in the run.</summary>
    public bool HasRoom(long recordBytes) =>
        _active is not null
        && _facts.EndOffset + _runBytes + recordBytes + FooterLengthWith(_run.Count + 1) <= _capacity
        && _facts.All.Length + _run.Count < settings.MaxSegmentRecords;

    /// <summary>
    /// Adds a mutation to the run in the form that the append rule allows: a value that has been overtaken, evicted or has expired
    /// leaves a removal in its place. Not the removal of a value that was given up and has been written meanwhile, from memory and under the same number:
    /// behind that it would kill it. Writes what is waiting first when the buffer is full.
    /// </summary>
    public void Add(Mutation mutation)
    {
        switch (mutation.Kind)
        {
            case RecordKind.Value when IsCurrent(mutation):
                AddValue(mutation.Entry!, mutation.Stored, mutation.KeyHash, mutation.Entry!.Deadline, EntryIndex.PendingSlot);
                break;
            case RecordKind.Value:
                Refuse(mutation);
                break;
            case RecordKind.Removal when index.TryGet(mutation.KeyHash, out var living) && living.Sequence == mutation.Sequence && !living.IsPending:
                break;
            case RecordKind.Touch when !index.TryGet(mutation.KeyHash, out var entry) || entry.Sequence != mutation.Extended:
                break;
            default:
                AddMark(mutation.Kind, mutation.Sequence, mutation.KeyHash, mutation.Tag, mutation.Extended, mutation.Deadline);
                break;
        }
    }

    /// <summary>
    /// Adds the removal that a value leaves which is not stored. Of one that is retained the removal kills the one before it, and what is to come in its
    /// place, a newer value or a clear, may not be in the log yet.
    /// </summary>
    public void Refuse(Mutation value)
    {
        if (value.Entry is { IsRetained: true } entry && !entry.IsExpired(clock.NowTicks))
        {
            listener.RetainedLeft();
        }

        index.RemoveIfSame(value.KeyHash, value.Sequence);
        AddMark(RecordKind.Removal, value.Sequence, value.KeyHash, null, 0, 0);
    }

    /// <summary>Appends a live value again under its old number, in the form in which it was.</summary>
    public void AddAgain(StoredEntry live, in IndexedEntry where)
    {
        AddValue(live.Entry, live.Stored, where.KeyHash, where.Deadline, where.Slot);
        directory.Counts.Reinserted(where.Length);
    }

    /// <summary>Writes the run, verifies it and publishes where its values now are.</summary>
    public void WriteRun()
    {
        if (_run.Count == 0)
        {
            return;
        }

        long offset = _facts.EndOffset;
        try
        {
            var bytes = _buffer.AsSpan(0, _runBytes);
            _active!.File.Write(bytes, offset);
            if (settings.VerifyWrites)
            {
                VerifyWritten(bytes, offset);
            }

            foreach (var placed in _run)
            {
                Publish(placed, offset);
            }
        }
        catch
        {
            Abandon();
            throw;
        }

        _facts.EndOffset = offset + _runBytes;
        Mark = new LogMark(_active.Number, _facts.EndOffset, Math.Max(Mark.HighestSequence, _facts.HighestSequence));
        _facts.HighestSequence = Mark.HighestSequence;
        ForgetRun();
    }

    /// <summary>Ends the active segment with its footer. One of which a sync failed is given up, as after a failed write.</summary>
    public void Seal()
    {
        if (_active is null)
        {
            return;
        }

        if (_active.HasSyncFailed)
        {
            // What the system has lost of it may be anything: what is known of it goes where it is synced, into the header of the next.
            Abandon();
            return;
        }

        var sealing = _active;
        try
        {
            segments.Resize(sealing, sealing.WriteFooter(_facts));
            _active = null;
        }
        catch
        {
            Abandon();
            throw;
        }
    }

    /// <summary>Begins the next segment, with room for at least one record of this length.</summary>
    public void Begin(long recordBytes)
    {
        long number = Mark.Segment + 1;
        var seed = new SegmentSeed(storeId, number);
        byte[] carried = _abandoned is null ? [] : _facts.ToFooter(_abandoned.Seed);
        long capacity = CapacityFor(recordBytes, carried.Length);
        byte[] header = SegmentFormat.WriteHeader(storeId, number, capacity, Mark, carried, seed);

        var segment = new SegmentFile(number, segments.FreeSlot(), seed, CreateFile(number, capacity, header), capacity);
        segments.Add(segment);
        if (_abandoned is not null)
        {
            _abandoned.CarriedFooter = carried;
            _abandoned = null;
        }

        _active = segment;
        _capacity = capacity;
        _facts.Restart(header.Length, Mark.HighestSequence);
        Mark = new LogMark(number, header.Length, Mark.HighestSequence);
    }

    private StoreFile CreateFile(long number, long capacity, byte[] header)
    {
        try
        {
            using (var file = _spare.Take(capacity))
            {
                file.Length = capacity;
                file.Write(header, 0);
            }

            string path = directory.SegmentOf(storeId, number);
            directory.Rename(directory.SpareOf(storeId), path);
            return directory.Open(path, FileMode.Open);
        }
        catch
        {
            _spare.Discard();
            throw;
        }
    }

    /// <summary>A segment has been erased: where it was abandoned, nothing has to carry its footer any more.</summary>
    public void Forget(SegmentFile erased)
    {
        if (ReferenceEquals(erased, _abandoned))
        {
            _abandoned = null;
        }
    }

    /// <summary>As much as the spare has, where that is enough.</summary>
    private long CapacityFor(long recordBytes, long carriedBytes)
    {
        long least = LeastCapacity(recordBytes, carriedBytes);
        return _spare.Bytes >= least ? _spare.Bytes : Math.Max(settings.SegmentBytes, least);
    }

    private static long LeastCapacity(long recordBytes, long carriedBytes) =>
        RecordFormat.Align(SegmentFormat.HeaderBytes + carriedBytes + recordBytes) + SegmentFormat.FooterLength(1, 0);

    /// <summary>The footer has to fit too, so that sealing needs no space that is not there already.</summary>
    private long FooterLengthWith(int moreFacts) => _facts.FooterLength + ((long)moreFacts * SegmentFormat.FactBytes);

    private bool IsCurrent(Mutation value) =>
        value.Entry is { } entry
        && index.TryGet(value.KeyHash, out var current)
        && current.Sequence == entry.Sequence
        && (entry.Ticket >= barriers.Floor || entry.Tags.Length == 0 || value.IsJudged)
        && !barriers.Covers(entry.Tags, entry.Ticket)
        && (entry.Deadline == Expiry.Never || !entry.IsExpired(clock.NowTicks));

    private void AddValue(CacheEntry entry, StoredValue? stored, ulong keyHash, long deadline, int fromSlot)
    {
        if (settings.Codec.IsToBeProtected(entry.Key.Space) && stored is not { IsProtected: true })
        {
            throw new InvalidOperationException("A value that has to be protected is not.");
        }

        int length = (int)RecordFormat.LengthOf(entry, stored);
        var to = Reserve(length);
        RecordFormat.WriteValue(to, entry, keyHash, deadline, _active!.Seed.At(_facts.EndOffset + _runBytes), stored);
        _run.Add(new Placed(RecordKind.Value, entry.Sequence, keyHash, null, _runBytes, length, 0, deadline, fromSlot, entry.IsRetained));
        _runBytes += length;
    }

    private void AddMark(RecordKind kind, long sequence, ulong keyHash, string? tag, long extended, long deadline)
    {
        int length = (int)(tag is null ? RecordFormat.LengthOf(0) : RecordFormat.LengthOfEviction(tag));
        var to = Reserve(length);
        RecordFormat.WriteMark(to, kind, sequence, keyHash, tag, extended, deadline, _active!.Seed.At(_facts.EndOffset + _runBytes));
        _run.Add(new Placed(kind, sequence, keyHash, tag, _runBytes, length, extended, deadline, EntryIndex.PendingSlot, false));
        _runBytes += length;
    }

    private Span<byte> Reserve(int length)
    {
        if (_runBytes + length > BatchBytes && _runBytes > 0)
        {
            WriteRun();
        }

        if (_runBytes + length > _buffer.Length)
        {
            Array.Resize(ref _buffer, Math.Max(_runBytes + length, Math.Min(2 * _buffer.Length, BatchBytes)));
        }

        return _buffer.AsSpan(_runBytes, length);
    }

    private void VerifyWritten(ReadOnlySpan<byte> written, long offset)
    {
        if (_readBack.Length < written.Length)
        {
            _readBack = new byte[_buffer.Length];
        }

        var back = _readBack.AsSpan(0, written.Length);
        if (_active!.File.Read(back, offset) != back.Length || !back.SequenceEqual(written))
        {
            throw new IOException("What was read back is not what was written.");
        }
    }

    private void Publish(in Placed placed, long runOffset)
    {
        switch (placed.Kind)
        {
            case RecordKind.Value:
                long at = runOffset + placed.OffsetInRun;
                _facts.Add(Fact.Value(placed.KeyHash, placed.Sequence, placed.Deadline, at, placed.Length, placed.IsRetained));
                _active!.HasRetained |= placed.IsRetained;
                index.Locate(placed.KeyHash, placed.Sequence, placed.Deadline, placed.FromSlot, _active.Slot, at, placed.Length);
                break;
            case RecordKind.Removal:
                _facts.Add(Fact.Removal(placed.KeyHash, placed.Sequence));

                // As a rule the index knew before. Not what the removal stands for when its value was given up, or the store begun anew.
                index.Remove(placed.KeyHash, placed.Sequence);
                break;
            case RecordKind.TagEviction:
                _facts.AddTagEviction(placed.Sequence, placed.Tag!);
                barriers.Place(placed.Tag!, placed.Sequence, _active!.Number);
                break;
            case RecordKind.Clear:
                _facts.Add(Fact.Clear(placed.Sequence));
                _clearedInLog = Math.Max(_clearedInLog, placed.Sequence);
                break;
            case RecordKind.Touch:
                _facts.Add(Fact.Touch(placed.KeyHash, placed.Sequence, placed.Extended, placed.Deadline));
                index.MarkTouchLogged(placed.KeyHash, placed.Extended, placed.Deadline);
                break;
        }
    }

    /// <summary>Ends the active segment without a footer of its own, as after a failed write.</summary>
    public void GiveUpActive()
    {
        if (_active is not null)
        {
            Abandon();
        }
    }

    /// <summary>Gives the active segment up at its last verified byte.</summary>
    private void Abandon()
    {
        _abandoned = _active!;
        _abandoned.IsBroken = true;
        _active = null;
        ForgetRun();
    }

    /// <summary>
    /// Lets go of what has been written, or of what an operation has left that failed: that comes again. A buffer that one large record needed is not kept.
    /// </summary>
    public void ForgetRun()
    {
        _run.Clear();
        _runBytes = 0;
        if (_buffer.Length > BatchBytes)
        {
            _buffer = new byte[BatchBytes];
            _readBack = [];
        }
    }

    private readonly record struct Placed(
        RecordKind Kind, long Sequence, ulong KeyHash, string? Tag, int OffsetInRun, int Length, long Extended, long Deadline, int FromSlot, bool IsRetained);
}
