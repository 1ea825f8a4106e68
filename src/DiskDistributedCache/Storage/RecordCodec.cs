using System.Buffers;
using System.IO.Compression;

namespace DiskDistributedCache.Storage;

/// <summary>How the value of a record is compressed. The numbers are on disk.</summary>
internal enum RecordCodec : byte
{
    None = 0,
    GZip = 1,
    Brotli = 2,
}

/// <summary>
/// Compresses and decompresses values. The output has a length that is known before: compressing stops where it would not save
/// enough, decompressing where the record says that the value ends, so that no input can make it take more.
/// </summary>
internal static class Compression
{
    /// <summary>The part of its bytes that compression has to save of a value: a tenth.</summary>
    private const int LeastSavedPart = 10;

    // The fast levels: those above save a few more percent and cost a multiple. docs/benchmarks.md has the numbers.
    private const int BrotliQuality = 1;
    private const int BrotliWindow = 22;

    /// <summary>The compressed value, behind as many free bytes as are asked for; null where compression saves too little.</summary>
    public static byte[]? TryCompress(RecordCodec codec, ReadOnlySpan<byte> value, int freeBytes)
    {
        int limit = value.Length - ((value.Length + LeastSavedPart - 1) / LeastSavedPart);
        if (limit == 0)
        {
            return null;
        }

        byte[] buffer = ArrayPool<byte>.Shared.Rent(limit);
        try
        {
            int length = codec == RecordCodec.GZip
                ? GZipTo(buffer.AsMemory(0, limit), value)
                : BrotliEncoder.TryCompress(value, buffer.AsSpan(0, limit), out int written, BrotliQuality, BrotliWindow) ? written : -1;
            if (length < 0)
            {
                return null;
            }

            byte[] compressed = new byte[freeBytes + length];
            buffer.AsSpan(0, length).CopyTo(compressed.AsSpan(freeBytes));
            return compressed;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Whether the bytes decompress to exactly as many as there is room for.</summary>
    public static bool TryDecompress(RecordCodec codec, ArraySegment<byte> from, Span<byte> to)
    {
        try
        {
            return codec == RecordCodec.GZip
                ? TryGUnzip(from, to)
                : BrotliDecoder.TryDecompress(from, to, out int written) && written == to.Length;
        }
        catch (Exception exception) when (exception is InvalidDataException or IOException)
        {
            // An expected outcome here: the bytes are no compressed value.
            return false;
        }
    }

    private static int GZipTo(Memory<byte> buffer, ReadOnlySpan<byte> value)
    {
        var output = new BoundedStream(buffer);
        using (var gzip = new GZipStream(output, CompressionLevel.Fastest, leaveOpen: true))
        {
            gzip.Write(value);
        }

        return output.WrittenBytes;
    }

    private static bool TryGUnzip(ArraySegment<byte> from, Span<byte> to)
    {
        using var input = new MemoryStream(from.Array!, from.Offset, from.Count, writable: false);
        using var gzip = new GZipStream(input, CompressionMode.Decompress);
        return gzip.ReadAtLeast(to, to.Length, throwOnEndOfStream: false) == to.Length && gzip.ReadByte() < 0;
    }

    /// <summary>Takes what fits and remembers when there was more.</summary>
    private sealed class BoundedStream(Memory<byte> buffer) : Stream
    {
        /// <summary>Less than 0 when it was too much.</summary>
        public int WrittenBytes { get; private set; }

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override void Write(ReadOnlySpan<byte> bytes)
        {
            if (WrittenBytes < 0 || bytes.Length > buffer.Length - WrittenBytes)
            {
                WrittenBytes = -1;
                return;
            }

            bytes.CopyTo(buffer.Span[WrittenBytes..]);
            WrittenBytes += bytes.Length;
        }

        public override void Write(byte[] bytes, int offset, int count) => Write(bytes.AsSpan(offset, count));

        public override void Flush()
        {
            // There is nothing behind it.
        }

        public override int Read(byte[] bytes, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
