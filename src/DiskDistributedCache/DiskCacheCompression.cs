namespace DiskDistributedCache;

/// <summary>How values are compressed before they are written to disk.</summary>
public enum DiskCacheCompression
{
    /// <summary>Not at all.</summary>
    None = 0,

    /// <summary>GZip, at its fastest level.</summary>
    GZip = 1,

    /// <summary>Brotli, at a fast level: some 10 to 20 % smaller than GZip, and it takes somewhat longer.</summary>
    Brotli = 2,
}
