using System.Buffers.Binary;
using System.IO.Hashing;

namespace DiskDistributedCache.Storage;

/// <summary>Bytes that do not verify: what is wrong, where they are, whose they are if that is known, and how many there are.</summary>
internal readonly record struct DamagedPlace(
    QuarantineReason Reason, long Segment, long Offset, ulong KeyHash, long OriginalBytes);

/// <summary>
/// The head of a file in quarantine; the bytes follow it:
/// <code>
/// header := magic(8) version(4) reason(4) ticks(8) segment(8) offset(8) key-hash(8) kept-bytes(8) original-bytes(8) checksum(8)
/// </code>
/// </summary>
internal static class QuarantineFormat
{
    public const int Version = 1;
    public const int HeaderBytes = 8 + 4 + 4 + 8 + 8 + 8 + 8 + 8 + 8 + 8;

    private const ulong Magic = 0x4152415551434444; // "DDCQUARA"
    private const int ChecksumAt = HeaderBytes - 8;

    public static void WriteHeader(Span<byte> to, in DamagedPlace place, long ticks, long keptBytes)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(to, Magic);
        BinaryPrimitives.WriteInt32LittleEndian(to[8..], Version);
        BinaryPrimitives.WriteInt32LittleEndian(to[12..], (int)place.Reason);
        BinaryPrimitives.WriteInt64LittleEndian(to[16..], ticks);
        BinaryPrimitives.WriteInt64LittleEndian(to[24..], place.Segment);
        BinaryPrimitives.WriteInt64LittleEndian(to[32..], place.Offset);
        BinaryPrimitives.WriteUInt64LittleEndian(to[40..], place.KeyHash);
        BinaryPrimitives.WriteInt64LittleEndian(to[48..], keptBytes);
        BinaryPrimitives.WriteInt64LittleEndian(to[56..], place.OriginalBytes);
        BinaryPrimitives.WriteUInt64LittleEndian(to[ChecksumAt..], XxHash3.HashToUInt64(to[..ChecksumAt]));
    }

    /// <summary>Reads the head of a file of this length. False where it is not one, or belongs to a file of another length.</summary>
    public static bool TryReadHeader(
        ReadOnlySpan<byte> from, long fileBytes, out DamagedPlace place, out long ticks, out long keptBytes)
    {
        (place, ticks, keptBytes) = (default, 0, 0);
        if (from.Length < HeaderBytes
            || BinaryPrimitives.ReadUInt64LittleEndian(from) != Magic
            || BinaryPrimitives.ReadUInt64LittleEndian(from[ChecksumAt..]) != XxHash3.HashToUInt64(from[..ChecksumAt])
            || BinaryPrimitives.ReadInt32LittleEndian(from[8..]) != Version)
        {
            return false;
        }

        ticks = BinaryPrimitives.ReadInt64LittleEndian(from[16..]);
        keptBytes = BinaryPrimitives.ReadInt64LittleEndian(from[48..]);
        place = new DamagedPlace(
            (QuarantineReason)BinaryPrimitives.ReadInt32LittleEndian(from[12..]),
            BinaryPrimitives.ReadInt64LittleEndian(from[24..]),
            BinaryPrimitives.ReadInt64LittleEndian(from[32..]),
            BinaryPrimitives.ReadUInt64LittleEndian(from[40..]),
            BinaryPrimitives.ReadInt64LittleEndian(from[56..]));
        return keptBytes == fileBytes - HeaderBytes;
    }
}
