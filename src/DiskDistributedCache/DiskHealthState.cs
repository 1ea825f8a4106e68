namespace DiskDistributedCache;

/// <summary>What a probe of the disk found: an entry is written, read back, compared and removed like any other.</summary>
public enum DiskHealthState
{
    /// <summary>The disk has not been probed yet.</summary>
    Unknown = 0,

    /// <summary>What was written was read back, in time.</summary>
    Healthy = 1,

    /// <summary>Something else was read back than was written, it took too long, or the disk is full.</summary>
    Degraded = 2,

    /// <summary>The disk failed.</summary>
    Unhealthy = 3,
}
