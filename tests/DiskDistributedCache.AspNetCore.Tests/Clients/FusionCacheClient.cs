using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using ZiggyCreatures.Caching.Fusion;
using ZiggyCreatures.Caching.Fusion.Serialization.SystemTextJson;

namespace DiskDistributedCache.AspNetCore.Tests.Clients;

/// <summary>
/// FusionCache with the cache as its second level. A group is a tag. FusionCache reads the system's clock, so the cache starts with that.
/// </summary>
public class FusionCacheClient : CacheClient
{
    public FusionCacheClient() => Scene = new ClientScene(services => services
        .AddDiskDistributedCache()
        .AddFusionCache()
        .WithOptions(options => options.DistributedCacheCircuitBreakerDuration = BearsExceptions ? TimeSpan.Zero : TimeSpan.FromMinutes(1))
        .WithRegisteredDistributedCache()
        .WithSerializer(new FusionCacheSystemTextJsonSerializer())
        .WithDefaultEntryOptions(options => options
            .SetDuration(TimeSpan.FromDays(1))
            .SetFailSafe(true, TimeSpan.FromDays(30))
            .SetSkipMemoryCache(SkipsMemory)))
    {
        Time = new FakeTimeProvider(TimeProvider.System.GetUtcNow()),
    };

    public IFusionCache Fusion => Scene.Services.GetRequiredService<IFusionCache>();

    internal override ClientScene Scene { get; }

    protected virtual bool SkipsMemory => false;

    public override async Task<string> AskAsync(string group, string key, string ifMade) =>
        await Fusion.GetOrSetAsync<string>($"{group}/{key}", (_, _) => Task.FromResult(ifMade), tags: [group]);

    public override async Task SetAsync(string group, string key, string value) =>
        await Fusion.SetAsync($"{group}/{key}", value, tags: [group]);

    public override async Task RemoveAsync(string group, string key) => await Fusion.RemoveAsync($"{group}/{key}");

    public override async Task RemoveGroupAsync(string group) => await Fusion.RemoveByTagAsync(group);
}

/// <summary>The same without a first level, so that every question reaches the cache.</summary>
public sealed class FusionCacheWithoutMemory : FusionCacheClient
{
    protected override bool SkipsMemory => true;
}
