namespace DiskDistributedCache.Entries;

/// <summary>Whose keys these are. The same text in two spaces names two entries.</summary>
internal enum KeySpace : byte
{
    /// <summary>Keys of <c>IDistributedCache</c>.</summary>
    Data = 0,

    /// <summary>Keys of <c>IOutputCacheStore</c>.</summary>
    Output = 1,

    /// <summary>The cache's own probe of the disk.</summary>
    Probe = 2,
}

/// <summary>The full name of an entry: any text at all (UTF-16, compared ordinally), in one of the key spaces.</summary>
internal readonly struct CacheKey(KeySpace space, string text) : IEquatable<CacheKey>
{
    public KeySpace Space { get; } = space;

    public string Text { get; } = text;

    public bool Equals(CacheKey other) => Space == other.Space && string.Equals(Text, other.Text, StringComparison.Ordinal);

    public override bool Equals(object? obj) => obj is CacheKey other && Equals(other);

    /// <summary>Randomized per process by the runtime, so that nobody can choose keys that collide in the memory tier.</summary>
    public override int GetHashCode() => Text.GetHashCode(StringComparison.Ordinal) ^ ((int)Space * unchecked((int)0x9E3779B1));
}
