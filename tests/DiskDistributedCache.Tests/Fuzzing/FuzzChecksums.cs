using System.Buffers.Binary;
using System.IO.Hashing;
using DiskDistributedCache.Storage;

namespace DiskDistributedCache.Tests.Fuzzing;

/// <summary>Makes the checksums right in bytes that were made wrong, by the offsets that <c>docs/format.md</c> gives.</summary>
internal static class FuzzChecksums
{
    private const int RecordHeaderBytes = 96;
    private const int SegmentHeaderBytes = 128;
    private const int TrailerBytes = 32;

    private static ReadOnlySpan<byte> RecordMagic => "DREC"u8;

    /// <summary>Repairs one record, and says how long it says that it is; 0 where it is none, or longer than what there is.</summary>
    public static int RepairRecord(Span<byte> record, in SegmentSeed seed)
    {
        if (record.Length < RecordHeaderBytes || !record.StartsWith(RecordMagic))
        {
            return 0;
        }

        long payload = (long)(uint)Int(record, 8) + (uint)Int(record, 12) + (uint)Int(record, 16);
        if (RecordHeaderBytes + payload <= record.Length)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(
                record[80..], XxHash3.HashToUInt64(record.Slice(RecordHeaderBytes, (int)payload), seed.Seed));
        }

        BinaryPrimitives.WriteUInt64LittleEndian(record[88..], XxHash3.HashToUInt64(record[..88], seed.Seed));
        long length = ((RecordHeaderBytes + payload + 7) / 8 * 8) + 8;
        if (length > record.Length)
        {
            return 0;
        }

        BinaryPrimitives.WriteUInt64LittleEndian(record[(int)(length - 8)..], seed.EndMark);
        return (int)length;
    }

    /// <summary>Repairs header, carried footer, records and footer of a segment, as far as they can be found.</summary>
    public static void RepairSegment(Span<byte> segment, Guid storeId, long number)
    {
        var seed = new SegmentSeed(storeId, number);
        RepairFooter(segment, seed);
        if (segment.Length < SegmentHeaderBytes)
        {
            return;
        }

        int carried = Int(segment, 12);
        if (carried > 0 && carried <= segment.Length - SegmentHeaderBytes)
        {
            RepairFooter(segment.Slice(SegmentHeaderBytes, carried), new SegmentSeed(storeId, number - 1));
        }

        storeId.TryWriteBytes(segment[16..]);
        BinaryPrimitives.WriteInt64LittleEndian(segment[32..], number);
        BinaryPrimitives.WriteUInt64LittleEndian(segment[120..], XxHash3.HashToUInt64(segment[..120], seed.Seed));
        long at = BinaryPrimitives.ReadInt64LittleEndian(segment[48..]);
        while (at >= 0 && at < segment.Length && RepairRecord(segment[(int)at..], seed) is var length and > 0)
        {
            at += length;
        }
    }

    public static void RepairSuperblock(Span<byte> slot, int number) => BinaryPrimitives.WriteUInt64LittleEndian(
        slot[^8..], XxHash3.HashToUInt64(slot[..^8], number));

    /// <summary>Repairs a footer that ends where the bytes end.</summary>
    private static void RepairFooter(Span<byte> bytes, in SegmentSeed seed)
    {
        if (bytes.Length < TrailerBytes || !bytes[^TrailerBytes..].StartsWith("DDCTRAIL"u8))
        {
            return;
        }

        long length = BinaryPrimitives.ReadInt64LittleEndian(bytes[^24..]);
        if (length >= TrailerBytes && length <= bytes.Length)
        {
            var footer = bytes[^(int)length..];
            BinaryPrimitives.WriteUInt64LittleEndian(footer[^8..], XxHash3.HashToUInt64(footer[..^8], seed.Seed));
        }
    }

    private static int Int(ReadOnlySpan<byte> from, int at) => BinaryPrimitives.ReadInt32LittleEndian(from[at..]);
}
