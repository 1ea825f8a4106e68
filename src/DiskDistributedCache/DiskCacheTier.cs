namespace DiskDistributedCache;

/// <summary>A place where a value can live.</summary>
public enum DiskCacheTier
{
    /// <summary>The memory of this process.</summary>
    Memory = 0,

    /// <summary>The segments in the cache directory.</summary>
    Disk = 1,
}
