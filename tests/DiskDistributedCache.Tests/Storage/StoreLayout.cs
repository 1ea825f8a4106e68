using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using DiskDistributedCache.Entries;
using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Storage;

/// <summary>
/// Where everything is in the files of an undamaged store. Reads the bytes by the offsets that <c>docs/format.md</c> gives and uses
/// nothing of the code that it judges.
/// </summary>
internal sealed class StoreLayout
{
    private readonly byte[] _newestSlot;

    public StoreLayout(StoreImage image)
    {
        _newestSlot = image["diskcache-v1/superblock"].Chunk(4096).MaxBy(slot => BinaryPrimitives.ReadInt64LittleEndian(slot.AsSpan(16)))!;
        string storeId = new Guid(image["diskcache-v1/superblock"].AsSpan(24, 16)).ToString("N");
        foreach (string path in image.Paths)
        {
            if (path.Contains(storeId, StringComparison.Ordinal) && path.EndsWith(".seg", StringComparison.Ordinal))
            {
                Segments.Add(new SegmentLayout(path, image[path]));
            }
        }
    }

    /// <summary>In the order of the log.</summary>
    public List<SegmentLayout> Segments { get; } = [];

    /// <summary>Up to where the records of a segment are known to the superblock.</summary>
    public long MarkEndIn(SegmentLayout segment) =>
        BinaryPrimitives.ReadInt64LittleEndian(_newestSlot.AsSpan(104)) == segment.Number ? BinaryPrimitives.ReadInt64LittleEndian(_newestSlot.AsSpan(112)) : 0;

    /// <summary>The newest record of a key, by sequence number and then by position.</summary>
    public (SegmentLayout Segment, RecordLayout Record) NewestOf(CacheKey key) =>
        Segments.SelectMany(segment => segment.Records.Select(record => (Segment: segment, Record: record)))
            .Where(found => found.Record.Kind == 1 && found.Record.Key.Equals(key))
            .OrderBy(found => found.Record.Sequence).ThenBy(found => found.Segment.Number).ThenBy(found => found.Record.Offset)
            .Last();
}

internal sealed record RecordLayout(int Offset, int Kind, long Sequence, CacheKey Key, int PayloadBytes)
{
    public int PayloadEnd => Offset + 96 + PayloadBytes;

    public int End => ((PayloadEnd + 7) / 8 * 8) + 8;
}

internal sealed class SegmentLayout
{
    public SegmentLayout(string path, byte[] bytes)
    {
        Path = path;
        Number = SegmentName.NumberIn(path);
        CarriedBytes = BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(12));
        int at = 128 + CarriedBytes;
        while (bytes.Length >= at + 96 && Encoding.ASCII.GetString(bytes, at, 4) == "DREC" && RecordAt(bytes, at) is { } record)
        {
            Records.Add(record);
            at = record.End;
        }

        RecordsEnd = at;
        LastByte = bytes.AsSpan().LastIndexOfAnyExcept((byte)0);
        HasFooter = bytes.Length >= at + 8 && Encoding.ASCII.GetString(bytes, at, 8) == "DDCFOOTR";
    }

    public string Path { get; }

    public long Number { get; }

    public int CarriedBytes { get; }

    public List<RecordLayout> Records { get; } = [];

    public int RecordsEnd { get; }

    /// <summary>Behind this byte there are only zeros.</summary>
    public int LastByte { get; }

    /// <summary>Whether it has a footer of its own; the footer of one whose last write failed is in its successor.</summary>
    public bool HasFooter { get; }

    private static RecordLayout? RecordAt(byte[] bytes, int at)
    {
        var header = bytes.AsSpan(at, 96);
        int keyBytes = BinaryPrimitives.ReadInt32LittleEndian(header[8..]);
        int tagsBytes = BinaryPrimitives.ReadInt32LittleEndian(header[12..]);
        int payload = keyBytes + tagsBytes + BinaryPrimitives.ReadInt32LittleEndian(header[16..]);
        string key = new(MemoryMarshal.Cast<byte, char>(bytes.AsSpan(at + 96, keyBytes)));
        var record = new RecordLayout(
            at, header[4], BinaryPrimitives.ReadInt64LittleEndian(header[24..]), new CacheKey((KeySpace)header[5], key), payload);

        // A torn record has no end mark behind it.
        return record.End <= bytes.Length && bytes.AsSpan(record.End - 8, 8).ContainsAnyExcept((byte)0) ? record : null;
    }
}
