using Microsoft.AspNetCore.DataProtection;
using Microsoft.Extensions.Caching.Distributed;

namespace PackageConsumer.Snippets;

internal static class Encryption
{
    public static WebApplication Build(WebApplicationBuilder builder)
    {
        string keys = Path.Combine(builder.Configuration["DiskDistributedCache:Directory"]!, "keys");

        builder.Services.AddDataProtection().SetApplicationName("shop").PersistKeysToFileSystem(new DirectoryInfo(keys));
        builder.Services.AddDiskCacheDataProtection();

        builder.Services.AddDiskDistributedCache();
        var app = builder.Build();
        app.MapGet("/secret", async (IDistributedCache cache) =>
        {
            string? secret = await cache.GetStringAsync("secret");
            if (secret is null)
            {
                secret = $"secret {Interlocked.Increment(ref s_made)}";
                await cache.SetStringAsync("secret", secret);
            }

            return secret;
        });
        return app;
    }

    private static int s_made;
}
