namespace DiskDistributedCache;

/// <summary>What <see cref="DiskCache.ListAsync"/> says of an entry.</summary>
public sealed record DiskCacheEntryInfo
{
    /// <summary>The key as the caller knows it, without <see cref="DiskDistributedCacheOptions.InstanceName"/>.</summary>
    public required string Key { get; init; }

    /// <summary>Whether it is a response of the output cache, whose keys are apart from those of the distributed cache.</summary>
    public required bool IsResponse { get; init; }

    /// <summary>The length of the value in bytes.</summary>
    public required long ValueBytes { get; init; }

    /// <summary>When the entry expires if it is not used before; <see langword="null"/> for an entry that does not expire.</summary>
    public required DateTimeOffset? ExpiresAt { get; init; }

    /// <summary>The window that each use starts anew; <see langword="null"/> for an entry that does not slide.</summary>
    public required TimeSpan? SlidingExpiration { get; init; }

    /// <summary>The tags, without repetition.</summary>
    public required IReadOnlyList<string> Tags { get; init; }

    /// <summary>Where a read would find the entry.</summary>
    public required DiskCacheTier Tier { get; init; }
}
