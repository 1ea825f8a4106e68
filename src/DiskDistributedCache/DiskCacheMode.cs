namespace DiskDistributedCache;

/// <summary>What the cache currently does with its disk.</summary>
public enum DiskCacheMode
{
    /// <summary>The store is not open yet; the cache works from memory.</summary>
    Starting = 0,

    /// <summary>Both tiers are in use.</summary>
    Normal = 1,

    /// <summary>The disk failed several times in a row and is left alone for a moment; the cache works from memory.</summary>
    BreakerOpen = 2,

    /// <summary>The disk cannot be used; the cache works from memory.</summary>
    MemoryOnly = 3,

    /// <summary>The disk is being brought back; the cache works from memory.</summary>
    Recovering = 4,

    /// <summary>The cache has been disposed of.</summary>
    Closed = 5,
}
