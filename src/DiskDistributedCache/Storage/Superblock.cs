using System.Buffers.Binary;
using System.IO.Hashing;

namespace DiskDistributedCache.Storage;

/// <summary>One slot of the superblock, decoded. Layout in <c>docs/format.md</c>.</summary>
internal sealed record Superblock
{
    public const int SlotBytes = 4096;
    public const int SlotCount = 2;

    private const ulong Magic = 0x5245505553434444; // "DDCSUPER"
    private const int Version = 1;
    private const int ChecksumAt = SlotBytes - 8;

    public required Guid StoreId { get; init; }

    public required long HashSeed { get; init; }

    public required Guid SessionId { get; init; }

    /// <summary>Which run of the operating system the session belongs to; zero where that cannot be told.</summary>
    public required Guid BootId { get; init; }

    public long MountId { get; init; }

    public long Generation { get; init; }

    public bool IsClean { get; init; }

    public bool IsSuspect { get; init; }

    /// <summary>Whether the values of the store are protected, all of them.</summary>
    public bool IsProtected { get; init; }

    /// <summary>Whether the segment of the mark ends there: nothing was or will be appended to it.</summary>
    public bool IsMarkFinal { get; init; }

    public long SuspectGeneration { get; init; }

    public long ClockHighWater { get; init; }

    public LogMark Mark { get; init; }

    public void WriteTo(Span<byte> slot, int slotNumber)
    {
        slot.Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(slot, Magic);
        BinaryPrimitives.WriteInt32LittleEndian(slot[8..], Version);
        BinaryPrimitives.WriteInt32LittleEndian(
            slot[12..], (IsClean ? 1 : 0) | (IsSuspect ? 2 : 0) | (IsMarkFinal ? 4 : 0) | (IsProtected ? 8 : 0));
        BinaryPrimitives.WriteInt64LittleEndian(slot[16..], Generation);
        StoreId.TryWriteBytes(slot[24..]);
        BinaryPrimitives.WriteInt64LittleEndian(slot[40..], HashSeed);
        SessionId.TryWriteBytes(slot[48..]);
        BootId.TryWriteBytes(slot[64..]);
        BinaryPrimitives.WriteInt64LittleEndian(slot[80..], MountId);
        BinaryPrimitives.WriteInt64LittleEndian(slot[88..], SuspectGeneration);
        BinaryPrimitives.WriteInt64LittleEndian(slot[96..], ClockHighWater);
        BinaryPrimitives.WriteInt64LittleEndian(slot[104..], Mark.Segment);
        BinaryPrimitives.WriteInt64LittleEndian(slot[112..], Mark.EndOffset);
        BinaryPrimitives.WriteInt64LittleEndian(slot[120..], Mark.HighestSequence);
        BinaryPrimitives.WriteUInt64LittleEndian(slot[ChecksumAt..], XxHash3.HashToUInt64(slot[..ChecksumAt], slotNumber));
    }

    /// <summary>Null where the slot does not verify, is of another version, or is not a slot at all.</summary>
    public static Superblock? TryRead(ReadOnlySpan<byte> slot, int slotNumber)
    {
        if (slot.Length < SlotBytes
            || BinaryPrimitives.ReadUInt64LittleEndian(slot) != Magic
            || BinaryPrimitives.ReadInt32LittleEndian(slot[8..]) != Version
            || BinaryPrimitives.ReadUInt64LittleEndian(slot[ChecksumAt..]) != XxHash3.HashToUInt64(slot[..ChecksumAt], slotNumber))
        {
            return null;
        }

        int flags = BinaryPrimitives.ReadInt32LittleEndian(slot[12..]);
        return new Superblock
        {
            IsClean = (flags & 1) != 0,
            IsSuspect = (flags & 2) != 0,
            IsMarkFinal = (flags & 4) != 0,
            IsProtected = (flags & 8) != 0,
            Generation = BinaryPrimitives.ReadInt64LittleEndian(slot[16..]),
            StoreId = new Guid(slot.Slice(24, 16)),
            HashSeed = BinaryPrimitives.ReadInt64LittleEndian(slot[40..]),
            SessionId = new Guid(slot.Slice(48, 16)),
            BootId = new Guid(slot.Slice(64, 16)),
            MountId = BinaryPrimitives.ReadInt64LittleEndian(slot[80..]),
            SuspectGeneration = BinaryPrimitives.ReadInt64LittleEndian(slot[88..]),
            ClockHighWater = BinaryPrimitives.ReadInt64LittleEndian(slot[96..]),
            Mark = new LogMark(
                BinaryPrimitives.ReadInt64LittleEndian(slot[104..]),
                BinaryPrimitives.ReadInt64LittleEndian(slot[112..]),
                BinaryPrimitives.ReadInt64LittleEndian(slot[120..])),
        };
    }
}
