using DiskDistributedCache.AspNetCore;
using Microsoft.AspNetCore.OutputCaching;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace DiskDistributedCache.AspNetCore.Tests;

public sealed class RegistrationTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("diskcache-registration-test-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task The_store_wins_whether_output_caching_is_added_before_or_after()
    {
        await using var before = Services().AddOutputCache().AddDiskOutputCache(UseDirectory).BuildServiceProvider();
        await using var after = Services().AddDiskOutputCache(UseDirectory).AddOutputCache().BuildServiceProvider();
        await using var alone = Services().AddDiskOutputCache(UseDirectory).BuildServiceProvider();

        Assert.IsType<DiskOutputCacheStore>(before.GetRequiredService<IOutputCacheStore>());
        Assert.IsType<DiskOutputCacheStore>(after.GetRequiredService<IOutputCacheStore>());
        Assert.IsType<DiskOutputCacheStore>(alone.GetRequiredService<IOutputCacheStore>());
    }

    [Fact]
    public async Task The_cache_wins_whether_views_are_added_before_or_after()
    {
        var first = Services();
        first.AddControllersWithViews();
        first.AddDiskDistributedCache(UseDirectory);
        var last = Services().AddDiskDistributedCache(UseDirectory);
        last.AddControllersWithViews();

        await using var before = first.BuildServiceProvider();
        await using var after = last.BuildServiceProvider();

        Assert.IsType<DiskCache>(before.GetRequiredService<IDistributedCache>());
        Assert.IsType<DiskCache>(after.GetRequiredService<IDistributedCache>());
    }

    [Fact]
    public async Task The_output_cache_alone_registers_no_distributed_cache()
    {
        await using var services = Services().AddDiskOutputCache(UseDirectory).BuildServiceProvider();

        Assert.Null(services.GetService<IDistributedCache>());
        Assert.NotNull(services.GetService<DiskCache>());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Both_registrations_share_one_cache_and_its_settings_in_any_order(bool outputFirst)
    {
        var services = Services();
        _ = outputFirst
            ? services.AddDiskOutputCache(UseDirectory).AddDiskDistributedCache(options => options.MaxEntries = 9)
            : services.AddDiskDistributedCache(UseDirectory).AddDiskOutputCache(options => options.MaxEntries = 9);
        await using var provider = services.BuildServiceProvider();

        var cache = provider.GetRequiredService<IDistributedCache>();
        var store = provider.GetRequiredService<IOutputCacheStore>();
        var token = TestContext.Current.CancellationToken;
        await store.SetAsync("key", [1], ["tag"], TimeSpan.FromMinutes(1), token);
        await ((DiskCache)cache).EvictByTagAsync("tag", token);

        Assert.Null(await store.GetAsync("key", token));
        Assert.Same(cache, provider.GetRequiredService<DiskCache>());
        var options = provider.GetRequiredService<IOptions<DiskDistributedCacheOptions>>().Value;
        Assert.Equal(9, options.MaxEntries);
        Assert.Equal(_directory, options.Directory);
    }

    [Fact]
    public void A_second_call_adds_no_second_store()
    {
        var services = Services().AddDiskOutputCache(UseDirectory).AddDiskOutputCache();

        Assert.Single(services, service => service.ServiceType == typeof(IOutputCacheStore));
        Assert.Single(services, service => service.ServiceType == typeof(DiskCache));
    }

    [Fact]
    public void The_call_can_be_chained_and_refuses_a_missing_collection()
    {
        var services = new ServiceCollection();

        Assert.Same(services, services.AddDiskOutputCache());
        Assert.Throws<ArgumentNullException>("services", () => DiskOutputCacheServiceCollectionExtensions.AddDiskOutputCache(null!));
    }

    private static ServiceCollection Services() => [];

    private void UseDirectory(DiskDistributedCacheOptions options) => options.Directory = _directory;
}
