namespace DiskDistributedCache;

/// <summary>How values are compressed before they are written to disk.</summary>
public enum DiskCacheCompression
{
    /// <summary>Not at all.</summary>
    None = 0,

    /// <summary>GZip, at its fastest level.</summary>
    GZip = 1,

    /// <summary>Brotli, at a fast level: a little smaller than GZip (7 % for the reports of the sample site), and it takes somewhat longer.</summary>
    Brotli = 2,
}
