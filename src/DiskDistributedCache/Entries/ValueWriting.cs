using System.Buffers;

namespace DiskDistributedCache.Entries;

/// <summary>How a value gets into the writer of a caller.</summary>
internal static class ValueWriting
{
    // Up to this size a value is written to the caller's writer in one piece: the writer grows once instead of doubling
    // its way up. Larger values take what the writer has to offer, piece by piece.
    private const int OnePieceBytes = 1 << 20;

    public static void WriteValue(this IBufferWriter<byte> destination, in EntryValue value)
    {
        if (value.Whole is { } whole)
        {
            destination.WriteValue(whole);
        }
        else if (value.Length <= OnePieceBytes && destination.GetSpan(value.Length) is var piece && piece.Length >= value.Length)
        {
            value.CopyTo(piece);
            destination.Advance(value.Length);
        }
        else
        {
            destination.WritePieces(value);
        }
    }

    /// <summary>Takes what the writer has to offer.</summary>
    public static void WritePieces(this IBufferWriter<byte> destination, in EntryValue value)
    {
        for (int i = 0; i < value.PieceCount; i++)
        {
            destination.Write(value.Piece(i).Span);
        }
    }

    public static void WriteValue(this IBufferWriter<byte> destination, ReadOnlySpan<byte> value)
    {
        if (value.Length is > 0 and <= OnePieceBytes && destination.GetSpan(value.Length) is var piece && piece.Length >= value.Length)
        {
            value.CopyTo(piece);
            destination.Advance(value.Length);
        }
        else if (!value.IsEmpty)
        {
            // Also where a writer has less to offer than it was asked for, which it must not.
            destination.Write(value);
        }
    }
}
