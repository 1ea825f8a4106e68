namespace DiskDistributedCache;

/// <summary>Bytes that did not verify, as <see cref="DiskCache.GetQuarantine"/> lists them. Never a key or a value.</summary>
public sealed record QuarantinedRecord
{
    /// <summary>What was wrong.</summary>
    public required QuarantineReason Reason { get; init; }

    /// <summary>When the cache met them.</summary>
    public required DateTimeOffset Time { get; init; }

    /// <summary>The number of the segment that they were in.</summary>
    public required long Segment { get; init; }

    /// <summary>Where in the segment they begin.</summary>
    public required long Offset { get; init; }

    /// <summary>The hash under which the index knew the key, seeded for each store; 0 where it is not known.</summary>
    public required ulong KeyHash { get; init; }

    /// <summary>How many of the bytes are in the file.</summary>
    public required long KeptBytes { get; init; }

    /// <summary>How many bytes there were: of the record, or, at a start, of the segment from <see cref="Offset"/> on.</summary>
    public required long OriginalBytes { get; init; }

    /// <summary>
    /// The name of the file in the folder <c>quarantine</c>; <see langword="null"/> where none was kept, because
    /// <see cref="DiskDistributedCacheOptions.MaxQuarantineBytes"/> leaves no room or the folder failed.
    /// </summary>
    public required string? FileName { get; init; }
}
