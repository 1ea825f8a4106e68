using System.Buffers.Binary;
using System.IO.Hashing;
using System.Runtime.InteropServices;

namespace DiskDistributedCache.Storage;

/// <summary>What seeds the checksums of one segment, so that bytes of another store, segment or life of the file never verify.</summary>
internal readonly struct SegmentSeed
{
    public SegmentSeed(Guid storeId, long number)
    {
        Span<byte> name = stackalloc byte[24];
        storeId.TryWriteBytes(name);
        BinaryPrimitives.WriteInt64LittleEndian(name[16..], number);
        Seed = (long)XxHash3.HashToUInt64(name);
        EndMark = XxHash3.HashToUInt64(name, 1);
    }

    private SegmentSeed(long seed, ulong endMark) => (Seed, EndMark) = (seed, endMark);

    public long Seed { get; }

    /// <summary>Stands behind every record that was written to its end.</summary>
    public ulong EndMark { get; }

    /// <summary>What seeds the checksums of the record at an offset, so that one that a disk has put elsewhere in its segment does not verify.</summary>
    public SegmentSeed At(long offset) => new(Seed ^ offset, EndMark);
}

/// <summary>A known position in the log: a segment, where its records end, and the highest sequence number up to there.</summary>
internal readonly record struct LogMark(long Segment, long EndOffset, long HighestSequence);

/// <summary>What a start has to know of one record. 32 bytes, in memory as on disk.</summary>
internal readonly struct Fact
{
    private const ulong RetainedBit = 1UL << 56;

    private readonly ulong _keyHash;
    private readonly ulong _sequenceAndKind;
    private readonly long _deadline;
    private readonly uint _where;
    private readonly uint _length;

    private Fact(ulong keyHash, long sequence, RecordKind kind, long deadline, uint where, uint length, bool isRetained = false)
    {
        _keyHash = keyHash;
        _sequenceAndKind = (ulong)sequence | ((ulong)kind << 48) | (isRetained ? RetainedBit : 0);
        _deadline = deadline;
        _where = where;
        _length = length;
    }

    public ulong KeyHash => _keyHash;

    public long Sequence => (long)(_sequenceAndKind & (ulong)RecordFormat.MaxSequence);

    public RecordKind Kind => (RecordKind)(byte)(_sequenceAndKind >> 48);

    public long Deadline => _deadline;

    /// <summary>Of a value: whether it may not be lost before what is older than it.</summary>
    public bool IsRetained => (_sequenceAndKind & RetainedBit) != 0;

    /// <summary>Of a value: where its record is in the segment.</summary>
    public long Offset => (long)_where * RecordFormat.Alignment;

    /// <summary>Of a value: the length of its record.</summary>
    public int Length => (int)_length;

    /// <summary>Of a touch: the sequence number that it extends.</summary>
    public long Extended => (long)(_where | ((ulong)_length << 32));

    /// <summary>Of a tag eviction: which part of the footer's texts is the tag, in bytes.</summary>
    public (int Start, int Length) Text => ((int)_where, (int)_length);

    public static Fact Value(ulong keyHash, long sequence, long deadline, long offset, long length, bool isRetained = false) =>
        new(keyHash, sequence, RecordKind.Value, deadline, (uint)(offset / RecordFormat.Alignment), (uint)length, isRetained);

    public static Fact Removal(ulong keyHash, long sequence) => new(keyHash, sequence, RecordKind.Removal, 0, 0, 0);

    public static Fact Clear(long sequence) => new(0, sequence, RecordKind.Clear, 0, 0, 0);

    public static Fact TagEviction(long sequence, int textStart, int textLength) =>
        new(0, sequence, RecordKind.TagEviction, 0, (uint)textStart, (uint)textLength);

    public static Fact Touch(ulong keyHash, long sequence, long extended, long deadline) =>
        new(keyHash, sequence, RecordKind.Touch, deadline, (uint)extended, (uint)((ulong)extended >> 32));
}

/// <summary>The facts of one segment in the order of its records, as they are collected, written as a footer and read back.</summary>
internal sealed class SegmentFacts
{
    private const int MaxKeptTextBytes = 1 << 20;

    private readonly List<Fact> _facts = [];
    private readonly List<byte> _texts = [];

    public ReadOnlySpan<Fact> All => CollectionsMarshal.AsSpan(_facts);

    /// <summary>Where the records end.</summary>
    public long EndOffset { get; set; }

    /// <summary>The highest sequence number in the log up to <see cref="EndOffset"/>.</summary>
    public long HighestSequence { get; set; }

    public void Add(in Fact fact)
    {
        _facts.Add(fact);
        HighestSequence = Math.Max(HighestSequence, fact.Sequence);
    }

    public void AddTagEviction(long sequence, string tag)
    {
        var text = MemoryMarshal.AsBytes(tag.AsSpan());
        Add(Fact.TagEviction(sequence, _texts.Count, text.Length));
        CollectionsMarshal.SetCount(_texts, _texts.Count + text.Length);
        text.CopyTo(CollectionsMarshal.AsSpan(_texts)[^text.Length..]);
    }

    public string TagOf(in Fact fact)
    {
        var (start, length) = fact.Text;
        return new string(MemoryMarshal.Cast<byte, char>(CollectionsMarshal.AsSpan(_texts).Slice(start, length)));
    }

    public long FooterLength => SegmentFormat.FooterLength(_facts.Count, _texts.Count);

    public byte[] ToFooter(in SegmentSeed seed)
    {
        byte[] footer = new byte[FooterLength];
        WriteFooter(footer, seed);
        return footer;
    }

    /// <summary>Writes the footer over exactly as many bytes as it has.</summary>
    public void WriteFooter(Span<byte> to, in SegmentSeed seed) =>
        SegmentFormat.WriteFooter(to, this, CollectionsMarshal.AsSpan(_texts), seed);

    /// <summary>Begins anew, for the next segment, with the memory that it has.</summary>
    public void Restart(long endOffset, long highestSequence)
    {
        _facts.Clear();
        _texts.Clear();
        if (_texts.Capacity > MaxKeptTextBytes)
        {
            // Nobody has such tags again and again.
            _texts.TrimExcess();
        }

        (EndOffset, HighestSequence) = (endOffset, highestSequence);
    }

    public static SegmentFacts? FromFooter(ReadOnlySpan<byte> footer, in SegmentSeed seed)
    {
        if (!SegmentFormat.TryReadFooter(footer, seed, out var facts, out var texts, out long end, out long highest))
        {
            return null;
        }

        var read = new SegmentFacts { EndOffset = end };
        read._facts.AddRange(facts);
        read._texts.AddRange(texts);
        read.HighestSequence = highest;
        return read;
    }
}

/// <summary>
/// The frame around the records of a segment:
/// <code>
/// segment := header [carried-footer] record* (footer | zeros)
/// header  := magic(8) version(4) carried-bytes(4) store-id(16) number(8) capacity(8) first-record(8)
///            predecessor-end(8) predecessor-highest(8) zeros(48) checksum(8)
/// footer  := magic(8) facts(4) text-bytes(4) end(8) highest(8) fact(32)* texts padding trailer
/// trailer := magic(8) footer-bytes(8) zero(8) checksum(8)
/// </code>
/// </summary>
internal static class SegmentFormat
{
    public const int Version = 1;
    public const int HeaderBytes = 8 + 4 + 4 + 16 + 8 + 8 + 8 + 8 + 8 + 48 + 8;
    public const int FactBytes = 8 + 6 + 1 + 1 + 8 + 4 + 4;
    public const int TrailerBytes = 8 + 8 + 8 + 8;
    private const int FooterHeadBytes = 8 + 4 + 4 + 8 + 8;

    private const ulong HeaderMagic = 0x544D474553434444; // "DDCSEGMT"
    private const ulong FooterMagic = 0x52544F4F46434444; // "DDCFOOTR"
    private const ulong TrailerMagic = 0x4C49415254434444; // "DDCTRAIL"

    public static long FooterLength(int factCount, int textBytes) =>
        FooterHeadBytes + ((long)factCount * FactBytes) + RecordFormat.Align(textBytes) + TrailerBytes;

    /// <summary>Header and carried footer, up to the first record.</summary>
    public static byte[] WriteHeader(
        Guid storeId, long number, long capacity, in LogMark predecessor, ReadOnlySpan<byte> carriedFooter, in SegmentSeed seed)
    {
        byte[] to = new byte[HeaderBytes + carriedFooter.Length];
        BinaryPrimitives.WriteUInt64LittleEndian(to, HeaderMagic);
        BinaryPrimitives.WriteInt32LittleEndian(to.AsSpan(8), Version);
        BinaryPrimitives.WriteInt32LittleEndian(to.AsSpan(12), carriedFooter.Length);
        storeId.TryWriteBytes(to.AsSpan(16));
        BinaryPrimitives.WriteInt64LittleEndian(to.AsSpan(32), number);
        BinaryPrimitives.WriteInt64LittleEndian(to.AsSpan(40), capacity);
        BinaryPrimitives.WriteInt64LittleEndian(to.AsSpan(48), to.Length);
        BinaryPrimitives.WriteInt64LittleEndian(to.AsSpan(56), predecessor.EndOffset);
        BinaryPrimitives.WriteInt64LittleEndian(to.AsSpan(64), predecessor.HighestSequence);
        BinaryPrimitives.WriteUInt64LittleEndian(to.AsSpan(120), XxHash3.HashToUInt64(to.AsSpan(0, 120), seed.Seed));
        carriedFooter.CopyTo(to.AsSpan(HeaderBytes));
        return to;
    }

    public static SegmentHeader? TryReadHeader(ReadOnlySpan<byte> from, Guid storeId, long number, in SegmentSeed seed)
    {
        if (from.Length < HeaderBytes
            || BinaryPrimitives.ReadUInt64LittleEndian(from) != HeaderMagic
            || BinaryPrimitives.ReadUInt64LittleEndian(from[120..]) != XxHash3.HashToUInt64(from[..120], seed.Seed)
            || BinaryPrimitives.ReadInt32LittleEndian(from[8..]) != Version
            || new Guid(from.Slice(16, 16)) != storeId
            || BinaryPrimitives.ReadInt64LittleEndian(from[32..]) != number)
        {
            return null;
        }

        int carriedBytes = BinaryPrimitives.ReadInt32LittleEndian(from[12..]);
        long firstRecord = BinaryPrimitives.ReadInt64LittleEndian(from[48..]);
        if (carriedBytes < 0 || firstRecord != HeaderBytes + (long)carriedBytes)
        {
            return null;
        }

        return new SegmentHeader(
            BinaryPrimitives.ReadInt64LittleEndian(from[40..]),
            firstRecord,
            carriedBytes,
            new LogMark(
                number - 1,
                BinaryPrimitives.ReadInt64LittleEndian(from[56..]),
                BinaryPrimitives.ReadInt64LittleEndian(from[64..])));
    }

    public static void WriteFooter(Span<byte> to, SegmentFacts facts, ReadOnlySpan<byte> texts, in SegmentSeed seed)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(to, FooterMagic);
        BinaryPrimitives.WriteInt32LittleEndian(to[8..], facts.All.Length);
        BinaryPrimitives.WriteInt32LittleEndian(to[12..], texts.Length);
        BinaryPrimitives.WriteInt64LittleEndian(to[16..], facts.EndOffset);
        BinaryPrimitives.WriteInt64LittleEndian(to[24..], facts.HighestSequence);
        MemoryMarshal.AsBytes(facts.All).CopyTo(to[FooterHeadBytes..]);
        var rest = to[(FooterHeadBytes + (facts.All.Length * FactBytes))..];
        texts.CopyTo(rest);
        rest[texts.Length..].Clear();
        var trailer = to[^TrailerBytes..];
        BinaryPrimitives.WriteUInt64LittleEndian(trailer, TrailerMagic);
        BinaryPrimitives.WriteInt64LittleEndian(trailer[8..], to.Length);
        BinaryPrimitives.WriteUInt64LittleEndian(trailer[24..], XxHash3.HashToUInt64(to[..^8], seed.Seed));
    }

    /// <summary>Whether bytes are the beginning of a footer behind records that end there, whole or not.</summary>
    public static bool IsFooterBegun(ReadOnlySpan<byte> from, long endOffset) =>
        from.Length >= FooterHeadBytes
        && BinaryPrimitives.ReadUInt64LittleEndian(from) == FooterMagic
        && BinaryPrimitives.ReadInt64LittleEndian(from[16..]) == endOffset;

    /// <summary>The length of the footer that ends with this trailer; 0 where it is not a trailer.</summary>
    public static long FooterLengthFrom(ReadOnlySpan<byte> trailer) =>
        trailer.Length >= TrailerBytes && BinaryPrimitives.ReadUInt64LittleEndian(trailer) == TrailerMagic
            ? Math.Max(0, BinaryPrimitives.ReadInt64LittleEndian(trailer[8..]))
            : 0;

    public static bool TryReadFooter(
        ReadOnlySpan<byte> from,
        in SegmentSeed seed,
        out ReadOnlySpan<Fact> facts,
        out ReadOnlySpan<byte> texts,
        out long endOffset,
        out long highestSequence)
    {
        facts = default;
        texts = default;
        endOffset = highestSequence = 0;
        if (from.Length < FooterHeadBytes + TrailerBytes
            || BinaryPrimitives.ReadUInt64LittleEndian(from) != FooterMagic
            || FooterLengthFrom(from[^TrailerBytes..]) != from.Length
            || BinaryPrimitives.ReadUInt64LittleEndian(from[^8..]) != XxHash3.HashToUInt64(from[..^8], seed.Seed))
        {
            return false;
        }

        int count = BinaryPrimitives.ReadInt32LittleEndian(from[8..]);
        int textBytes = BinaryPrimitives.ReadInt32LittleEndian(from[12..]);
        if (count < 0 || textBytes < 0 || FooterLength(count, textBytes) != from.Length)
        {
            return false;
        }

        facts = MemoryMarshal.Cast<byte, Fact>(from.Slice(FooterHeadBytes, count * FactBytes));
        texts = from.Slice(FooterHeadBytes + (count * FactBytes), textBytes);
        endOffset = BinaryPrimitives.ReadInt64LittleEndian(from[16..]);
        highestSequence = BinaryPrimitives.ReadInt64LittleEndian(from[24..]);
        foreach (ref readonly Fact fact in facts)
        {
            if (!IsWithin(fact, endOffset, textBytes))
            {
                return false;
            }
        }

        return highestSequence is >= 0 and <= RecordFormat.MaxSequence;
    }

    /// <summary>Whether what a fact points to is among the records, or among the texts.</summary>
    private static bool IsWithin(in Fact fact, long endOffset, int textBytes) => fact.Kind switch
    {
        RecordKind.Value => fact.Offset >= HeaderBytes && fact.Length >= RecordFormat.LengthOf(0) && fact.Offset + fact.Length <= endOffset,
        RecordKind.TagEviction => (long)(uint)fact.Text.Start + (uint)fact.Text.Length <= textBytes,
        _ => true,
    };
}

/// <summary>A segment's header, decoded. The predecessor's mark has an end offset of 0 when there is no predecessor.</summary>
internal sealed record SegmentHeader(long Capacity, long FirstRecord, int CarriedFooterBytes, LogMark Predecessor);
