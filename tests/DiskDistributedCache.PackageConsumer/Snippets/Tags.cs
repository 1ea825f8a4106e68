using DiskDistributedCache;
using Microsoft.Extensions.Caching.Distributed;

namespace PackageConsumer.Snippets;

internal static class Tags
{
    public static async Task<DiskCacheStatus> RunAsync(
        DiskCache cache, string key, byte[] value, DistributedCacheEntryOptions options, CancellationToken cancellationToken)
    {
        string[] keys = [key];
        await cache.SetAsync(key, value, options, ["reports"], cancellationToken);   // data with tags
        await cache.EvictByTagAsync("reports", cancellationToken);                   // responses and data with the tag
        await cache.ClearAsync(cancellationToken);
        var found = await cache.GetManyAsync(keys, cancellationToken);               // many at once, SetManyAsync too
        await foreach (var entry in cache.ListAsync(cancellationToken)) { }          // key, size, expiry, tags, tier
        DiskCacheStatus status = cache.GetStatus();
        Check.That("tags: nothing is found after a clear", found.Count == 0);
        return status;
    }
}
