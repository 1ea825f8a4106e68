using System.Buffers.Binary;

namespace DiskDistributedCache.Reliability.Processes;

/// <summary>A value that tells which it is: key, version and length at its head, then bytes that only this version of this key has.</summary>
internal static class PatternedValue
{
    public const int HeadBytes = 4 + 4 + 4;
    public const int MaxBytes = 1 << 20;

    private const int PatternBytes = 2 * MaxBytes;
    private static readonly byte[] s_pattern = NewPattern();

    public static byte[] Of(int key, int version, int bytes)
    {
        byte[] value = new byte[Math.Max(bytes, HeadBytes)];
        WriteHead(value, key, version);
        PatternOf(key, version, value.Length).CopyTo(value.AsSpan(HeadBytes));
        return value;
    }

    /// <summary>The version that a value of this key is, bit for bit; -1 when it is none.</summary>
    public static int VersionOf(int key, ReadOnlySpan<byte> value)
    {
        if (value.Length is < HeadBytes or > MaxBytes)
        {
            return -1;
        }

        int version = BinaryPrimitives.ReadInt32LittleEndian(value[4..]);
        Span<byte> head = stackalloc byte[HeadBytes];
        WriteHead(head, key, version, value.Length);
        return version > 0 && value.StartsWith(head) && value[HeadBytes..].SequenceEqual(PatternOf(key, version, value.Length)) ? version : -1;
    }

    private static void WriteHead(Span<byte> head, int key, int version, int? length = null)
    {
        BinaryPrimitives.WriteInt32LittleEndian(head, key);
        BinaryPrimitives.WriteInt32LittleEndian(head[4..], version);
        BinaryPrimitives.WriteInt32LittleEndian(head[8..], length ?? head.Length);
    }

    private static ReadOnlySpan<byte> PatternOf(int key, int version, int bytes)
    {
        uint start = unchecked(((uint)key * 2654435761) ^ ((uint)version * 2246822519)) % MaxBytes;
        return s_pattern.AsSpan((int)start, bytes - HeadBytes);
    }

    private static byte[] NewPattern()
    {
        byte[] pattern = new byte[PatternBytes];
        new Random(20251125).NextBytes(pattern);
        return pattern;
    }
}
