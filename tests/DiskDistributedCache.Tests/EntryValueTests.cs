using System.Buffers;
using DiskDistributedCache.Entries;
using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests;

/// <summary>Values in one array and in pieces are the same bytes.</summary>
public sealed class EntryValueTests
{
    /// <summary>Of an array that the runtime takes for large, unless it was told otherwise.</summary>
    private const int LargeObjectBytes = 85_000;

    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 1)]
    [InlineData(EntryValue.MaxWholeBytes, 1)]
    [InlineData(EntryValue.MaxWholeBytes + 1, 2)]
    [InlineData(2 * EntryValue.PieceBytes, 2)]
    [InlineData((2 * EntryValue.PieceBytes) + 1, 3)]
    [InlineData(1_000_003, 16)]
    public void A_value_is_the_bytes_that_it_was_made_of_and_no_large_object(int length, int pieces)
    {
        byte[] bytes = new byte[length];
        new Random(length).NextBytes(bytes);
        var odd = Sequences.Of(bytes.AsMemory(0, length / 3), default, bytes.AsMemory(length / 3));

        foreach (var value in (EntryValue[])[EntryValue.CopyOf(bytes), EntryValue.CopyOf(new ReadOnlySequence<byte>(bytes)), EntryValue.CopyOf(odd)])
        {
            Assert.Equal((length, pieces), (value.Length, value.PieceCount));
            Assert.Equal(bytes, value.ToArray());
            Assert.Equal(bytes, value.AsArray());
            Assert.All(Enumerable.Range(0, pieces), piece => Assert.InRange(value.Piece(piece).Length, length == 0 ? 0 : 1, LargeObjectBytes - 100));
            Assert.True(value.Piece(0).Span.SequenceEqual(value.First));

            var whole = new ArrayBufferWriter<byte>();
            var inPieces = new ArrayBufferWriter<byte>();
            var little = new ShortWriter(1_000);
            whole.WriteValue(value);
            inPieces.WritePieces(value);
            little.WriteValue(value);
            Assert.Equal(bytes, whole.WrittenSpan);
            Assert.Equal(bytes, inPieces.WrittenSpan);
            Assert.Equal(bytes, little.Written);
        }
    }

    [Fact]
    public void What_is_asked_for_in_one_array_is_kept_as_one()
    {
        byte[] bytes = new byte[1_000_000];
        new Random(1).NextBytes(bytes);
        var segments = Sequences.Of(bytes.AsMemory(0, 10), bytes.AsMemory(10));

        foreach (var value in (EntryValue[])[EntryValue.CopyOf(bytes, KeySpace.Output), EntryValue.CopyOf(segments, KeySpace.Output)])
        {
            Assert.Equal(1, value.PieceCount);
            Assert.Same(value.Whole, value.AsArray());
            Assert.Equal(bytes, value.Whole);
        }
    }

    [Fact]
    public void An_array_of_any_length_can_be_a_value_and_is_not_copied()
    {
        byte[] bytes = new byte[1_000_000];
        EntryValue value = bytes;

        Assert.Equal((bytes.Length, 1), (value.Length, value.PieceCount));
        Assert.Same(bytes, value.First);
        Assert.Same(bytes, value.Whole);
        Assert.Same(bytes, value.AsArray());
        Assert.NotSame(bytes, value.ToArray());
    }

    [Fact]
    public void Nothing_is_a_value_without_bytes()
    {
        EntryValue value = default;

        Assert.Equal((0, 1), (value.Length, value.PieceCount));
        Assert.Empty(value.ToArray());
        Assert.Empty(value.First);
        Assert.Empty(value.Whole!);
    }
}
