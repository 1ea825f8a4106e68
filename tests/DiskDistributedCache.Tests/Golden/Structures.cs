using DiskDistributedCache.Entries;
using DiskDistributedCache.Storage;

namespace DiskDistributedCache.Tests.Golden;

/// <summary>One of each structure on disk, made by the code from fixed inputs.</summary>
internal static class Structures
{
    public const long SegmentNumber = 7;
    public const ulong KeyHash = 0x1122334455667788;

    public static Guid StoreId { get; } = new(Bytes(0x10, 16));

    public static SegmentSeed Seed { get; } = new(StoreId, SegmentNumber);

    public static Superblock Superblock { get; } = new()
    {
        StoreId = StoreId,
        HashSeed = 0x0807060504030201,
        SessionId = new Guid(Bytes(0x30, 16)),
        BootId = new Guid(Bytes(0x50, 16)),
        MountId = 0x1817161514131211,
        Generation = 0x2827262524232221,
        IsClean = true,
        IsMarkFinal = true,
        SuspectGeneration = 0x3837363534333231,
        ClockHighWater = 0x4847464544434241,
        Mark = new LogMark(0x5857565554535251, 0x6867666564636261, 0x7877767574737271),
    };

    public static LogMark Predecessor { get; } = new(SegmentNumber - 1, 0x1000, 0xABCDEF);

    public static CacheEntry Entry { get; } = EntryOf("k\ud800y", "value"u8.ToArray(), ["red", "grün"]);

    /// <summary>The length of "value " forty times.</summary>
    public const int RawBytes = 240;

    /// <summary>That, as GZip: fixed, because another version of the library may find another form.</summary>
    public static byte[] Compressed { get; } =
        Convert.FromHexString("1f8b08000000000002032b4bcc294d55281b312400164c0016f0000000");

    public static DamagedPlace Damage { get; } = new(QuarantineReason.PayloadDamaged, SegmentNumber, 0x80, KeyHash, 144);

    /// <summary>By the names of their files.</summary>
    public static IReadOnlyDictionary<string, Func<byte[]>> All { get; } = new Dictionary<string, Func<byte[]>>
    {
        ["superblock-slot-0"] = () => Slot(0),
        ["superblock-slot-1"] = () => Slot(1),
        ["superblock-of-encrypted-store"] = () => Slot(0, Superblock with { IsProtected = true }),
        ["segment-header"] = () => SegmentFormat.WriteHeader(StoreId, SegmentNumber, 0x10000, Predecessor, [], Seed),
        ["segment-header-with-carried-footer"] =
            () => SegmentFormat.WriteHeader(StoreId, SegmentNumber, 0x10000, Predecessor, CarriedFooter(), Seed),
        ["record-value"] = () => Record(
            RecordFormat.LengthOf(Entry), to => RecordFormat.WriteValue(to, Entry, KeyHash, Entry.Deadline, Seed)),
        ["record-value-compressed"] = () => Value(new StoredValue(Compressed, RecordCodec.GZip, RawBytes, isProtected: false, store: null)),
        ["record-value-protected"] = () => Value(new StoredValue(Bytes(0x80, 60), RecordCodec.Brotli, RawBytes, isProtected: true, store: null)),
        ["record-removal"] = () => Mark(RecordKind.Removal, null, 0, 0),
        ["record-tag-eviction"] = () => Mark(RecordKind.TagEviction, "grün", 0, 0),
        ["record-clear"] = () => Mark(RecordKind.Clear, null, 0, 0),
        ["record-touch"] = () => Mark(RecordKind.Touch, null, 0x0A0B0C0D0E, 0x0102030405060708),
        ["footer"] = () => Facts().ToFooter(Seed),
        ["quarantine"] = Quarantined,
    };

    private delegate void Writer(Span<byte> to);

    public static SegmentFacts Facts()
    {
        var facts = new SegmentFacts();
        facts.Add(Fact.Value(KeyHash, 0x101112131415, 0x0102030405060708, 0x80, 136));
        facts.Add(Fact.Removal(KeyHash + 1, 0x101112131416));
        facts.AddTagEviction(0x101112131417, "red");
        facts.AddTagEviction(0x101112131418, "grün");
        facts.Add(Fact.Clear(0x101112131419));
        facts.Add(Fact.Touch(KeyHash + 2, 0x10111213141A, 0x0A0B0C0D0E, 0x1112131415161718));
        facts.EndOffset = 0x400;
        return facts;
    }

    private static byte[] CarriedFooter() => new SegmentFacts { EndOffset = 0x1000, HighestSequence = 0xABCDEF }
        .ToFooter(new SegmentSeed(StoreId, SegmentNumber - 1));

    private static byte[] Quarantined()
    {
        byte[] file = new byte[QuarantineFormat.HeaderBytes + 5];
        QuarantineFormat.WriteHeader(file, Damage, 0x0102030405060708, 5);
        "bytes"u8.CopyTo(file.AsSpan(QuarantineFormat.HeaderBytes));
        return file;
    }

    private static byte[] Value(StoredValue stored) => Record(
        RecordFormat.LengthOf(Entry, stored), to => RecordFormat.WriteValue(to, Entry, KeyHash, Entry.Deadline, Seed, stored));

    private static byte[] Slot(int number, Superblock? superblock = null)
    {
        byte[] slot = new byte[Superblock.SlotBytes];
        (superblock ?? Superblock).WriteTo(slot, number);
        return slot;
    }

    private static byte[] Mark(RecordKind kind, string? tag, long extended, long deadline) => Record(
        tag is null ? RecordFormat.LengthOf(0) : RecordFormat.LengthOfEviction(tag),
        to => RecordFormat.WriteMark(to, kind, 0x0000112233445566, KeyHash, tag, extended, deadline, Seed));

    private static byte[] Record(long length, Writer write)
    {
        byte[] record = new byte[length];
        write(record);
        return record;
    }

    private static CacheEntry EntryOf(string key, byte[] value, string[] tags)
    {
        var entry = new CacheEntry(
            new CacheKey(KeySpace.Output, key), value, tags, new Expiry(0x0102030405060708, 0x1112), 0x0102030405060000);
        entry.Number(0x212223242526, 0x212223242520);
        return entry;
    }

    private static byte[] Bytes(byte first, int count) => [.. Enumerable.Range(first, count).Select(value => (byte)value)];
}
