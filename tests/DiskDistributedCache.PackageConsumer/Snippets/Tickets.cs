using DiskDistributedCache;
using Microsoft.Extensions.Caching.Distributed;

namespace PackageConsumer.Snippets;

internal static class Tickets
{
    public static async Task StoreAsync(
        DiskCache cache, string key, DistributedCacheEntryOptions options, Func<Task> whileItIsMade, CancellationToken cancellationToken)
    {
        var ticket = cache.TakeTicket();
        byte[] report = await MakeReportAsync();                                     // meanwhile: EvictByTagAsync("reports")
        await cache.SetAsync(key, report, options, ["reports"], ticket, cancellationToken);

        async Task<byte[]> MakeReportAsync()
        {
            await whileItIsMade();
            return [1];
        }
    }
}
