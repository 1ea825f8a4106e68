using System.Buffers;

namespace DiskDistributedCache.Entries;

/// <summary>
/// The bytes of a value, which nobody writes to once they are there. They are one array; or pieces, where one array would lie on the heap of large objects,
/// which only a full collection cleans. What is in pieces is meant to be copied: who needs it in one array has to make a copy, so what is asked for
/// as an array is kept as one.
/// </summary>
internal readonly struct EntryValue
{
    /// <summary>The largest value that is never in pieces. The runtime takes 85,000 bytes for large, unless it is told to take more.</summary>
    public const int MaxWholeBytes = 80 << 10;

    /// <summary>Every piece but the last has as many.</summary>
    public const int PieceBytes = 64 << 10;

    // A byte[], or a byte[][] of at least two pieces, or null for nothing.
    private readonly object? _bytes;

    /// <summary>A value that is an array of any length, which belongs to it from here on.</summary>
    public EntryValue(byte[] whole) => _bytes = whole;

    private EntryValue(byte[][] pieces) => _bytes = pieces;

    /// <summary>All of it in one array, which must not be written to; null where it is in pieces.</summary>
    public byte[]? Whole => _bytes is byte[] whole ? whole : _bytes is null ? [] : null;

    public int Length => _bytes is byte[] whole ? whole.Length
        : _bytes is byte[][] pieces ? ((pieces.Length - 1) * PieceBytes) + pieces[^1].Length
        : 0;

    public int PieceCount => Whole is null ? ((byte[][])_bytes!).Length : 1;

    /// <summary>The array in which it begins.</summary>
    public byte[] First => ArrayOf(0);

    public static implicit operator EntryValue(byte[] whole) => new(whole);

    /// <summary>A copy of bytes that belong to somebody else.</summary>
    /// <param name="bytes">The bytes.</param>
    /// <param name="space">
    /// Where they belong. Responses are one array, however long they are: the middleware of the output cache asks for an array with every request.
    /// </param>
    public static EntryValue CopyOf(ReadOnlySpan<byte> bytes, KeySpace space = KeySpace.Data)
    {
        var value = Allocate(bytes.Length, space);
        for (int piece = 0; piece < value.PieceCount; piece++)
        {
            Span<byte> to = value.ArrayOf(piece);
            bytes[..to.Length].CopyTo(to);
            bytes = bytes[to.Length..];
        }

        return value;
    }

    /// <inheritdoc cref="CopyOf(ReadOnlySpan{byte}, KeySpace)"/>
    public static EntryValue CopyOf(in ReadOnlySequence<byte> bytes, KeySpace space = KeySpace.Data)
    {
        if (bytes.IsSingleSegment)
        {
            return CopyOf(bytes.FirstSpan, space);
        }

        var value = Allocate((int)bytes.Length, space);
        var rest = bytes;
        for (int piece = 0; piece < value.PieceCount; piece++)
        {
            Span<byte> to = value.ArrayOf(piece);
            rest.Slice(0, to.Length).CopyTo(to);
            rest = rest.Slice(to.Length);
        }

        return value;
    }

    /// <summary>A piece of it; the only one of an array is all of it.</summary>
    public ReadOnlyMemory<byte> Piece(int index) => ArrayOf(index);

    public void CopyTo(Span<byte> to)
    {
        for (int piece = 0; piece < PieceCount; piece++)
        {
            var from = ArrayOf(piece);
            from.CopyTo(to);
            to = to[from.Length..];
        }
    }

    /// <summary>A copy in one array.</summary>
    public byte[] ToArray()
    {
        byte[] copy = GC.AllocateUninitializedArray<byte>(Length);
        CopyTo(copy);
        return copy;
    }

    /// <summary>All of it in one array, which must not be written to: its own, or, where it is in pieces, a copy.</summary>
    public byte[] AsArray() => Whole ?? ToArray();

    private static EntryValue Allocate(int length, KeySpace space)
    {
        if (space == KeySpace.Output || length <= MaxWholeBytes)
        {
            return new EntryValue(GC.AllocateUninitializedArray<byte>(length));
        }

        byte[][] pieces = new byte[(length + PieceBytes - 1) / PieceBytes][];
        for (int piece = 0; piece < pieces.Length; piece++)
        {
            pieces[piece] = GC.AllocateUninitializedArray<byte>(Math.Min(PieceBytes, length - (piece * PieceBytes)));
        }

        return new EntryValue(pieces);
    }

    private byte[] ArrayOf(int index) => _bytes is byte[] whole ? whole : _bytes is byte[][] pieces ? pieces[index] : [];
}
