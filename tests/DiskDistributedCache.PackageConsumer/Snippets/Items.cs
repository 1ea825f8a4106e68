using Microsoft.Extensions.Caching.Distributed;

namespace PackageConsumer.Snippets;

internal static class Items
{
    private static int s_loaded;

    public static WebApplication Build(WebApplicationBuilder builder)
    {
        builder.Services.AddDiskDistributedCache();

        var app = builder.Build();
        app.MapGet("/items/{id}", async (string id, IDistributedCache cache) =>
        {
            var item = await cache.GetStringAsync(id);
            if (item is null)
            {
                item = await LoadItemAsync(id);
                await cache.SetStringAsync(id, item, new DistributedCacheEntryOptions { SlidingExpiration = TimeSpan.FromMinutes(10) });
            }

            return item;
        });
        return app;
    }

    private static Task<string> LoadItemAsync(string id) => Task.FromResult($"item {id}, load {Interlocked.Increment(ref s_loaded)}");
}
