using System.Buffers.Binary;

namespace DiskDistributedCache.Storage;

/// <summary>
/// The facts of a segment without a footer, from its records. Tells a torn tail, which a killed process leaves behind, from
/// rot.
///
/// A process that is killed while it writes leaves a prefix of what it wrote, and zeros behind it. So bytes that do not verify are
/// a torn tail only if the file is as long as it was made, they lie behind every known mark, there is nothing behind where the first record
/// that does not verify would have ended, and the last thing in the file that is not zero is not the end mark of a record: an end mark says
/// that everything before it was complete once. Anything else is rot. Rot in a record whose header still verifies costs that record (or, if it was a tag eviction, everything earlier, because it
/// may have had any tag); rot in a header costs everything up to the end of the segment.
/// </summary>
internal sealed class SegmentScan(SegmentFile segment, SegmentHeader? header, long markEnd, bool markIsFinal)
{
    public SegmentFacts Facts { get; } = new();

    /// <summary>Something below a mark, or something that was complete once, cannot be read.</summary>
    public bool HasHole { get; private set; }

    /// <summary>Where the last thing in the file ends that is not zero; behind the records only where there is a torn tail.</summary>
    public long UsedEnd { get; private set; }

    /// <summary>Of a hole: the first bytes that do not verify, with the rest of the segment.</summary>
    public DamagedPlace Damage { get; private set; }

    public void Run()
    {
        byte[] bytes = new byte[segment.File.Length];
        var file = bytes.AsSpan(0, segment.File.Read(bytes, 0));
        bool isEndKnown = markIsFinal && markEnd > 0;
        UsedEnd = file.LastIndexOfAnyExcept((byte)0) + 1;
        long completeEnd = isEndKnown ? markEnd : Math.Max(markEnd, LastEndMark(file));
        int at = (int)Math.Min(file.Length, header?.FirstRecord ?? SegmentFormat.HeaderBytes);
        while (RecordFormat.TryReadHeader(file[at..], segment.Seed.At(at), out var record) && at + record.RecordBytes <= file.Length)
        {
            int length = (int)record.RecordBytes;
            bool verifies = RecordFormat.VerifyPayload(file[at..], record, segment.Seed.At(at));
            if (!verifies && at + length > completeEnd)
            {
                break;
            }

            Add(file.Slice(at, length), record, at, verifies);
            at += length;
        }

        Facts.EndOffset = at;
        bool isWhole = header is not null && file.Length >= header.Capacity;
        bool isRotten = at < completeEnd || (!isEndKnown && GoesOnBehindTorn(file, at));
        HasHole = isRotten || !(isWhole || isEndKnown);
        if (HasHole)
        {
            Damage = DamageAt(file, at, isRotten);
        }
    }

    /// <summary>
    /// Says what can be said of a hole. Without its header the segment is damaged from its beginning; with it, the file was cut where
    /// no record is missing that is known of, or where it has no room for the next one.
    /// </summary>
    private DamagedPlace DamageAt(ReadOnlySpan<byte> file, int at, bool isRotten)
    {
        if (header is null)
        {
            return new DamagedPlace(QuarantineReason.SegmentDamaged, segment.Number, 0, 0, file.Length);
        }

        bool hasHeader = RecordFormat.TryReadHeader(file[at..], segment.Seed.At(at), out var record);
        bool isCut = !isRotten || file.Length - at < (hasHeader ? record.RecordBytes : RecordFormat.HeaderBytes);
        return new DamagedPlace(
            isCut ? QuarantineReason.Truncated : QuarantineReason.SegmentDamaged,
            segment.Number,
            at,
            hasHeader ? record.KeyHash : 0,
            file.Length - at);
    }

    private void Add(ReadOnlySpan<byte> bytes, in RecordHeader record, long at, bool verifies)
    {
        switch (record.Kind)
        {
            case RecordKind.Value:
                // One that does not verify is found out, quarantined and dropped by whoever reads it.
                Facts.Add(Fact.Value(record.KeyHash, record.Sequence, record.Deadline, at, record.RecordBytes, record.IsRetained));
                break;
            case RecordKind.Removal:
                Facts.Add(Fact.Removal(record.KeyHash, record.Sequence));
                break;
            case RecordKind.Touch:
                Facts.Add(Fact.Touch(record.KeyHash, record.Sequence, record.Ticket, record.Deadline));
                break;
            case RecordKind.TagEviction when verifies && RecordFormat.TagsOf(bytes, record) is [var tag]:
                Facts.AddTagEviction(record.Sequence, tag);
                break;
            case RecordKind.TagEviction or RecordKind.Clear:
                Facts.Add(Fact.Clear(record.Sequence));
                break;
        }
    }

    /// <summary>
    /// Whether there is something behind where a torn record would have ended. It would have been the last thing that was written, or the footer.
    /// </summary>
    private bool GoesOnBehindTorn(ReadOnlySpan<byte> file, int at)
    {
        var rest = file[at..];
        long torn = RecordFormat.TryReadHeader(rest, segment.Seed.At(at), out var record) ? record.RecordBytes : RecordFormat.HeaderBytes;
        return at + torn < UsedEnd && !SegmentFormat.IsFooterBegun(rest, at);
    }

    /// <summary>Where the last complete record ends, if the last thing in the file that is not zero is an end mark; else 0.</summary>
    private long LastEndMark(ReadOnlySpan<byte> file)
    {
        if (UsedEnd == 0)
        {
            return 0;
        }

        // An end mark is aligned; its own last bytes may be zero.
        int word = (int)(UsedEnd - 1) & ~(RecordFormat.Alignment - 1);
        return word + RecordFormat.EndMarkBytes <= file.Length
            && BinaryPrimitives.ReadUInt64LittleEndian(file[word..]) == segment.Seed.EndMark
            ? word + RecordFormat.EndMarkBytes
            : 0;
    }
}
