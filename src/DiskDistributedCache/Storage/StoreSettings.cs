using DiskDistributedCache.Entries;

namespace DiskDistributedCache.Storage;

/// <summary>The options as the store uses them, with what follows from them.</summary>
internal sealed record StoreSettings
{
    public const int MaxSegments = 4096;
    private const int MinSegments = 16;
    private const int MinSegmentsOfRecords = 8;

    public required long MaxDiskBytes { get; init; }

    public required long SegmentBytes { get; init; }

    public required int MaxEntries { get; init; }

    public required bool VerifyWrites { get; init; }

    public required long MaxQuarantineBytes { get; init; }

    /// <summary>Bytes that are left free on the file system.</summary>
    public long MinFreeDiskBytes { get; init; }

    /// <summary>What values go through between memory and disk.</summary>
    public ValueCodec Codec { get; init; } = ValueCodec.Plain;

    /// <summary>The name of a key in the index, from the seed of the store.</summary>
    public Func<CacheKey, long, ulong> HashOf { get; init; } = static (key, seed) => KeyHash.Of(key, seed);

    /// <summary>Records after which a segment is full whatever their size, so that erasing one never drops most of a small index.</summary>
    public int MaxSegmentRecords => Math.Max(1, MaxEntries / MinSegmentsOfRecords);

    /// <summary>
    /// Segments after which the oldest is reclaimed whatever the bytes: every restart begins a new one, so there can be many short
    /// ones.
    /// </summary>
    public int SegmentLimit => (int)Math.Min(2 * MaxSegments, (2 * (MaxDiskBytes / SegmentBytes)) + 64);

    /// <summary>Live bytes that may be appended again from one segment that is about to be erased.</summary>
    public long ReinsertionBytes => SegmentBytes / 4;

    public static StoreSettings From(DiskDistributedCacheOptions options) => new()
    {
        MaxDiskBytes = options.MaxDiskBytes,
        SegmentBytes = RecordFormat.Align(EffectiveSegmentBytes(options)),
        MaxEntries = options.MaxEntries,
        VerifyWrites = options.VerifyWrites,
        MaxQuarantineBytes = options.MaxQuarantineBytes,
        MinFreeDiskBytes = options.MinFreeDiskBytes,
        HashOf = options.HashOf ?? (static (key, seed) => KeyHash.Of(key, seed)),
    };

    /// <summary>
    /// At most a sixteenth of the disk budget: the spare and, on average, half of the active segment are space in which nothing is
    /// found, and what is erased at once is an entire segment.
    /// </summary>
    public static long EffectiveSegmentBytes(DiskDistributedCacheOptions options) =>
        Math.Min(options.SegmentBytes, options.MaxDiskBytes / MinSegments);
}
