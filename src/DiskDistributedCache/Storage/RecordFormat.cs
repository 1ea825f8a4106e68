using System.Buffers.Binary;
using System.IO.Hashing;
using System.Runtime.InteropServices;
using DiskDistributedCache.Entries;

namespace DiskDistributedCache.Storage;

internal enum RecordKind : byte
{
    Value = 1,
    Removal = 2,
    TagEviction = 3,
    Clear = 4,
    Touch = 5,
}

/// <summary>The header of a record, decoded. Field by field as in <c>docs/format.md</c>.</summary>
internal struct RecordHeader
{
    public RecordKind Kind;
    public KeySpace Space;
    public RecordCodec Codec;
    public bool IsRetained;
    public int KeyBytes;
    public int TagsBytes;
    public int StoredBytes;
    public int RawBytes;
    public long Sequence;
    public long Ticket;
    public ulong KeyHash;
    public long AbsoluteExpiry;
    public long SlidingTicks;
    public long Deadline;
    public bool IsProtected;
    public int TagCount;
    public ulong PayloadChecksum;

    public readonly long PayloadBytes => (long)KeyBytes + TagsBytes + StoredBytes;

    public readonly long RecordBytes => RecordFormat.LengthOf(PayloadBytes);
}

/// <summary>
/// A record's bytes:
/// <code>
/// record := header key tags value padding end-mark
/// header := magic(4) kind(1) space(1) codec(1) flags(1) key-bytes(4) tags-bytes(4) stored-bytes(4) raw-bytes(4)
///           sequence(8) ticket(8) key-hash(8) absolute(8) sliding(8) deadline(8) protection(4) tag-count(2) zero(2)
///           payload-checksum(8) header-checksum(8)
/// tags   := (bytes(4) text)*
/// </code>
/// Nothing here trusts a length before the header's checksum has been verified.
/// </summary>
internal static class RecordFormat
{
    public const int HeaderBytes = 4 + 1 + 1 + 1 + 1 + 4 + 4 + 4 + 4 + 8 + 8 + 8 + 8 + 8 + 8 + 4 + 2 + 2 + 8 + 8;
    public const int EndMarkBytes = 8;
    public const int Alignment = 8;

    /// <summary>Sequence numbers have 48 bits in the index and in footers.</summary>
    public const long MaxSequence = (1L << 48) - 1;

    /// <summary>The most tags that an entry may have: the header counts them in two bytes.</summary>
    public const int MaxTags = ushort.MaxValue;

    private const uint Magic = 0x43455244; // "DREC"
    private const int HeaderChecksumAt = HeaderBytes - 8;
    private const uint Protected = 1;
    private const byte RetainedFlag = 1;

    public static long Align(long offset) => (offset + (Alignment - 1)) & ~(long)(Alignment - 1);

    public static long LengthOf(long payloadBytes) => Align(HeaderBytes + payloadBytes) + EndMarkBytes;

    public static long TagsLength(string[] tags)
    {
        long bytes = 0;
        foreach (string tag in tags)
        {
            bytes += 4 + (2L * tag.Length);
        }

        return bytes;
    }

    /// <summary>The bytes that a value takes in a segment, in this form or as it is.</summary>
    public static long LengthOf(CacheEntry entry, StoredValue? stored = null) =>
        LengthOf((2L * entry.Key.Text.Length) + TagsLength(entry.Tags) + (stored?.Bytes ?? entry.Value).Length);

    /// <summary>The bytes that a tag eviction takes in a segment.</summary>
    public static long LengthOfEviction(string tag) => LengthOf(4 + (2L * tag.Length));

    /// <summary>Writes a value's record; <paramref name="to"/> is exactly as long as the record.</summary>
    public static void WriteValue(
        Span<byte> to, CacheEntry entry, ulong keyHash, long deadline, in SegmentSeed seed, StoredValue? stored = null)
    {
        var bytes = stored?.Bytes ?? entry.Value;
        var header = new RecordHeader
        {
            Kind = RecordKind.Value,
            Space = entry.Key.Space,
            IsRetained = entry.IsRetained,
            KeyBytes = 2 * entry.Key.Text.Length,
            TagsBytes = (int)TagsLength(entry.Tags),
            Codec = stored?.Codec ?? RecordCodec.None,
            IsProtected = stored is { IsProtected: true },
            StoredBytes = bytes.Length,
            RawBytes = stored?.RawBytes ?? bytes.Length,
            Sequence = entry.Sequence,
            Ticket = entry.Ticket,
            KeyHash = keyHash,
            AbsoluteExpiry = entry.Expiry.AbsoluteTicks,
            SlidingTicks = entry.Expiry.SlidingTicks,
            Deadline = deadline,
            TagCount = entry.Tags.Length,
        };
        var rest = to[HeaderBytes..];
        MemoryMarshal.AsBytes(entry.Key.Text.AsSpan()).CopyTo(rest);
        rest = WriteTags(rest[header.KeyBytes..], entry.Tags);
        bytes.CopyTo(rest);
        Finish(to, header, seed);
    }

    /// <summary>Writes the record of a removal, a tag eviction, a clear or a touch.</summary>
    public static void WriteMark(
        Span<byte> to, RecordKind kind, long sequence, ulong keyHash, string? tag, long extended, long deadline, in SegmentSeed seed)
    {
        var header = new RecordHeader
        {
            Kind = kind,
            Sequence = sequence,
            Ticket = extended,
            KeyHash = keyHash,
            AbsoluteExpiry = Expiry.Never,
            Deadline = deadline,
        };
        if (tag is not null)
        {
            header.TagsBytes = 4 + (2 * tag.Length);
            header.TagCount = 1;
            WriteTags(to[HeaderBytes..], [tag]);
        }

        Finish(to, header, seed);
    }

    /// <summary>Reads and verifies a header. False where the bytes are not one.</summary>
    public static bool TryReadHeader(ReadOnlySpan<byte> from, in SegmentSeed seed, out RecordHeader header)
    {
        header = default;
        if (from.Length < HeaderBytes
            || BinaryPrimitives.ReadUInt32LittleEndian(from) != Magic
            || BinaryPrimitives.ReadUInt64LittleEndian(from[HeaderChecksumAt..])
                != XxHash3.HashToUInt64(from[..HeaderChecksumAt], seed.Seed))
        {
            return false;
        }

        header.Kind = (RecordKind)from[4];
        header.Space = (KeySpace)from[5];
        header.Codec = (RecordCodec)from[6];
        header.IsRetained = (from[7] & RetainedFlag) != 0;
        header.KeyBytes = BinaryPrimitives.ReadInt32LittleEndian(from[8..]);
        header.TagsBytes = BinaryPrimitives.ReadInt32LittleEndian(from[12..]);
        header.StoredBytes = BinaryPrimitives.ReadInt32LittleEndian(from[16..]);
        header.RawBytes = BinaryPrimitives.ReadInt32LittleEndian(from[20..]);
        header.Sequence = BinaryPrimitives.ReadInt64LittleEndian(from[24..]);
        header.Ticket = BinaryPrimitives.ReadInt64LittleEndian(from[32..]);
        header.KeyHash = BinaryPrimitives.ReadUInt64LittleEndian(from[40..]);
        header.AbsoluteExpiry = BinaryPrimitives.ReadInt64LittleEndian(from[48..]);
        header.SlidingTicks = BinaryPrimitives.ReadInt64LittleEndian(from[56..]);
        header.Deadline = BinaryPrimitives.ReadInt64LittleEndian(from[64..]);
        uint protection = BinaryPrimitives.ReadUInt32LittleEndian(from[72..]);
        header.IsProtected = protection == Protected;
        header.TagCount = BinaryPrimitives.ReadUInt16LittleEndian(from[76..]);
        header.PayloadChecksum = BinaryPrimitives.ReadUInt64LittleEndian(from[80..]);
        return (header.KeyBytes | header.TagsBytes | header.StoredBytes | header.RawBytes) >= 0
            && (header.KeyBytes & 1) == 0
            && header.Sequence is >= 0 and <= MaxSequence
            && header.Codec <= RecordCodec.Brotli
            && protection <= Protected;
    }

    /// <summary>Whether key, tags and value are what was written. <paramref name="record"/> begins with the header.</summary>
    public static bool VerifyPayload(ReadOnlySpan<byte> record, in RecordHeader header, in SegmentSeed seed) =>
        record.Length >= HeaderBytes + header.PayloadBytes
        && XxHash3.HashToUInt64(record.Slice(HeaderBytes, (int)header.PayloadBytes), seed.Seed) == header.PayloadChecksum;

    public static ReadOnlySpan<char> KeyOf(ReadOnlySpan<byte> record, in RecordHeader header) =>
        MemoryMarshal.Cast<byte, char>(record.Slice(HeaderBytes, header.KeyBytes));

    public static ReadOnlySpan<byte> ValueOf(ReadOnlySpan<byte> record, in RecordHeader header) =>
        record.Slice(HeaderBytes + header.KeyBytes + header.TagsBytes, header.StoredBytes);

    /// <summary>The tags of a verified record, or null where their lengths do not add up.</summary>
    public static string[]? TagsOf(ReadOnlySpan<byte> record, in RecordHeader header)
    {
        if (header.TagCount == 0)
        {
            return header.TagsBytes == 0 ? [] : null;
        }

        // Before there is an array of that many: each of them takes at least its length.
        if (header.TagCount > header.TagsBytes / 4)
        {
            return null;
        }

        var from = record.Slice(HeaderBytes + header.KeyBytes, header.TagsBytes);
        var tags = new string[header.TagCount];
        for (int i = 0; i < tags.Length; i++)
        {
            if (from.Length < 4)
            {
                return null;
            }

            int bytes = BinaryPrimitives.ReadInt32LittleEndian(from);
            if (bytes < 0 || (bytes & 1) != 0 || bytes > from.Length - 4)
            {
                return null;
            }

            tags[i] = new string(MemoryMarshal.Cast<byte, char>(from.Slice(4, bytes)));
            from = from[(4 + bytes)..];
        }

        return from.IsEmpty ? tags : null;
    }

    public static Span<byte> WriteTags(Span<byte> to, string[] tags)
    {
        foreach (string tag in tags)
        {
            BinaryPrimitives.WriteInt32LittleEndian(to, 2 * tag.Length);
            MemoryMarshal.AsBytes(tag.AsSpan()).CopyTo(to[4..]);
            to = to[(4 + (2 * tag.Length))..];
        }

        return to;
    }

    private static void Finish(Span<byte> to, in RecordHeader header, in SegmentSeed seed)
    {
        int payload = (int)header.PayloadBytes;
        to[(HeaderBytes + payload)..^EndMarkBytes].Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(to[^EndMarkBytes..], seed.EndMark);
        BinaryPrimitives.WriteUInt32LittleEndian(to, Magic);
        to[4] = (byte)header.Kind;
        to[5] = (byte)header.Space;
        to[6] = (byte)header.Codec;
        to[7] = header.IsRetained ? RetainedFlag : (byte)0;
        BinaryPrimitives.WriteInt32LittleEndian(to[8..], header.KeyBytes);
        BinaryPrimitives.WriteInt32LittleEndian(to[12..], header.TagsBytes);
        BinaryPrimitives.WriteInt32LittleEndian(to[16..], header.StoredBytes);
        BinaryPrimitives.WriteInt32LittleEndian(to[20..], header.RawBytes);
        BinaryPrimitives.WriteInt64LittleEndian(to[24..], header.Sequence);
        BinaryPrimitives.WriteInt64LittleEndian(to[32..], header.Ticket);
        BinaryPrimitives.WriteUInt64LittleEndian(to[40..], header.KeyHash);
        BinaryPrimitives.WriteInt64LittleEndian(to[48..], header.AbsoluteExpiry);
        BinaryPrimitives.WriteInt64LittleEndian(to[56..], header.SlidingTicks);
        BinaryPrimitives.WriteInt64LittleEndian(to[64..], header.Deadline);
        BinaryPrimitives.WriteUInt32LittleEndian(to[72..], header.IsProtected ? Protected : 0);
        BinaryPrimitives.WriteUInt16LittleEndian(to[76..], (ushort)header.TagCount);
        BinaryPrimitives.WriteUInt16LittleEndian(to[78..], 0);
        BinaryPrimitives.WriteUInt64LittleEndian(to[80..], XxHash3.HashToUInt64(to.Slice(HeaderBytes, payload), seed.Seed));
        BinaryPrimitives.WriteUInt64LittleEndian(to[HeaderChecksumAt..], XxHash3.HashToUInt64(to[..HeaderChecksumAt], seed.Seed));
    }
}
