namespace DiskDistributedCache;

/// <summary>A value that a hit was answered with: what <see cref="DiskDistributedCacheOptions.SavedPerHit"/> judges by.</summary>
public readonly struct DiskCacheHit
{
    /// <summary>As the cache makes it; an application makes one to test its <see cref="DiskDistributedCacheOptions.SavedPerHit"/>.</summary>
    /// <param name="key">The key.</param>
    /// <param name="value">The bytes as they were stored.</param>
    /// <param name="tags">The tags; empty where there are none.</param>
    public DiskCacheHit(string key, ReadOnlyMemory<byte> value, IReadOnlyList<string> tags) => (Key, Value, Tags) = (key, value, tags);

    /// <summary>The key; of the output cache it is the middleware's own.</summary>
    public string Key { get; }

    /// <summary>The bytes as they were stored. They belong to the cache and must not be written to.</summary>
    public ReadOnlyMemory<byte> Value { get; }

    /// <summary>The tags, in no particular order; empty where there are none.</summary>
    public IReadOnlyList<string> Tags { get; }
}
