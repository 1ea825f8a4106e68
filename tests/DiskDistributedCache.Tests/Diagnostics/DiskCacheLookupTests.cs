using System.Buffers;
using DiskDistributedCache.Tests.Infrastructure;
using Microsoft.Extensions.Caching.Distributed;

namespace DiskDistributedCache.Tests.Diagnostics;

public sealed class DiskCacheLookupTests : IAsyncLifetime
{
    private readonly NormalStore _environment = new();

    private DiskCache Cache => _environment.Cache;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        await _environment.OpenAsync();
        Cache.Set("key", [1], new DistributedCacheEntryOptions());
    }

    public ValueTask DisposeAsync() => _environment.DisposeAsync();

    [Fact]
    public async Task A_hit_names_its_tier_and_a_miss_none()
    {
        using var lookup = DiskCacheLookup.Begin();
        Assert.Equal(0, lookup.Lookups);
        Assert.Null(lookup.Tier);

        await Cache.GetAsync("key", Token);
        Assert.Equal(DiskCacheTier.Memory, lookup.Tier);

        await Cache.GetAsync("nobody", Token);
        Assert.Null(lookup.Tier);
        Assert.Equal(2, lookup.Lookups);
    }

    [Fact]
    public async Task A_value_of_an_earlier_process_is_answered_by_the_disk_first_and_by_memory_then()
    {
        await _environment.RestartAsync();
        using var lookup = DiskCacheLookup.Begin();

        await Cache.GetAsync("key", Token);
        Assert.Equal(DiskCacheTier.Disk, lookup.Tier);
        await Cache.GetAsync("key", Token);
        Assert.Equal(DiskCacheTier.Memory, lookup.Tier);
    }

    [Fact]
    public async Task All_ways_of_reading_are_lookups_and_nothing_else_is()
    {
        using var lookup = DiskCacheLookup.Begin();
        var writer = new ArrayBufferWriter<byte>();

        Cache.Get("key");
        await Cache.GetAsync("key", Token);
        Cache.TryGet("key", writer);
        await Cache.TryGetAsync("key", writer, Token);
        Assert.Equal(4, lookup.Lookups);

        Cache.Refresh("key");
        await Cache.RefreshAsync("key", Token);
        Cache.Set("key", [2], new DistributedCacheEntryOptions());
        Cache.Remove("key");
        Assert.Equal(4, lookup.Lookups);
    }

    [Fact]
    public async Task Only_lookups_of_the_own_flow_are_seen()
    {
        var outside = new TaskCompletionSource();
        var stranger = Task.Run(
            async () =>
            {
                await outside.Task;
                Cache.Get("nobody");
            },
            Token);

        using var lookup = DiskCacheLookup.Begin();
        await Task.Run(() => Cache.Get("key"), Token);
        outside.SetResult();
        await stranger;

        Assert.Equal(1, lookup.Lookups);
        Assert.Equal(DiskCacheTier.Memory, lookup.Tier);
    }

    [Fact]
    public void Observers_nest_and_end_with_their_disposal()
    {
        using var outer = DiskCacheLookup.Begin();
        Cache.Get("nobody");
        var inner = DiskCacheLookup.Begin();
        Cache.Get("key");
        inner.Dispose();
        inner.Dispose();
        Cache.Get("key");
        outer.Dispose();
        Cache.Get("key");

        Assert.Equal(3, outer.Lookups);
        Assert.Equal(1, inner.Lookups);
        Assert.Equal(DiskCacheTier.Memory, inner.Tier);
    }
}
