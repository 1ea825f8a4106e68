using System.IO.Abstractions;
using System.IO.Abstractions.TestingHelpers;
using DiskDistributedCache.Tests.Infrastructure;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace DiskDistributedCache.Tests;

/// <summary>The registration, with and without a host. No file of the real file system is touched.</summary>
public sealed class RegistrationTests
{
    private readonly MockFileSystem _fileSystem = new();

    private string CacheDirectory => _fileSystem.Path.GetFullPath("cache");

    [Fact]
    public async Task A_bare_container_is_enough()
    {
        await using var services = new ServiceCollection()
            .AddDiskDistributedCache(options => options.Directory = CacheDirectory)
            .BuildServiceProvider(new ServiceProviderOptions { ValidateOnBuild = true, ValidateScopes = true });

        var cache = services.GetRequiredService<IDistributedCache>();

        Assert.IsType<DiskCache>(cache);
        Assert.IsType<IBufferDistributedCache>(cache, exactMatch: false);
        Assert.Same(cache, services.GetRequiredService<DiskCache>());
    }

    [Fact]
    public void The_call_can_be_chained_and_refuses_a_missing_collection()
    {
        var services = new ServiceCollection();

        Assert.Same(services, services.AddDiskDistributedCache());
        Assert.Throws<ArgumentNullException>("services", () => DiskDistributedCacheServiceCollectionExtensions.AddDiskDistributedCache(null!));
    }

    [Fact]
    public async Task The_cache_wins_over_one_that_was_registered_before_and_leaves_its_registration_alone()
    {
        var services = new ServiceCollection();
        services.AddScoped<IDistributedCache, ForeignCache>();
        services.AddDiskDistributedCache(options => options.Directory = CacheDirectory);

        await using var provider = services.BuildServiceProvider();

        var descriptors = services.Where(service => service.ServiceType == typeof(IDistributedCache)).ToArray();
        Assert.Equal(2, descriptors.Length);
        Assert.Equal(ServiceLifetime.Scoped, descriptors[0].Lifetime);
        Assert.Equal(ServiceLifetime.Singleton, descriptors[1].Lifetime);
        Assert.IsType<DiskCache>(provider.GetRequiredService<IDistributedCache>());
    }

    [Fact]
    public async Task A_cache_that_is_only_tried_to_be_added_afterwards_does_not_win()
    {
        var services = Registered();
        services.TryAddSingleton<IDistributedCache, ForeignCache>();

        await using var provider = services.BuildServiceProvider();

        Assert.IsType<DiskCache>(provider.GetRequiredService<IDistributedCache>());
    }

    [Fact]
    public async Task A_second_call_adds_settings_and_nothing_else()
    {
        var services = Registered();
        int count = services.Count(service => service.ServiceType != typeof(IConfigureOptions<DiskDistributedCacheOptions>));

        services.AddDiskDistributedCache(options => options.MaxEntries = 77);

        Assert.Equal(count, services.Count(service => service.ServiceType != typeof(IConfigureOptions<DiskDistributedCacheOptions>)));
        await using var provider = services.BuildServiceProvider();
        var options = provider.GetRequiredService<IOptions<DiskDistributedCacheOptions>>().Value;
        Assert.Equal(77, options.MaxEntries);
        Assert.Equal(CacheDirectory, options.Directory);
    }

    [Fact]
    public async Task A_second_call_after_another_cache_was_added_wins_again_with_the_same_instance()
    {
        var services = Registered();
        services.AddSingleton<IDistributedCache, ForeignCache>();
        services.AddDiskDistributedCache();

        await using var provider = services.BuildServiceProvider();

        Assert.Same(provider.GetRequiredService<DiskCache>(), provider.GetRequiredService<IDistributedCache>());
        Assert.Single(services, service => service.ServiceType == typeof(DiskCache));
    }

    [Fact]
    public async Task The_section_is_bound_first_and_the_code_has_the_last_word()
    {
        var services = new ServiceCollection();
        services.AddSingleton<IConfiguration>(new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["DiskDistributedCache:Directory"] = CacheDirectory,
            ["DiskDistributedCache:MaxDiskBytes"] = "16777216",
            ["DiskDistributedCache:MaxEntries"] = "1000",
            ["DiskDistributedCache:IoTimeout"] = "00:00:00.2",
            ["DiskDistributedCache:VerifyWrites"] = "false",
        }).Build());
        services.AddDiskDistributedCache(options => options.MaxEntries *= 2);
        services.AddDiskDistributedCache(options => options.MaxEntries += 1);

        await using var provider = services.BuildServiceProvider();
        var options = provider.GetRequiredService<IOptions<DiskDistributedCacheOptions>>().Value;

        Assert.Equal(CacheDirectory, options.Directory);
        Assert.Equal(16 << 20, options.MaxDiskBytes);
        Assert.Equal(2_001, options.MaxEntries);
        Assert.Equal(TimeSpan.FromMilliseconds(200), options.IoTimeout);
        Assert.False(options.VerifyWrites);
    }

    [Fact]
    public void The_default_directory_carries_the_name_of_the_host()
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings { ApplicationName = "Shop" });
        builder.Services.AddDiskDistributedCache();
        using var host = builder.Build();

        var options = host.Services.GetRequiredService<IOptions<DiskDistributedCacheOptions>>().Value;

        Assert.Equal(DefaultDirectory.Find("Shop", builder.Environment.ContentRootPath), options.Directory);
    }

    [Fact]
    public async Task Settings_that_are_out_of_range_stop_the_host_from_starting()
    {
        using var host = HostWith(options => options.MaxDiskBytes = 5);

        var refusal = await Assert.ThrowsAsync<OptionsValidationException>(
            () => host.StartAsync(TestContext.Current.CancellationToken));

        Assert.Contains("MaxDiskBytes is 5", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Settings_that_are_out_of_range_fail_the_creation_of_the_cache_where_there_is_no_host()
    {
        await using var services = Registered().AddDiskDistributedCache(options => options.MaxDiskBytes = 5).BuildServiceProvider();

        Assert.Throws<OptionsValidationException>(() => services.GetRequiredService<IDistributedCache>());
    }

    [Fact]
    public async Task The_file_system_and_the_clock_of_the_container_are_used()
    {
        var clock = new TestClock();
        var services = Registered().AddSingleton<TimeProvider>(clock);
        await using var provider = services.BuildServiceProvider();
        var cache = provider.GetRequiredService<IDistributedCache>();

        cache.Set("key", [1], new DistributedCacheEntryOptions { AbsoluteExpiration = clock.GetUtcNow().AddMinutes(1) });
        Assert.NotNull(cache.Get("key"));
        Assert.True(_fileSystem.Directory.Exists(CacheDirectory));

        clock.Advance(TimeSpan.FromMinutes(1));
        Assert.Null(cache.Get("key"));
    }

    [Fact]
    public async Task The_store_is_open_before_the_services_of_the_host_start_and_usable_after_they_stopped()
    {
        using var host = HostWith(null, services => services.AddHostedService<StatusAtStart>());
        var cache = host.Services.GetRequiredService<DiskCache>();

        await host.StartAsync(TestContext.Current.CancellationToken);
        Assert.Equal(DiskCacheMode.Normal, host.Services.GetServices<IHostedService>().OfType<StatusAtStart>().Single().Mode);
        cache.Set("key", [1], new DistributedCacheEntryOptions());

        await host.StopAsync(TestContext.Current.CancellationToken);
        Assert.Equal([1], cache.Get("key"));

        host.Dispose();
        Assert.Throws<ObjectDisposedException>(() => cache.Get("key"));
    }

    [Fact]
    public async Task The_hybrid_cache_is_never_resolved()
    {
        var services = Registered();
        services.AddSingleton<HybridCache>(_ => throw new InvalidOperationException("The hybrid cache resolves us; we must not resolve it."));
        await using var provider = services.BuildServiceProvider();
        var cache = provider.GetRequiredService<IDistributedCache>();

        await cache.SetAsync("key", [1], TestContext.Current.CancellationToken);

        Assert.Equal([1], await cache.GetAsync("key", TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_container_that_disposes_of_both_registrations_disposes_of_one_cache()
    {
        var provider = Registered().BuildServiceProvider();
        var cache = provider.GetRequiredService<DiskCache>();
        Assert.Same(cache, provider.GetRequiredService<IDistributedCache>());

        await provider.DisposeAsync();

        await Assert.ThrowsAsync<ObjectDisposedException>(() => cache.GetAsync("key", TestContext.Current.CancellationToken));
    }

    private IServiceCollection Registered() => new ServiceCollection()
        .AddSingleton<IFileSystem>(_fileSystem)
        .AddDiskDistributedCache(options => options.Directory = CacheDirectory);

    private IHost HostWith(Action<DiskDistributedCacheOptions>? configure, Action<IServiceCollection>? add = null)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        add?.Invoke(builder.Services);
        builder.Services.AddSingleton<IFileSystem>(_fileSystem);
        builder.Services.AddDiskDistributedCache(options => options.Directory = CacheDirectory);
        builder.Services.AddDiskDistributedCache(configure);
        return builder.Build();
    }

    /// <summary>Notes the mode of the cache at the moment at which the services of the host start.</summary>
    private sealed class StatusAtStart(DiskCache cache) : IHostedService
    {
        public DiskCacheMode Mode { get; private set; }

        public Task StartAsync(CancellationToken cancellationToken)
        {
            Mode = cache.GetStatus().Mode;
            return Task.CompletedTask;
        }

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }

    private sealed class ForeignCache : IDistributedCache
    {
        public byte[]? Get(string key) => throw new NotSupportedException();

        public Task<byte[]?> GetAsync(string key, CancellationToken token = default) => throw new NotSupportedException();

        public void Refresh(string key) => throw new NotSupportedException();

        public Task RefreshAsync(string key, CancellationToken token = default) => throw new NotSupportedException();

        public void Remove(string key) => throw new NotSupportedException();

        public Task RemoveAsync(string key, CancellationToken token = default) => throw new NotSupportedException();

        public void Set(string key, byte[] value, DistributedCacheEntryOptions options) => throw new NotSupportedException();

        public Task SetAsync(string key, byte[] value, DistributedCacheEntryOptions options, CancellationToken token = default) =>
            throw new NotSupportedException();
    }
}
