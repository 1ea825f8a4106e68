using DiskDistributedCache;
using Microsoft.Extensions.Caching.Distributed;

namespace PackageConsumer.Snippets;

internal static class Tags
{
    public static async Task<DiskCacheStatus> RunAsync(
        DiskCache cache, string key, byte[] value, DistributedCacheEntryOptions options, CancellationToken cancellationToken)
    {
        await cache.SetAsync(key, value, options, ["reports"], cancellationToken);   // data with tags
        await cache.EvictByTagAsync("reports", cancellationToken);                   // responses and data with the tag
        await cache.ClearAsync(cancellationToken);
        DiskCacheStatus status = cache.GetStatus();
        return status;
    }
}
