using System.Buffers.Binary;
using System.IO.Hashing;
using DiskDistributedCache.Entries;
using DiskDistributedCache.Storage;

namespace DiskDistributedCache.Tests.Storage;

/// <summary>
/// What is decoded although its checksum verifies: a checksum proves that somebody wrote these bytes, and not that they make sense. No
/// length in them may lead out of them.
/// </summary>
public sealed class DecoderTests
{
    private const int HeaderBytes = 96;

    private static readonly SegmentSeed s_seed = new(new Guid("f2f6d9a1-8a52-4c39-a0a7-94a8eae1b0a4"), 7);

    // Seen to fail when nothing was asked of a header but its checksum.
    [Theory]
    [InlineData(8, -1, "a negative length of the key")]
    [InlineData(8, 3, "half a character")]
    [InlineData(12, -1, "a negative length of the tags")]
    [InlineData(16, int.MinValue, "a negative length of the stored value")]
    [InlineData(20, -1, "a negative length of the value")]
    [InlineData(72, 2, "a protection that there is not")]
    public void A_header_that_makes_no_sense_is_none_although_its_checksum_verifies(int offset, int value, string what)
    {
        byte[] record = RecordOf("key", [1, 2, 3], "tag");
        Assert.True(RecordFormat.TryReadHeader(record, s_seed, out _));
        BinaryPrimitives.WriteInt32LittleEndian(record.AsSpan(offset), value);
        Repair(record.AsSpan(0, HeaderBytes));

        Assert.False(RecordFormat.TryReadHeader(record, s_seed, out _), what);
    }

    [Fact]
    public void A_header_with_a_compression_that_there_is_not_is_none_although_its_checksum_verifies()
    {
        byte[] record = RecordOf("key", [1, 2, 3]);
        record[6] = (byte)RecordCodec.Brotli + 1;
        Repair(record.AsSpan(0, HeaderBytes));

        Assert.False(RecordFormat.TryReadHeader(record, s_seed, out _));
    }

    // Seen to fail when TagsOf believed the lengths; the second has the count against it too.
    [Theory]
    [InlineData(0, new byte[] { 2, 0, 0, 0, 65, 0 }, "tags, and a count of none")]
    [InlineData(2, new byte[] { 2, 0, 0, 0, 65, 0 }, "fewer tags than are counted")]
    [InlineData(2, new byte[] { 2, 0, 0, 0, 65, 0, 1, 0 }, "a tag without room for its length")]
    [InlineData(1, new byte[] { 2, 0, 0, 0, 65, 0, 0, 0 }, "more bytes than tags")]
    [InlineData(1, new byte[] { 1, 0, 0, 0, 65 }, "half a character")]
    [InlineData(1, new byte[] { 0xFE, 0xFF, 0xFF, 0xFF, 65, 0 }, "a negative length")]
    [InlineData(1, new byte[] { 4, 0, 0, 0, 65, 0 }, "a length beyond the end")]
    public void Tags_whose_lengths_do_not_add_up_are_none(int count, byte[] tags, string what)
    {
        byte[] record = [.. new byte[HeaderBytes], .. tags];
        var header = new RecordHeader { TagCount = count, TagsBytes = tags.Length };

        Assert.True(RecordFormat.TagsOf(record, header) is null, what);
    }

    [Fact]
    public void Tags_are_read_as_they_were_written_and_no_tags_are_an_empty_list()
    {
        byte[] tagged = RecordOf("key", [1], "one", "", "\uD800");
        byte[] untagged = RecordOf("key", [1]);
        Assert.True(RecordFormat.TryReadHeader(tagged, s_seed, out var header));
        Assert.True(RecordFormat.TryReadHeader(untagged, s_seed, out var other));

        Assert.Equal(["one", "", "\uD800"], RecordFormat.TagsOf(tagged, header)!);
        Assert.Empty(RecordFormat.TagsOf(untagged, other)!);
    }

    // Seen to fail when the counts of a footer were believed.
    [Theory]
    [InlineData(8, -1, "a negative count of facts")]
    [InlineData(8, 1000, "more facts than there is room for")]
    [InlineData(12, -8, "a negative length of the texts")]
    public void A_footer_that_makes_no_sense_is_none_although_its_checksum_verifies(int offset, int value, string what)
    {
        byte[] footer = FooterOf(facts => facts.AddTagEviction(5, "tag"));
        Assert.NotNull(SegmentFacts.FromFooter(footer, s_seed));
        BinaryPrimitives.WriteInt32LittleEndian(footer.AsSpan(offset), value);
        Repair(footer);

        Assert.True(SegmentFacts.FromFooter(footer, s_seed) is null, what);
    }

    // Seen to fail, with an exception out of TagOf, when where a tag stands in the texts was believed.
    [Theory]
    [InlineData(0, 2)]
    [InlineData(int.MaxValue, int.MaxValue)]
    public void A_footer_with_a_tag_that_stands_outside_of_its_texts_is_none(int start, int length)
    {
        byte[] footer = FooterOf(facts => facts.Add(Fact.TagEviction(5, start, length)));

        Assert.Null(SegmentFacts.FromFooter(footer, s_seed));
    }

    [Fact]
    public void What_is_too_short_or_begins_or_ends_otherwise_is_no_footer()
    {
        byte[] footer = FooterOf(facts => facts.Add(Fact.Removal(1, 5)));
        byte[] otherBeginning = [.. footer];
        otherBeginning[0] ^= 1;
        Repair(otherBeginning);
        byte[] otherEnd = [.. footer];
        otherEnd[^SegmentFormat.TrailerBytes] ^= 1;
        Repair(otherEnd);
        byte[] longer = [.. new byte[8], .. footer];

        Assert.Null(SegmentFacts.FromFooter([], s_seed));
        Assert.Null(SegmentFacts.FromFooter(otherBeginning, s_seed));
        Assert.Null(SegmentFacts.FromFooter(otherEnd, s_seed));
        Assert.Null(SegmentFacts.FromFooter(longer, s_seed));
        Assert.Equal(footer.Length, SegmentFormat.FooterLengthFrom(footer.AsSpan(^SegmentFormat.TrailerBytes)));
        Assert.Equal(0, SegmentFormat.FooterLengthFrom(footer.AsSpan(^8)));
    }

    [Fact]
    public void A_footer_that_is_begun_is_known_by_its_first_bytes_and_by_where_the_records_end()
    {
        byte[] footer = FooterOf(facts => facts.EndOffset = 4096);
        byte[] other = [.. footer];
        other[0] ^= 1;

        Assert.True(SegmentFormat.IsFooterBegun(footer, 4096));
        Assert.True(SegmentFormat.IsFooterBegun(footer.AsSpan(0, 32), 4096));
        Assert.False(SegmentFormat.IsFooterBegun(footer.AsSpan(0, 31), 4096));
        Assert.False(SegmentFormat.IsFooterBegun(footer, 4104));
        Assert.False(SegmentFormat.IsFooterBegun(other, 4096));
    }

    private static byte[] RecordOf(string key, byte[] value, params string[] tags)
    {
        var entry = new CacheEntry(new CacheKey(KeySpace.Data, key), value, tags, Expiry.None, Expiry.Never);
        entry.Number(5, 5);
        byte[] record = new byte[RecordFormat.LengthOf(entry)];
        RecordFormat.WriteValue(record, entry, keyHash: 1, Expiry.Never, s_seed);
        return record;
    }

    private static byte[] FooterOf(Action<SegmentFacts> fill)
    {
        var facts = new SegmentFacts();
        fill(facts);
        return facts.ToFooter(s_seed);
    }

    /// <summary>The last eight bytes become the checksum of what is before them.</summary>
    private static void Repair(Span<byte> bytes) =>
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[^8..], XxHash3.HashToUInt64(bytes[..^8], s_seed.Seed));
}
