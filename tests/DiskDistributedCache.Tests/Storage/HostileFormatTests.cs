using System.Buffers.Binary;
using System.IO.Abstractions;
using DiskDistributedCache.Storage;
using DiskDistributedCache.Tests.Fuzzing;
using DiskDistributedCache.Tests.Golden;
using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Storage;

/// <summary>
/// Structures whose checksums are right and whose content the code never writes: found by the fuzzer, which repairs checksums. Each of
/// these was seen to fail before the format refused it.
/// </summary>
public class HostileFormatTests
{
    [Theory]
    [InlineData(-1)]
    [InlineData(RecordFormat.MaxSequence + 1)]
    public void A_record_with_a_number_that_the_index_has_no_room_for_is_no_record(long sequence)
    {
        byte[] record = [.. FuzzSeeds.Of("record").First().Skip(1)];
        BinaryPrimitives.WriteInt64LittleEndian(record.AsSpan(24), sequence);
        FuzzChecksums.RepairRecord(record, RecordFuzz.Seed);
        Assert.False(RecordFormat.TryReadHeader(record, RecordFuzz.Seed, out _));
    }

    [Fact]
    public void A_record_with_more_tags_than_bytes_for_them_has_none_and_costs_nothing()
    {
        byte[] record = [.. FuzzSeeds.Of("record").ElementAt(1).Skip(1)];
        BinaryPrimitives.WriteUInt16LittleEndian(record.AsSpan(76), ushort.MaxValue);
        FuzzChecksums.RepairRecord(record, RecordFuzz.Seed);
        Assert.True(RecordFormat.TryReadHeader(record, RecordFuzz.Seed, out var header));
        FuzzTargets.RequireFrugal(1000, () => Assert.Null(RecordFormat.TagsOf(record, header)));
    }

    [Theory]
    [InlineData(12, -8)]
    [InlineData(12, int.MaxValue)]
    [InlineData(48, -8)]
    [InlineData(48, 1 << 20)]
    public void A_segment_whose_records_begin_somewhere_else_has_no_header(int at, int number)
    {
        byte[] header = SegmentFormat.WriteHeader(
            Structures.StoreId, Structures.SegmentNumber, 1 << 16, Structures.Predecessor, [], Structures.Seed);
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(48), header.Length);
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(at), number);
        FuzzChecksums.RepairSegment(header, Structures.StoreId, Structures.SegmentNumber);
        Assert.Null(SegmentFormat.TryReadHeader(header, Structures.StoreId, Structures.SegmentNumber, Structures.Seed));
    }

    [Theory]
    [InlineData(0x3F8, 136)]
    [InlineData(0, 136)]
    [InlineData(0x80, 8)]
    public void A_footer_with_a_value_outside_of_its_records_is_none(long offset, long length)
    {
        var facts = new SegmentFacts { EndOffset = 0x400 };
        facts.Add(Fact.Value(1, 1, 1, offset, length));
        Assert.Null(SegmentFacts.FromFooter(facts.ToFooter(Structures.Seed), Structures.Seed));
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData(8, false)]
    [InlineData(-8, false)]
    public void A_footer_that_begins_where_the_records_do_not_end_is_none(int between, bool isRight)
    {
        var facts = new SegmentFacts { EndOffset = 0x400 };
        facts.Add(Fact.Value(1, 1, 1, 0x80, 136));
        byte[] footer = facts.ToFooter(Structures.Seed);
        using var folder = new ScratchDirectory();
        var directory = new CacheDirectory(new FileSystem(), folder.Path, folder.Path);
        using var file = directory.Open(Path.Combine(folder.Path, "footer"), FileMode.CreateNew);
        file.Write(footer, facts.EndOffset + between);
        using var segment = new SegmentFile(Structures.SegmentNumber, 0, Structures.Seed, file, file.Length);
        Assert.Equal(isRight, segment.ReadFooter() is not null);
    }
}
