using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using DiskDistributedCache.Entries;
using DiskDistributedCache.Storage;

namespace DiskDistributedCache.Tests.Golden;

/// <summary>
/// The format on disk, byte for byte. A golden file that has to change means a new format version. With the environment variable
/// DISKCACHE_TEST_GOLDEN_DIRECTORY set to this folder, the first test writes the files instead of comparing them.
/// </summary>
public sealed class GoldenFileTests
{
    public static TheoryData<string> Names => [.. Structures.All.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void The_code_writes_what_the_golden_file_holds(string name)
    {
        string written = HexDump.Of(Structures.All[name]());
        if (Environment.GetEnvironmentVariable("DISKCACHE_TEST_GOLDEN_DIRECTORY") is { Length: > 0 } directory)
        {
            File.WriteAllText(Path.Combine(directory, name + ".hex"), written);
            return;
        }

        Assert.Equal(TextOf(name), written);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void A_superblock_slot_is_read_back(int slot) =>
        Assert.Equal(Structures.Superblock, Superblock.TryRead(BytesOf($"superblock-slot-{slot}"), slot));

    [Theory]
    [InlineData("segment-header", 0)]
    [InlineData("segment-header-with-carried-footer", 64)]
    public void A_segment_header_is_read_back(string name, int carried)
    {
        var header = SegmentFormat.TryReadHeader(BytesOf(name), Structures.StoreId, Structures.SegmentNumber, Structures.Seed);
        Assert.Equal(new SegmentHeader(0x10000, 128 + carried, carried, Structures.Predecessor), header);
    }

    [Fact]
    public void A_carried_footer_is_that_of_the_predecessor()
    {
        byte[] bytes = BytesOf("segment-header-with-carried-footer");
        var facts = SegmentFacts.FromFooter(bytes.AsSpan(128), new SegmentSeed(Structures.StoreId, Structures.SegmentNumber - 1));
        Assert.NotNull(facts);
        Assert.Equal((0x1000, 0xABCDEF), (facts.EndOffset, facts.HighestSequence));
        Assert.Null(SegmentFacts.FromFooter(bytes.AsSpan(128), Structures.Seed));
    }

    [Fact]
    public void A_value_is_read_back()
    {
        byte[] bytes = BytesOf("record-value");
        Assert.True(RecordFormat.TryReadHeader(bytes, Structures.Seed, out var header));
        Assert.True(RecordFormat.VerifyPayload(bytes, header, Structures.Seed));
        var entry = Structures.Entry;
        Assert.Equal(entry.Key, new CacheKey(header.Space, RecordFormat.KeyOf(bytes, header).ToString()));
        Assert.Equal(entry.Value.ToArray(), RecordFormat.ValueOf(bytes, header).ToArray());
        Assert.Equal(entry.Tags, RecordFormat.TagsOf(bytes, header));
        Assert.Equal((entry.Sequence, entry.Ticket, Structures.KeyHash), (header.Sequence, header.Ticket, header.KeyHash));
        Assert.Equal(entry.Expiry, new Expiry(header.AbsoluteExpiry, header.SlidingTicks));
        Assert.Equal(entry.Deadline, header.Deadline);
        Assert.Equal(bytes.Length, header.RecordBytes);
    }

    [Fact]
    public void A_compressed_value_is_read_back()
    {
        byte[] bytes = BytesOf("record-value-compressed");
        Assert.True(RecordFormat.TryReadHeader(bytes, Structures.Seed, out var header));
        Assert.True(RecordFormat.VerifyPayload(bytes, header, Structures.Seed));
        Assert.Equal((RecordCodec.GZip, false, Structures.RawBytes), (header.Codec, header.IsProtected, header.RawBytes));
        Assert.Equal(DecodeOutcome.Decoded, ValueCodec.Plain.Decode(bytes, header, out var value));
        Assert.Equal(string.Concat(Enumerable.Repeat("value ", 40)), Encoding.ASCII.GetString(value.ToArray()));
    }

    [Fact]
    public void A_protected_value_is_read_back_and_not_decoded_without_its_protector()
    {
        byte[] bytes = BytesOf("record-value-protected");
        Assert.True(RecordFormat.TryReadHeader(bytes, Structures.Seed, out var header));
        Assert.True(RecordFormat.VerifyPayload(bytes, header, Structures.Seed));
        Assert.Equal((RecordCodec.Brotli, true, Structures.RawBytes), (header.Codec, header.IsProtected, header.RawBytes));
        Assert.Equal(60, RecordFormat.ValueOf(bytes, header).Length);
        Assert.Equal(DecodeOutcome.Undecryptable, ValueCodec.Plain.Decode(bytes, header, out var value));
        Assert.Equal(0, value.Length);
    }

    [Theory]
    [InlineData("record-removal", 2)]
    [InlineData("record-tag-eviction", 3)]
    [InlineData("record-clear", 4)]
    [InlineData("record-touch", 5)]
    public void A_record_without_a_value_is_read_back(string name, int kind)
    {
        byte[] bytes = BytesOf(name);
        Assert.True(RecordFormat.TryReadHeader(bytes, Structures.Seed, out var header));
        Assert.True(RecordFormat.VerifyPayload(bytes, header, Structures.Seed));
        Assert.Equal((kind, 0x0000112233445566), ((int)header.Kind, header.Sequence));
        Assert.Equal(kind == 5 ? (0x0A0B0C0D0E, 0x0102030405060708) : (0, 0), (header.Ticket, header.Deadline));
        Assert.Equal(kind == 3 ? ["grün"] : [], RecordFormat.TagsOf(bytes, header));
        Assert.Equal(bytes.Length, header.RecordBytes);
    }

    [Fact]
    public void A_footer_is_read_back()
    {
        var facts = SegmentFacts.FromFooter(BytesOf("footer"), Structures.Seed);
        var expected = Structures.Facts();
        Assert.NotNull(facts);
        Assert.Equal(expected.All.ToArray(), facts.All.ToArray());
        Assert.Equal((0x400, 0x10111213141A), (facts.EndOffset, facts.HighestSequence));
        Assert.Equal(("red", "grün"), (facts.TagOf(facts.All[2]), facts.TagOf(facts.All[3])));
        Assert.Equal((0x80, 136), (facts.All[0].Offset, facts.All[0].Length));
        Assert.Equal(0x0A0B0C0D0E, facts.All[5].Extended);
    }

    [Fact]
    public void The_head_of_a_file_in_quarantine_is_read_back()
    {
        byte[] bytes = BytesOf("quarantine");
        Assert.True(QuarantineFormat.TryReadHeader(bytes, bytes.Length, out var place, out long ticks, out long keptBytes));
        Assert.Equal((Structures.Damage, 0x0102030405060708, 5), (place, ticks, keptBytes));
        Assert.False(QuarantineFormat.TryReadHeader(bytes, bytes.Length - 1, out _, out _, out _));
    }

    /// <summary>Fields at the offsets that docs/format.md gives, offset/bytes:value. The numbers come from that page, not from the code.</summary>
    [Theory]
    [InlineData("superblock-slot-0", 4096, "0:DDCSUPER 8/4:1 12/4:5 16/8:2827262524232221 40/8:0807060504030201 80/8:1817161514131211 "
        + "88/8:3837363534333231 96/8:4847464544434241 104/8:5857565554535251 112/8:6867666564636261 120/8:7877767574737271")]
    [InlineData("superblock-of-encrypted-store", 4096, "0:DDCSUPER 12/4:D")]
    [InlineData("record-value-compressed", 168, "4/1:1 6/1:1 8/4:6 12/4:16 16/4:1D 20/4:F0 72/4:0 96/2:6B 124/2:8B1F 153/4:0 157/2:0")]
    [InlineData("record-value-protected", 192, "4/1:1 6/1:2 8/4:6 12/4:16 16/4:3C 20/4:F0 72/4:1 76/2:2 96/2:6B 124/8:8786858483828180")]
    [InlineData("segment-header", 128, "0:DDCSEGMT 8/4:1 12/4:0 32/8:7 40/8:10000 48/8:80 56/8:1000 64/8:ABCDEF 72/8:0 112/8:0")]
    [InlineData("segment-header-with-carried-footer", 192, "12/4:40 48/8:C0 128:DDCFOOTR 136/4:0 144/8:1000 152/8:ABCDEF "
        + "160:DDCTRAIL 168/8:40")]
    [InlineData("record-value", 144, "0:DREC 4/1:1 5/1:1 6/1:0 7/1:0 8/4:6 12/4:16 16/4:5 20/4:5 24/8:212223242526 32/8:212223242520 "
        + "40/8:1122334455667788 48/8:0102030405060708 56/8:1112 64/8:0102030405060000 72/4:0 76/2:2 78/2:0 "
        + "96/2:6B 98/2:D800 100/2:79 102/4:6 106/2:72 112/4:8 116/2:67 124:value 129/4:0 133/2:0")]
    [InlineData("record-removal", 104, "0:DREC 4/1:2 8/4:0 12/4:0 16/4:0 24/8:112233445566 "
        + "40/8:1122334455667788 48/8:7FFFFFFFFFFFFFFF")]
    [InlineData("record-tag-eviction", 120, "4/1:3 8/4:0 12/4:C 16/4:0 76/2:1 96/4:8 100/2:67 102/2:72 104/2:FC 106/2:6E 108/4:0")]
    [InlineData("record-clear", 104, "4/1:4 12/4:0 76/2:0")]
    [InlineData("record-touch", 104, "4/1:5 32/8:0A0B0C0D0E 64/8:0102030405060708")]
    [InlineData("footer", 272, "0:DDCFOOTR 8/4:6 12/4:E 16/8:400 24/8:10111213141A "
        + "32/8:1122334455667788 40/4:12131415 44/2:1011 46/1:1 47/1:0 48/8:0102030405060708 56/4:10 60/4:88 "
        + "78/1:2 110/1:3 120/4:0 124/4:6 142/1:3 152/4:6 156/4:8 174/1:4 206/1:5 216/4:0B0C0D0E 220/4:0A "
        + "224/2:72 240:DDCTRAIL 248/8:110 256/8:0")]
    [InlineData("quarantine", 77, "0:DDCQUARA 8/4:1 12/4:3 16/8:0102030405060708 24/8:7 32/8:80 40/8:1122334455667788 48/8:5 56/8:90 72:bytes")]
    public void The_fields_stand_where_the_documentation_says(string name, int length, string fields)
    {
        byte[] bytes = BytesOf(name);
        Assert.Equal(length, bytes.Length);
        foreach (string[] field in fields.Split(' ').Select(field => field.Split(':', '/')))
        {
            int at = int.Parse(field[0], CultureInfo.InvariantCulture);
            if (field.Length == 2)
            {
                Assert.Equal(field[1], Encoding.ASCII.GetString(bytes, at, field[1].Length));
                continue;
            }

            byte[] wide = new byte[8];
            bytes.AsSpan(at, field[1][0] - '0').CopyTo(wide);
            ulong expected = ulong.Parse(field[2], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            Assert.True(expected == BinaryPrimitives.ReadUInt64LittleEndian(wide), $"{name}, field at {at}");
        }
    }

    private static byte[] BytesOf(string name) => HexDump.Parse(TextOf(name));

    private static string TextOf(string name)
    {
        using var stream = typeof(GoldenFileTests).Assembly.GetManifestResourceStream(name + ".hex");
        using var reader = new StreamReader(stream!);
        return reader.ReadToEnd();
    }
}
