using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.IO.Abstractions;
using System.IO.Abstractions.TestingHelpers;
using DiskDistributedCache.Tests.Infrastructure;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace DiskDistributedCache.Tests;

/// <summary>Several caches in one container. No file of the real file system is touched.</summary>
public sealed class KeyedRegistrationTests
{
    private readonly MockFileSystem _fileSystem = new();

    private enum Shelf
    {
        Images,
        Thumbnails,
    }

    private string CacheDirectory => _fileSystem.Path.GetFullPath("cache");

    [Fact]
    public async Task Each_key_has_a_cache_of_its_own_under_both_of_its_types()
    {
        await using var services = Registered().AddKeyedDiskDistributedCache("images").AddKeyedDiskDistributedCache(Shelf.Thumbnails)
            .BuildServiceProvider(new ServiceProviderOptions { ValidateOnBuild = true, ValidateScopes = true });

        var plain = services.GetRequiredService<IDistributedCache>();
        var images = services.GetRequiredKeyedService<IDistributedCache>("images");
        var thumbnails = services.GetRequiredKeyedService<IDistributedCache>(Shelf.Thumbnails);
        plain.Set("key", [1], new DistributedCacheEntryOptions());
        images.Set("key", [2], new DistributedCacheEntryOptions());

        Assert.Same(services.GetRequiredKeyedService<DiskCache>("images"), images);
        Assert.IsType<IBufferDistributedCache>(images, exactMatch: false);
        Assert.Equal([1], plain.Get("key"));
        Assert.Equal([2], images.Get("key"));
        Assert.Null(thumbnails.Get("key"));
    }

    [Fact]
    public async Task A_keyed_cache_alone_registers_no_cache_without_a_key()
    {
        await using var services = new ServiceCollection().AddKeyedDiskDistributedCache("images").BuildServiceProvider();

        Assert.Null(services.GetService<IDistributedCache>());
        Assert.Null(services.GetService<DiskCache>());
        Assert.Null(services.GetKeyedService<DiskCache>("other"));
    }

    [Fact]
    public async Task A_cache_without_a_key_is_registered_after_a_keyed_one_as_well()
    {
        await using var services = new ServiceCollection().AddSingleton<IFileSystem>(_fileSystem)
            .AddKeyedDiskDistributedCache("images", options => options.Directory = _fileSystem.Path.GetFullPath("images"))
            .AddDiskDistributedCache(options => options.Directory = CacheDirectory)
            .BuildServiceProvider();

        Assert.NotSame(services.GetRequiredService<DiskCache>(), services.GetRequiredKeyedService<DiskCache>("images"));
    }

    [Fact]
    public async Task A_second_call_with_a_key_adds_settings_and_nothing_else()
    {
        var services = Registered().AddKeyedDiskDistributedCache("images");
        int count = services.Count;

        services.AddKeyedDiskDistributedCache("images", options => options.MaxEntries = 77);

        Assert.Equal(count + 1, services.Count);
        await using var provider = services.BuildServiceProvider();
        Assert.Equal(77, Options(provider, "images").MaxEntries);
        Assert.Equal(2_000_000, Options(provider, "").MaxEntries);
    }

    [Fact]
    public async Task The_last_cache_of_a_key_wins()
    {
        var services = Registered();
        services.AddKeyedSingleton<IDistributedCache>("images", (_, _) => throw new NotSupportedException());
        services.AddKeyedDiskDistributedCache("images");
        services.TryAddKeyedSingleton<IDistributedCache>("images", (_, _) => throw new NotSupportedException());

        await using var provider = services.BuildServiceProvider();

        Assert.IsType<DiskCache>(provider.GetRequiredKeyedService<IDistributedCache>("images"));
    }

    [Fact]
    public void A_key_that_could_not_name_a_cache_is_refused()
    {
        var services = Registered().AddKeyedDiskDistributedCache("images");

        Assert.Throws<ArgumentNullException>("serviceKey", () => services.AddKeyedDiskDistributedCache(null!));
        Assert.Throws<ArgumentException>("serviceKey", () => services.AddKeyedDiskDistributedCache(" "));
        Assert.Throws<ArgumentException>("serviceKey", () => services.AddKeyedDiskDistributedCache(KeyedService.AnyKey));
        Assert.Contains("name of a setting", Refusal("maxDiskBytes"), StringComparison.Ordinal);
        Assert.Contains("'Images' (System.String) would share", Refusal("Images"), StringComparison.Ordinal);
        Assert.Contains("Shelf", Refusal(Shelf.Images), StringComparison.Ordinal);

        string Refusal(object key) =>
            Assert.Throws<ArgumentException>("serviceKey", () => services.AddKeyedDiskDistributedCache(key)).Message;
    }

    [Fact]
    public async Task Without_a_setting_each_cache_has_a_folder_inside_the_directory_of_the_default_one()
    {
        await using var services = Registered().AddKeyedDiskDistributedCache("images").AddKeyedDiskDistributedCache("a/../b")
            .AddKeyedDiskDistributedCache("a_.._b").BuildServiceProvider();

        string odd = Options(services, "a/../b").Directory!;
        Assert.Equal(_fileSystem.Path.Combine(CacheDirectory, "images"), Options(services, "images").Directory);
        Assert.Equal(_fileSystem.Path.Combine(CacheDirectory, "a_.._b"), Options(services, "a_.._b").Directory);
        Assert.Equal(CacheDirectory, _fileSystem.Path.GetDirectoryName(odd));
        Assert.Matches("cache-a_.._b-[0-9a-f]{8}$", odd);
    }

    // Seen to fail with the registration of DiskCacheDirectories as a validator taken out: the host starts, and one of the two has no disk.
    [Fact]
    public async Task Two_caches_in_one_directory_stop_the_host_from_starting_and_both_are_named()
    {
        using var host = HostWith(services => services
            .AddKeyedDiskDistributedCache("images", options => options.Directory = _fileSystem.Path.Combine(CacheDirectory, "x"))
            .AddKeyedDiskDistributedCache("thumbs", options => options.Directory = _fileSystem.Path.Combine(CacheDirectory, "y", "..", "x") + "/"));

        var refusal = await Assert.ThrowsAsync<OptionsValidationException>(() => host.StartAsync(TestContext.Current.CancellationToken));

        Assert.Contains("'images'", refusal.Message, StringComparison.Ordinal);
        Assert.Contains("'thumbs'", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_a_host_the_second_cache_in_a_directory_is_not_created()
    {
        await using var services = Registered()
            .AddKeyedDiskDistributedCache("images", options => options.Directory = CacheDirectory).BuildServiceProvider();
        services.GetRequiredService<DiskCache>();

        var refusal = Assert.Throws<OptionsValidationException>(() => services.GetRequiredKeyedService<IDistributedCache>("images"));

        Assert.Contains("the default cache", refusal.Message, StringComparison.Ordinal);
        Assert.Contains("'images'", refusal.Message, StringComparison.Ordinal);
        Assert.Throws<OptionsValidationException>(() => services.GetRequiredKeyedService<IDistributedCache>("images"));
    }

    [Fact]
    public async Task A_mistake_is_reported_with_the_section_of_the_cache()
    {
        using var host = HostWith(services => services.AddKeyedDiskDistributedCache("images", options => options.MaxDiskBytes = 5));

        var refusal = await Assert.ThrowsAsync<OptionsValidationException>(() => host.StartAsync(TestContext.Current.CancellationToken));

        Assert.StartsWith("DiskDistributedCache:images: MaxDiskBytes is 5", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_mistake_in_the_settings_of_the_default_cache_does_not_hide_those_of_a_keyed_one()
    {
        await using var services = Registered().AddDiskDistributedCache(options => options.MaxDiskBytes = 5)
            .AddKeyedDiskDistributedCache("images").BuildServiceProvider();

        Assert.Throws<OptionsValidationException>(() => services.GetRequiredService<DiskCache>());
        Assert.EndsWith("images", Options(services, "images").Directory, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_host_opens_every_store_before_its_services_start_and_the_container_closes_them()
    {
        using var host = HostWith(services => services.AddKeyedDiskDistributedCache("images").AddKeyedDiskDistributedCache("thumbs"));
        var caches = new[] { Cache(host, null), Cache(host, "images"), Cache(host, "thumbs") };

        await host.StartAsync(TestContext.Current.CancellationToken);
        Assert.All(caches, cache => Assert.Equal(DiskCacheMode.Normal, cache.GetStatus().Mode));
        Assert.True(_fileSystem.Directory.Exists(_fileSystem.Path.Combine(CacheDirectory, "images", "diskcache-v1")));

        await host.StopAsync(TestContext.Current.CancellationToken);
        host.Dispose();
        Assert.All(caches, cache => Assert.Equal(DiskCacheMode.Closed, cache.GetStatus().Mode));
    }

    [Fact]
    public async Task A_registration_that_was_taken_out_again_does_not_keep_the_host_from_starting()
    {
        using var host = HostWith(services => services.AddKeyedDiskDistributedCache("images").RemoveAllKeyed<DiskCache>("images"));

        await host.StartAsync(TestContext.Current.CancellationToken);

        Assert.Equal(DiskCacheMode.Normal, Cache(host, null).GetStatus().Mode);
    }

    [Fact]
    public async Task A_keyed_cache_is_told_apart_in_metrics_and_logs()
    {
        var log = new Categories();
        var names = new ConcurrentBag<object?>();
        using var listener = new MeterListener();
        using var host = HostWith(services => services.AddSingleton<ILoggerFactory>(log).AddKeyedDiskDistributedCache("images"));
        var meters = host.Services.GetRequiredService<IMeterFactory>();
        listener.InstrumentPublished = (instrument, self) =>
        {
            if (instrument.Name == "diskcache.disk.entry.count" && instrument.Meter.Scope == meters)
            {
                self.EnableMeasurementEvents(instrument);
            }
        };
        listener.SetMeasurementEventCallback<long>(
            (_, _, tags, _) => names.Add(tags.ToArray().SingleOrDefault(tag => tag.Key == "diskcache.name").Value));
        listener.Start();

        await host.StartAsync(TestContext.Current.CancellationToken);
        listener.RecordObservableInstruments();

        Assert.Equal(["Default", "images"], names.Order());
        Assert.Contains("DiskDistributedCache", log.Written);
        Assert.Contains("DiskDistributedCache.images", log.Written);
    }

    [Fact]
    public async Task Each_cache_can_have_a_health_check()
    {
        using var host = HostWith(services => services.AddKeyedDiskDistributedCache("images").AddHealthChecks()
            .AddDiskDistributedCache()
            .AddKeyedDiskDistributedCache("images")
            .AddKeyedDiskDistributedCache("images", "named", HealthStatus.Unhealthy));
        await host.StartAsync(TestContext.Current.CancellationToken);
        Cache(host, "images").Dispose();

        var report = await host.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync(TestContext.Current.CancellationToken);

        Assert.Equal(HealthStatus.Healthy, report.Entries["diskdistributedcache"].Status);
        Assert.Equal(HealthStatus.Unhealthy, report.Entries["diskdistributedcache:images"].Status);
        Assert.Equal(HealthStatus.Unhealthy, report.Entries["named"].Status);
        Assert.Throws<ArgumentNullException>("serviceKey", () => new ServiceCollection().AddHealthChecks().AddKeyedDiskDistributedCache(null!));
    }

    [Fact]
    public async Task The_file_system_and_the_clock_of_the_container_are_used()
    {
        var clock = new TestClock();
        await using var services = Registered().AddSingleton<TimeProvider>(clock).AddKeyedDiskDistributedCache("images").BuildServiceProvider();
        var cache = services.GetRequiredKeyedService<IDistributedCache>("images");

        cache.Set("key", [1], new DistributedCacheEntryOptions { AbsoluteExpirationRelativeToNow = TimeSpan.FromMinutes(1) });
        Assert.NotNull(cache.Get("key"));
        Assert.True(_fileSystem.Directory.Exists(_fileSystem.Path.Combine(CacheDirectory, "images")));

        clock.Advance(TimeSpan.FromMinutes(1));
        Assert.Null(cache.Get("key"));
    }

    private static DiskDistributedCacheOptions Options(IServiceProvider services, string name) =>
        services.GetRequiredService<IOptionsMonitor<DiskDistributedCacheOptions>>().Get(name);

    private static DiskCache Cache(IHost host, object? key) =>
        key is null ? host.Services.GetRequiredService<DiskCache>() : host.Services.GetRequiredKeyedService<DiskCache>(key);

    private IServiceCollection Registered() => new ServiceCollection()
        .AddSingleton<IFileSystem>(_fileSystem)
        .AddDiskDistributedCache(options => options.Directory = CacheDirectory);

    private IHost HostWith(Action<IServiceCollection> add)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Services.AddSingleton<IFileSystem>(_fileSystem);
        builder.Services.AddDiskDistributedCache(options => options.Directory = CacheDirectory);
        add(builder.Services);
        return builder.Build();
    }

    /// <summary>Notes the categories to which something was written.</summary>
    private sealed class Categories : ILoggerFactory
    {
        private readonly ConcurrentDictionary<string, bool> _written = new();

        public IEnumerable<string> Written => _written.Keys;

        public ILogger CreateLogger(string categoryName) => new Logger(this, categoryName);

        public void AddProvider(ILoggerProvider provider)
        {
            // It is the only one.
        }

        public void Dispose()
        {
            // Nothing is held.
        }

        private sealed class Logger(Categories categories, string category) : ILogger
        {
            public IDisposable? BeginScope<TState>(TState state)
                where TState : notnull => NullLogger.Instance.BeginScope(state);

            public bool IsEnabled(LogLevel logLevel) => true;

            public void Log<TState>(
                LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
                categories._written[category] = true;
        }
    }
}
