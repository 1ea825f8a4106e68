namespace DiskDistributedCache.Entries;

/// <summary>
/// Which keys have values that must not be lost before what is older than them: the marks by which HybridCache and FusionCache remember
/// that a tag was invalidated, and whatever the application names. They keep such a mark as an ordinary value, and take its absence
/// for "never invalidated".
/// </summary>
internal sealed class KeyRetention(Func<string, bool>? alsoRetained, string? prefix)
{
    private const string HybridCacheMark = "__MSFT_HCT__";
    private const string FusionCacheMark = "__fc:t:";

    private readonly int _prefixLength = prefix?.Length ?? 0;

    public bool Covers(in CacheKey key)
    {
        if (key.Space != KeySpace.Data)
        {
            return false;
        }

        var text = key.Text.AsSpan(_prefixLength);
        return text.StartsWith(HybridCacheMark, StringComparison.Ordinal)
            || text.Contains(FusionCacheMark, StringComparison.Ordinal)
            || (alsoRetained is not null && alsoRetained(_prefixLength == 0 ? key.Text : text.ToString()));
    }
}
