using System.Buffers.Binary;
using DiskDistributedCache.Entries;
using DiskDistributedCache.Storage;

namespace DiskDistributedCache.Tests.Fuzzing;

/// <summary>Inputs to begin with: one of everything that the format has, made by the code that writes it.</summary>
internal static class FuzzSeeds
{
    private static readonly byte[] s_text = [.. Enumerable.Range(0, 200).Select(i => (byte)('a' + (i % 7)))];

    public static IEnumerable<byte[]> Of(string target) => target switch
    {
        "record" => Records(),
        "segment" => Segments(),
        _ => Superblocks(),
    };

    private static IEnumerable<byte[]> Records()
    {
        foreach (byte how in (byte[])[0, FuzzTargets.Repaired])
        {
            yield return [how, .. Value("key", [], s_text, RecordFuzz.Seed)];
            yield return [how, .. Value("\ud800", ["red", "grün"], [], RecordFuzz.Seed)];
            yield return [how, .. Mark(RecordKind.TagEviction, 3, "tag", RecordFuzz.Seed)];
            yield return [how, .. Mark(RecordKind.Touch, 4, null, RecordFuzz.Seed)];
            foreach (var codec in (RecordCodec[])[RecordCodec.GZip, RecordCodec.Brotli])
            {
                var stored = new StoredValue(Compression.TryCompress(codec, s_text, 0)!, codec, s_text.Length, isProtected: false, store: null);
                yield return [how, .. Value("key", ["tag"], s_text, RecordFuzz.Seed, stored)];
            }

            yield return [(byte)(how | RecordFuzz.Protects), .. Protected()];
        }
    }

    private static IEnumerable<byte[]> Segments()
    {
        byte[] records = [.. Log(1)];
        foreach (byte how in (byte[])[0, FuzzTargets.Repaired])
        {
            byte[] footer = FooterOf(1, out long end);
            yield return Segment(how, 0, 0, [.. Header(1, default, []), .. records, .. footer]);
            yield return Segment(how, 0, 0, [.. Header(1, default, []), .. records, .. new byte[512]]);
            yield return Segment((byte)(how | SegmentFuzz.HasMark), 0, end, [.. Header(1, default, []), .. records, .. new byte[64]]);
            yield return Segment((byte)(how | SegmentFuzz.HasMark | SegmentFuzz.IsMarkFinal), 0, end, [.. Header(1, default, []), .. records]);
            byte[] first = [.. Header(1, default, []), .. records];
            byte[] second = [.. Header(2, new LogMark(1, end, 8), footer), .. Log(2), .. new byte[256]];
            yield return Segment((byte)(how | SegmentFuzz.HasTwo), first.Length, 0, [.. first, .. second]);
            second = [.. Header(2, new LogMark(1, end, 8), []), .. Log(2), .. new byte[256]];
            yield return Segment((byte)(how | SegmentFuzz.HasTwo), first.Length + footer.Length, 0, [.. first, .. footer, .. second]);
        }
    }

    private static IEnumerable<byte[]> Superblocks()
    {
        byte[] slots = new byte[2 * Superblock.SlotBytes];
        for (int number = 0; number < Superblock.SlotCount; number++)
        {
            var superblock = SegmentFuzz.NewSuperblock() with { IsClean = true, Generation = number + 5, Mark = new LogMark(3, 4096, 77) };
            superblock.WriteTo(slots.AsSpan(number * Superblock.SlotBytes, Superblock.SlotBytes), number);
        }

        yield return [0, .. slots];
        byte[] facts = [.. slots.AsSpan(0, 160), .. slots.AsSpan(Superblock.SlotBytes, 160)];
        yield return [FuzzTargets.Repaired, .. facts];
    }

    /// <summary>One of each kind of record, one after the other.</summary>
    private static IEnumerable<byte> Log(long segment)
    {
        var seed = new SegmentSeed(FuzzTargets.StoreId, segment);
        return
        [
            .. Value("a", ["red"], [1, 2, 3], seed, sequence: 1), .. Mark(RecordKind.Removal, 2, null, seed),
            .. Value("b", [], s_text[..40], seed, sequence: 3, isRetained: true), .. Mark(RecordKind.TagEviction, 4, "blue", seed),
            .. Mark(RecordKind.Touch, 5, null, seed), .. Value("c", ["red", "blue"], [], seed, sequence: 6),
        ];
    }

    private static byte[] FooterOf(long segment, out long end)
    {
        var facts = new SegmentFacts();
        long at = SegmentFormat.HeaderBytes;
        int valueBytes = Value("a", ["red"], [1, 2, 3], new SegmentSeed(FuzzTargets.StoreId, segment)).Length;
        facts.Add(Fact.Value(HashOf("a"), 1, Expiry.Never, at, valueBytes));
        facts.Add(Fact.Removal(7, 2));
        facts.AddTagEviction(4, "blue");
        facts.Add(Fact.Touch(HashOf("a"), 5, 1, Expiry.Never));
        facts.EndOffset = end = at + Log(segment).Count();
        return facts.ToFooter(new SegmentSeed(FuzzTargets.StoreId, segment));
    }

    private static byte[] Header(long number, LogMark predecessor, byte[] carried) => SegmentFormat.WriteHeader(
        FuzzTargets.StoreId, number, capacity: 256, predecessor, carried, new SegmentSeed(FuzzTargets.StoreId, number));

    private static byte[] Segment(byte how, long split, long mark, byte[] bytes)
    {
        byte[] head = new byte[SegmentFuzz.HeadBytes];
        head[0] = how;
        BinaryPrimitives.WriteUInt16LittleEndian(head.AsSpan(1), (ushort)(split / 8));
        BinaryPrimitives.WriteUInt16LittleEndian(head.AsSpan(3), (ushort)(mark / 8));
        return [.. head, .. bytes];
    }

    private static byte[] Protected()
    {
        var entry = EntryOf("key", ["tag"], s_text, 9, isRetained: false);
        var mutation = Mutation.Of(entry);
        RecordFuzz.Protecting.Encode(mutation);
        return Record(entry, RecordFuzz.Seed, mutation.Stored);
    }

    private static byte[] Value(
        string key, string[] tags, byte[] value, in SegmentSeed seed, StoredValue? stored = null, long sequence = 9, bool isRetained = false) =>
        Record(EntryOf(key, tags, value, sequence, isRetained), seed, stored);

    private static CacheEntry EntryOf(string key, string[] tags, byte[] value, long sequence, bool isRetained)
    {
        var entry = new CacheEntry(new CacheKey(KeySpace.Data, key), value, tags, Expiry.None, Expiry.Never) { IsRetained = isRetained };
        entry.Number(sequence, sequence);
        return entry;
    }

    private static byte[] Record(CacheEntry entry, in SegmentSeed seed, StoredValue? stored)
    {
        byte[] record = new byte[RecordFormat.LengthOf(entry, stored)];
        RecordFormat.WriteValue(record, entry, HashOf(entry.Key.Text), entry.Deadline, seed, stored);
        return record;
    }

    private static byte[] Mark(RecordKind kind, long sequence, string? tag, in SegmentSeed seed)
    {
        byte[] record = new byte[tag is null ? RecordFormat.LengthOf(0) : RecordFormat.LengthOfEviction(tag)];
        RecordFormat.WriteMark(record, kind, sequence, HashOf("a"), tag, extended: 1, deadline: Expiry.Never, seed);
        return record;
    }

    private static ulong HashOf(string key) => KeyHash.Of(new CacheKey(KeySpace.Data, key), SegmentFuzz.NewSuperblock().HashSeed);
}
