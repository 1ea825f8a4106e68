using System.Diagnostics.Metrics;
using System.IO.Abstractions;
using DiskDistributedCache;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers the persistent cache.</summary>
public static class DiskDistributedCacheServiceCollectionExtensions
{
    // Kept as delegates, so that a second call recognizes what the first one registered.
    private static readonly Func<IServiceProvider, object> s_createCache = CreateCache;
    private static readonly Func<IServiceProvider, object> s_findCache = services => services.GetRequiredService<DiskCache>();

    /// <summary>
    /// Registers <see cref="DiskCache"/> and makes it the application's <see cref="IDistributedCache"/>, whatever was
    /// registered before. Further calls only add settings.
    /// </summary>
    /// <remarks>
    /// The configuration section <see cref="DiskDistributedCacheOptions.SectionName"/> is bound first, then
    /// <paramref name="configure"/> runs. Invalid settings stop the host from starting; without a host, they fail the
    /// creation of the cache. An <see cref="IFileSystem"/>, a <see cref="TimeProvider"/>, an <see cref="ILoggerFactory"/> and an
    /// <see cref="IMeterFactory"/> from the container are used where they are registered.
    /// </remarks>
    /// <param name="services">The services of the application.</param>
    /// <param name="configure">Changes the settings; may be <see langword="null"/>.</param>
    /// <returns><paramref name="services"/>.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="services"/> is <see langword="null"/>.</exception>
    public static IServiceCollection AddDiskDistributedCache(
        this IServiceCollection services,
        Action<DiskDistributedCacheOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        AddDiskCache(services, configure);

        // Add and not TryAdd: the view features of MVC register a memory cache, often before us. The last one wins.
        if (services.LastOrDefault(IsDistributedCache)?.ImplementationFactory != s_findCache)
        {
            services.Add(ServiceDescriptor.Singleton(typeof(IDistributedCache), s_findCache));
        }

        return services;
    }

    /// <summary>Registers the cache itself, its settings and its hosted service, under no interface of the platform.</summary>
    internal static void AddDiskCache(IServiceCollection services, Action<DiskDistributedCacheOptions>? configure)
    {
        if (!services.Any(service => service.ServiceType == typeof(DiskCache)))
        {
            services.Add(ServiceDescriptor.Singleton(typeof(DiskCache), s_createCache));
            services.AddHostedService<DiskCacheHostedService>();
            services.TryAddEnumerable(
                ServiceDescriptor.Singleton<IValidateOptions<DiskDistributedCacheOptions>, DiskDistributedCacheOptionsValidator>());
            services.AddOptions<DiskDistributedCacheOptions>()
                .Configure<IServiceProvider>(BindSection)
                .PostConfigure<IServiceProvider>(ChooseDirectory)
                .ValidateOnStart();
        }

        if (configure is not null)
        {
            services.Configure(configure);
        }
    }

    private static bool IsDistributedCache(ServiceDescriptor service) =>
        service.ServiceType == typeof(IDistributedCache) && !service.IsKeyedService;

    private static DiskCache CreateCache(IServiceProvider services) => new(
        services.GetRequiredService<IOptions<DiskDistributedCacheOptions>>(),
        services.GetService<IFileSystem>(),
        services.GetService<TimeProvider>(),
        services.GetService<ILoggerFactory>(),
        services.GetService<IMeterFactory>());

    private static void BindSection(DiskDistributedCacheOptions options, IServiceProvider services) =>
        services.GetService<IConfiguration>()?.GetSection(DiskDistributedCacheOptions.SectionName).Bind(options);

    private static void ChooseDirectory(DiskDistributedCacheOptions options, IServiceProvider services)
    {
        var host = services.GetService<IHostEnvironment>();
        options.Directory ??= DefaultDirectory.Find(host?.ApplicationName, host?.ContentRootPath);
    }
}
