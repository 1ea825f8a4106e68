namespace DiskDistributedCache;

/// <summary>A cache.</summary>
public sealed class DiskCache
{
}
