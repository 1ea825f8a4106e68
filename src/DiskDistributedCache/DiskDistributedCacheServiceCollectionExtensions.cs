using System.Diagnostics.Metrics;
using System.IO.Abstractions;
using DiskDistributedCache;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers the persistent cache.</summary>
public static class DiskDistributedCacheServiceCollectionExtensions
{
    // Kept as delegates, so that a second call recognizes what the first one registered.
    private static readonly Func<IServiceProvider, object> s_createCache =
        services => CreateCache(services, services.GetRequiredService<IOptions<DiskDistributedCacheOptions>>());
    private static readonly Func<IServiceProvider, object> s_findCache = services => services.GetRequiredService<DiskCache>();
    private static readonly Func<IServiceProvider, object?, object> s_createKeyedCache =
        (services, key) => CreateCache(services, services.GetRequiredService<IOptionsMonitor<DiskDistributedCacheOptions>>().Get(NameOf(key!)));
    private static readonly Func<IServiceProvider, object?, object> s_findKeyedCache =
        (services, key) => services.GetRequiredKeyedService<DiskCache>(key);

    /// <summary>
    /// Registers <see cref="DiskCache"/> and makes it the application's <see cref="IDistributedCache"/>, whatever was
    /// registered before. Further calls only add settings.
    /// </summary>
    /// <remarks>
    /// The configuration section <see cref="DiskDistributedCacheOptions.SectionName"/> is bound first, then
    /// <paramref name="configure"/> runs. Invalid settings, and unknown ones in the section, stop the host from starting; without a
    /// host, they fail the creation of the cache. An <see cref="IFileSystem"/>, a <see cref="TimeProvider"/>, an
    /// <see cref="ILoggerFactory"/> and an <see cref="IMeterFactory"/> from the container are used where they are registered.
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

    /// <summary>
    /// Registers a further <see cref="DiskCache"/> under a key, also as the <see cref="IDistributedCache"/> of that key, with settings,
    /// directory and budgets of its own. Further calls with the same key only add settings.
    /// </summary>
    /// <remarks>
    /// <para>
    /// The text of the key names the cache: its options (<see cref="IOptionsMonitor{TOptions}.Get"/>), its section of the
    /// configuration, its folder, its log category (<c>DiskDistributedCache.name</c>) and its attribute <c>diskcache.name</c> in metrics.
    /// </para>
    /// <para>
    /// The section <see cref="DiskDistributedCacheOptions.SectionName"/> is bound first, without
    /// <see cref="DiskDistributedCacheOptions.Directory"/>, then the section of that name inside it, then <paramref name="configure"/>
    /// runs. What <see cref="AddDiskDistributedCache"/> sets in code is the default cache's alone. Without a setting, the directory is
    /// a folder with the name of the cache inside the directory of the default cache, whether or not that is registered. Two caches with
    /// the same directory stop the host from starting, as invalid and unknown settings do; without a host, they fail the creation of the
    /// second.
    /// </para>
    /// </remarks>
    /// <param name="services">The services of the application.</param>
    /// <param name="serviceKey">The key of the service: a text, an enumeration value, or anything else with a text that is its own.</param>
    /// <param name="configure">Changes the settings; may be <see langword="null"/>.</param>
    /// <returns><paramref name="services"/>.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="services"/> or <paramref name="serviceKey"/> is <see langword="null"/>.</exception>
    /// <exception cref="ArgumentException">
    /// The text of the key is empty, or the name of a setting, or but for case the text of another key; or the key is
    /// <see cref="KeyedService.AnyKey"/>.
    /// </exception>
    public static IServiceCollection AddKeyedDiskDistributedCache(
        this IServiceCollection services,
        object serviceKey,
        Action<DiskDistributedCacheOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(serviceKey);
        string name = NameOf(serviceKey);
        ThrowIfUnfit(services, serviceKey, name);
        if (Register(services, new DiskCacheRegistration(serviceKey, name)))
        {
            services.Add(ServiceDescriptor.KeyedSingleton(typeof(DiskCache), serviceKey, s_createKeyedCache));
        }

        if (services.LastOrDefault(service => IsDistributedCache(service, serviceKey))?.KeyedImplementationFactory != s_findKeyedCache)
        {
            services.Add(ServiceDescriptor.KeyedSingleton(typeof(IDistributedCache), serviceKey, s_findKeyedCache));
        }

        return configure is null ? services : services.Configure(name, configure);
    }

    /// <summary>Registers the cache itself, its settings and its hosted service, under no interface of the platform.</summary>
    internal static void AddDiskCache(IServiceCollection services, Action<DiskDistributedCacheOptions>? configure)
    {
        if (Register(services, DiskCacheRegistration.Default))
        {
            services.Add(ServiceDescriptor.Singleton(typeof(DiskCache), s_createCache));
        }

        if (configure is not null)
        {
            services.Configure(configure);
        }
    }

    /// <summary>
    /// Adds a cache to those of the application, with its options; the first one brings what serves all. False where it is there already.
    /// </summary>
    private static bool Register(IServiceCollection services, DiskCacheRegistration registration)
    {
        if (RegistrationsIn(services).Any(each => each.Name == registration.Name))
        {
            return false;
        }

        services.AddSingleton(registration);
        services.AddHostedService<DiskCacheHostedService>();
        services.TryAddEnumerable(
        [
            ServiceDescriptor.Singleton<IConfigureOptions<DiskDistributedCacheOptions>, DiskCacheSettings>(),
            ServiceDescriptor.Singleton<IPostConfigureOptions<DiskDistributedCacheOptions>, DiskCacheDirectories>(),
            ServiceDescriptor.Singleton<IValidateOptions<DiskDistributedCacheOptions>, DiskCacheSettings>(),
            ServiceDescriptor.Singleton<IValidateOptions<DiskDistributedCacheOptions>, DiskDistributedCacheOptionsValidator>(),
            ServiceDescriptor.Singleton<IValidateOptions<DiskDistributedCacheOptions>, DiskCacheDirectories>(),
        ]);
        services.AddOptions<DiskDistributedCacheOptions>(registration.Name).ValidateOnStart();
        return true;
    }

    private static IEnumerable<DiskCacheRegistration> RegistrationsIn(IServiceCollection services) => services
        .Where(service => service.ServiceType == typeof(DiskCacheRegistration))
        .Select(service => (DiskCacheRegistration)service.ImplementationInstance!);

    private static void ThrowIfUnfit(IServiceCollection services, object serviceKey, string name)
    {
        if (serviceKey == KeyedService.AnyKey || string.IsNullOrWhiteSpace(name))
        {
            throw new ArgumentException("The key of a cache has to have a text: it names its settings and its folder.", nameof(serviceKey));
        }

        if (DiskCacheSettings.IsSetting(name))
        {
            throw new ArgumentException(
                $"The key '{name}' is the name of a setting: the section '{DiskCacheRegistration.SectionOf(name)}' would be both. "
                + "Choose another key.",
                nameof(serviceKey));
        }

        if (RegistrationsIn(services).FirstOrDefault(each => each.Name.Equals(name, StringComparison.OrdinalIgnoreCase)) is { } other
            && !serviceKey.Equals(other.Key))
        {
            throw new ArgumentException(
                $"The key '{name}' ({serviceKey.GetType()}) would share settings and folder with the key '{other.Name}' ({other.Key?.GetType()}) of "
                + "another cache: names are told apart by their text, whatever its case. Choose another key.",
                nameof(serviceKey));
        }
    }

    private static string NameOf(object serviceKey) => serviceKey.ToString() ?? "";

    private static bool IsDistributedCache(ServiceDescriptor service) =>
        service.ServiceType == typeof(IDistributedCache) && !service.IsKeyedService;

    private static bool IsDistributedCache(ServiceDescriptor service, object key) =>
        service.ServiceType == typeof(IDistributedCache) && service.IsKeyedService && key.Equals(service.ServiceKey);

    private static DiskCache CreateCache(IServiceProvider services, IOptions<DiskDistributedCacheOptions> options) => new(
        options,
        services.GetService<IFileSystem>(),
        services.GetService<TimeProvider>(),
        services.GetService<ILoggerFactory>(),
        services.GetService<IMeterFactory>());
}
