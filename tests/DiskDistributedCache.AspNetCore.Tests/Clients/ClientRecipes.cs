using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.OutputCaching;
using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.DependencyInjection;
using ZiggyCreatures.Caching.Fusion;
using ZiggyCreatures.Caching.Fusion.Serialization.SystemTextJson;

namespace DiskDistributedCache.AspNetCore.Tests.Clients;

/// <summary>The code of docs/clients.md, line for line.</summary>
internal static class ClientRecipes
{
    public static WebApplication OutputCaching(WebApplicationBuilder builder)
    {
        builder.Services.AddDiskOutputCache();
        builder.Services.AddOutputCache(options => options.AddPolicy("reports", policy => policy
            .Expire(TimeSpan.FromHours(1))
            .Tag("reports")
            .SetVaryByQuery([])
            .SetVaryByHost(false)));

        var app = builder.Build();
        app.UseOutputCache();
        app.MapGet("/reports/{name}", (string name) => $"report {name}").CacheOutput("reports");
        app.MapPost("/evict", (IOutputCacheStore store, CancellationToken token) => store.EvictByTagAsync("reports", token).AsTask());
        return app;
    }

    public static WebApplication Sessions(WebApplicationBuilder builder, string keys)
    {
        builder.Services.AddDiskDistributedCache(options => options.OnUnknown = UnknownRead.Throw);
        builder.Services.AddDataProtection().PersistKeysToFileSystem(new DirectoryInfo(keys));
        builder.Services.AddSession(options => options.IdleTimeout = TimeSpan.FromMinutes(20));

        var app = builder.Build();
        app.UseSession();
        app.MapGet("/visits", (HttpContext context) =>
        {
            int visits = (context.Session.GetInt32("visits") ?? 0) + 1;
            context.Session.SetInt32("visits", visits);
            return visits;
        });
        return app;
    }

    public static WebApplication Hybrid(WebApplicationBuilder builder)
    {
        builder.Services.AddDiskDistributedCache(options => options.MaxMemoryBytes = 16 << 20);
        builder.Services.AddHybridCache(options => options.DefaultEntryOptions = new HybridCacheEntryOptions
        {
            Expiration = TimeSpan.FromHours(12),
            LocalCacheExpiration = TimeSpan.FromMinutes(5),
        });

        var app = builder.Build();
        app.MapGet("/items/{id}", async (string id, HybridCache cache, CancellationToken token) =>
            await cache.GetOrCreateAsync($"item:{id}", _ => ValueTask.FromResult($"item {id}"), tags: ["items"], cancellationToken: token));
        app.MapPost("/evict-items", async (HybridCache cache, CancellationToken token) => await cache.RemoveByTagAsync("items", token));
        return app;
    }

    public static WebApplication Fusion(WebApplicationBuilder builder)
    {
        builder.Services.AddDiskDistributedCache(options => options.MaxMemoryBytes = 16 << 20);
        builder.Services.AddFusionCache()
            .WithRegisteredDistributedCache()
            .WithSerializer(new FusionCacheSystemTextJsonSerializer())
            .WithDefaultEntryOptions(options => options
                .SetDuration(TimeSpan.FromMinutes(10))
                .SetDistributedCacheDuration(TimeSpan.FromHours(12))
                .SetFailSafe(true, TimeSpan.FromDays(2)));

        var app = builder.Build();
        app.MapGet("/products/{id}", async (string id, IFusionCache cache, CancellationToken token) =>
            await cache.GetOrSetAsync<string>($"product:{id}", (_, _) => Task.FromResult($"product {id}"), tags: ["products"], token: token));
        app.MapPost("/evict-products", async (IFusionCache cache, CancellationToken token) => await cache.RemoveByTagAsync("products", token: token));
        return app;
    }
}
