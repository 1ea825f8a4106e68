namespace DiskDistributedCache;

/// <summary>A snapshot of the cache for status pages and health checks. Counters count since the cache was created.</summary>
public sealed record DiskCacheStatus
{
    /// <summary>What the cache currently does with its disk.</summary>
    public required DiskCacheMode Mode { get; init; }

    /// <summary>When the cache entered <see cref="Mode"/>.</summary>
    public required DateTimeOffset Since { get; init; }

    /// <summary>Why the cache is in <see cref="Mode"/>, for people; <see langword="null"/> where that needs no reason.</summary>
    public required string? Reason { get; init; }

    /// <summary>What the last probe of the disk found.</summary>
    public required DiskHealthState DiskHealth { get; init; }

    /// <summary>The reason for the last disk trouble, for people; <see langword="null"/> when there has been none.</summary>
    public required string? LastFault { get; init; }

    /// <summary>Entries that the disk tier's index knows, dead ones included that nobody has met yet.</summary>
    public required long Entries { get; init; }

    /// <summary>Bytes of all segment files.</summary>
    public required long DiskBytes { get; init; }

    /// <summary>Bytes that the memory tier holds: keys, values, tags and its own overhead.</summary>
    public required long MemoryBytes { get; init; }

    /// <summary>Lookups answered by the memory tier.</summary>
    public required long MemoryHits { get; init; }

    /// <summary>Lookups answered by the disk tier.</summary>
    public required long DiskHits { get; init; }

    /// <summary>Lookups that found nothing.</summary>
    public required long Misses { get; init; }

    /// <summary>
    /// Disk operations that failed, or took longer than <see cref="DiskDistributedCacheOptions.IoTimeout"/> and the time that their bytes take
    /// at 20 MiB/s.
    /// </summary>
    public required long DiskErrors { get; init; }

    /// <summary>Records that were read back and did not verify, and segments that a start found damaged.</summary>
    public required long CorruptionErrors { get; init; }

    /// <summary>How many of the <see cref="CorruptionErrors"/> have put bytes into the quarantine folder.</summary>
    public required long QuarantinedRecords { get; init; }

    /// <summary>What the quarantine folder failed at. Nothing but the quarantine depends on it.</summary>
    public required long QuarantineErrors { get; init; }

    /// <summary>Mutations that were acknowledged and are not yet on disk.</summary>
    public required long OwedWrites { get; init; }

    /// <summary>
    /// Values that were refused because they are larger than <see cref="DiskDistributedCacheOptions.MaxEntryBytes"/>, or with key and tags larger
    /// than half of <see cref="DiskDistributedCacheOptions.MaxDiskBytes"/> or 1 GiB.
    /// </summary>
    public required long OversizedEntries { get; init; }
}
