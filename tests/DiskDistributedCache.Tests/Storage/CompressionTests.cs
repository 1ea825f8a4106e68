using System.IO.Compression;
using System.Text;
using DiskDistributedCache.Storage;

namespace DiskDistributedCache.Tests.Storage;

/// <summary>Compression of single values: lossless, worth it, and never more output than was announced.</summary>
public sealed class CompressionTests
{
    private static readonly byte[] s_text = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(0, 200).Select(i => $"{{\"id\":{i},\"name\":\"n\"}}")));

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void A_compressed_value_comes_back_bit_for_bit(int codec)
    {
        byte[]? compressed = Compression.TryCompress((RecordCodec)codec, s_text, freeBytes: 3);

        Assert.NotNull(compressed);
        Assert.InRange(compressed.Length, 4, s_text.Length / 2);
        byte[] value = new byte[s_text.Length];
        Assert.True(Compression.TryDecompress((RecordCodec)codec, new ArraySegment<byte>(compressed, 3, compressed.Length - 3), value));
        Assert.Equal(s_text, value);
    }

    // Seen to fail when any saving at all was worth it.
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void What_saves_less_than_a_tenth_is_not_compressed(int codec)
    {
        byte[] value = new byte[4000];
        new Random(1).NextBytes(value.AsSpan(0, 3700));

        Assert.Null(Compression.TryCompress((RecordCodec)codec, value, freeBytes: 0));
        Assert.NotNull(Compression.TryCompress((RecordCodec)codec, [.. value, .. new byte[400]], freeBytes: 0));
        Assert.Null(Compression.TryCompress((RecordCodec)codec, [], freeBytes: 0));
    }

    // Seen to fail when only the beginning of the output was looked at.
    [Theory]
    [InlineData(1, 1)]
    [InlineData(1, -1)]
    [InlineData(2, 1)]
    [InlineData(2, -1)]
    public void More_or_less_than_was_announced_is_no_value(int codec, int differenceBytes)
    {
        byte[] compressed = Compression.TryCompress((RecordCodec)codec, s_text, freeBytes: 0)!;

        Assert.False(Compression.TryDecompress((RecordCodec)codec, compressed, new byte[s_text.Length + differenceBytes]));
    }

    // Seen to fail when only the beginning of the output was looked at.
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void A_bomb_takes_no_more_memory_than_was_announced(int codec)
    {
        byte[] bomb = Bomb((RecordCodec)codec, 64 << 20);
        byte[] value = new byte[1000];
        Compression.TryDecompress((RecordCodec)codec, bomb, value);
        long before = GC.GetAllocatedBytesForCurrentThread();

        Assert.False(Compression.TryDecompress((RecordCodec)codec, bomb, value));

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 64 << 10);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Bytes_that_are_no_compressed_value_are_told_from_one(int codec)
    {
        byte[] compressed = Compression.TryCompress((RecordCodec)codec, s_text, freeBytes: 0)!;
        byte[] value = new byte[s_text.Length];
        byte[] noise = new byte[500];
        new Random(1).NextBytes(noise);

        Assert.False(Compression.TryDecompress((RecordCodec)codec, noise, value));
        Assert.False(Compression.TryDecompress((RecordCodec)codec, new byte[500], value));
        Assert.False(Compression.TryDecompress((RecordCodec)codec, Array.Empty<byte>(), value));
        Assert.False(Compression.TryDecompress((RecordCodec)codec, new ArraySegment<byte>(compressed, 0, compressed.Length / 2), value));
        Assert.True(Compression.TryDecompress((RecordCodec)codec, compressed, value));
    }

    private static byte[] Bomb(RecordCodec codec, int bytes)
    {
        using var output = new MemoryStream();
        using (Stream stream = codec == RecordCodec.GZip
            ? new GZipStream(output, CompressionLevel.Fastest)
            : new BrotliStream(output, CompressionLevel.Fastest))
        {
            stream.Write(new byte[bytes]);
        }

        return output.ToArray();
    }
}
