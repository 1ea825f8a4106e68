using System.Text;
using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.DependencyInjection;

namespace DiskDistributedCache.AspNetCore.Tests.Clients;

/// <summary>HybridCache with the cache as its second level. A group is a tag.</summary>
public class HybridCacheClient : CacheClient
{
    /// <summary>The largest value that this HybridCache takes.</summary>
    public const int MaxPayloadBytes = 200_000;

    public HybridCacheClient() => Scene = new ClientScene(services => services
        .AddDiskDistributedCache()
        .AddHybridCache(options =>
        {
            options.MaximumPayloadBytes = MaxPayloadBytes;
            options.DefaultEntryOptions = new HybridCacheEntryOptions
            {
                Expiration = TimeSpan.FromDays(1),
                LocalCacheExpiration = TimeSpan.FromDays(1),
                Flags = Flags,
            };
        }));

    public HybridCache Hybrid => Scene.Services.GetRequiredService<HybridCache>();

    internal override ClientScene Scene { get; }

    protected virtual HybridCacheEntryFlags Flags => HybridCacheEntryFlags.None;

    public override async Task<string> AskAsync(string group, string key, string ifMade)
    {
        string value = await Hybrid.GetOrCreateAsync($"{group}/{key}", _ => ValueTask.FromResult(ifMade), tags: [group]);
        if (value == ifMade)
        {
            await StoredAsync(Scene.Cache, $"{group}/{key}", value);
        }

        return value;
    }

    /// <summary>HybridCache answers first and stores what it has made afterwards. Waits for that.</summary>
    public static async Task StoredAsync(DiskCache cache, string key, string value)
    {
        byte[] stored = Encoding.UTF8.GetBytes(value);
        while ((await cache.GetAsync(key)).AsSpan().IndexOf(stored) < 0)
        {
            await Task.Yield();
        }
    }

    public override async Task SetAsync(string group, string key, string value) =>
        await Hybrid.SetAsync($"{group}/{key}", value, tags: [group]);

    public override async Task RemoveAsync(string group, string key) => await Hybrid.RemoveAsync($"{group}/{key}");

    public override bool TakesUnknownForRemoved => true;

    public override async Task RemoveGroupAsync(string group)
    {
        await Hybrid.RemoveByTagAsync(group);

        // What is made at the very moment of a removal is taken for older.
        Scene.Time.Advance(TimeSpan.FromMilliseconds(1));
    }
}

/// <summary>The same without a first level, so that every question reaches the cache.</summary>
public sealed class HybridCacheWithoutMemory : HybridCacheClient
{
    protected override HybridCacheEntryFlags Flags => HybridCacheEntryFlags.DisableLocalCache;
}
