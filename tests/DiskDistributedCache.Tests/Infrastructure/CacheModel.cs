using DiskDistributedCache.Entries;

namespace DiskDistributedCache.Tests.Infrastructure;

/// <summary>What the callers of a cache have been told: the only values that it may still return.</summary>
internal sealed class CacheModel
{
    private readonly Dictionary<CacheKey, Version> _versions;
    private readonly HashSet<CacheKey> _everyKey;

    public CacheModel()
        : this([], [])
    {
    }

    private CacheModel(Dictionary<CacheKey, Version> versions, HashSet<CacheKey> everyKey) =>
        (_versions, _everyKey) = (versions, everyKey);

    /// <summary>Every key that was ever stored.</summary>
    public IReadOnlyCollection<CacheKey> EveryKey => _everyKey;

    public CacheModel Copy() => new(new Dictionary<CacheKey, Version>(_versions), [.. _everyKey]);

    /// <summary>The value that a read may return at this moment; null where it has to be a miss.</summary>
    public byte[]? ValueOf(in CacheKey key, long nowTicks) =>
        _versions.TryGetValue(key, out var version) && version.Deadline > nowTicks ? version.Value : null;

    public void Set(in CacheKey key, byte[] value, string[] tags, long deadline)
    {
        _versions[key] = new Version(value, tags, deadline);
        _everyKey.Add(key);
    }

    public void Remove(in CacheKey key) => _versions.Remove(key);

    public void Touch(in CacheKey key, long deadline) => _versions[key] = _versions[key] with { Deadline = deadline };

    public void Clear() => _versions.Clear();

    public void EvictByTag(string tag)
    {
        foreach (var (key, version) in _versions)
        {
            if (version.Tags.Contains(tag, StringComparer.Ordinal))
            {
                _versions.Remove(key);
            }
        }
    }

    private sealed record Version(byte[] Value, string[] Tags, long Deadline);
}
