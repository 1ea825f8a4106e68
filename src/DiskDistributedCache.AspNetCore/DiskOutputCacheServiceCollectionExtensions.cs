using DiskDistributedCache;
using DiskDistributedCache.AspNetCore;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.OutputCaching;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers the persistent output-cache store.</summary>
public static class DiskOutputCacheServiceCollectionExtensions
{
    private static readonly Func<IServiceProvider, object> s_createStore =
        services => new DiskOutputCacheStore(services.GetRequiredService<DiskCache>(), services.GetService<IHttpContextAccessor>());

    /// <summary>
    /// Adds output caching and keeps the responses in a <see cref="DiskCache"/>, over restarts too, whatever store was
    /// registered before. The application still calls <c>UseOutputCache</c>. Further calls only add settings.
    /// </summary>
    /// <remarks>
    /// The cache is the one of
    /// <see cref="DiskDistributedCacheServiceCollectionExtensions.AddDiskDistributedCache"/>, with the same settings; the two
    /// may be called in any order. Without that call the cache does not become the application's distributed cache.
    /// Evicting a tag evicts responses and the data that carry it alike.
    ///
    /// Registers <see cref="IHttpContextAccessor"/>, and a base policy that decides nothing but notes when each request began: a response whose
    /// tag is evicted while it is made is not stored. A store that is called outside of a request knows no such moment.
    /// </remarks>
    /// <param name="services">The services of the application.</param>
    /// <param name="configure">Changes the settings; may be <see langword="null"/>.</param>
    /// <returns><paramref name="services"/>.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="services"/> is <see langword="null"/>.</exception>
    public static IServiceCollection AddDiskOutputCache(
        this IServiceCollection services,
        Action<DiskDistributedCacheOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        DiskDistributedCacheServiceCollectionExtensions.AddDiskCache(services, configure);

        // Add and not TryAdd: the platform's own store may be there already. The last one wins.
        if (services.LastOrDefault(IsStore)?.ImplementationFactory != s_createStore)
        {
            services.Add(ServiceDescriptor.Singleton(typeof(IOutputCacheStore), s_createStore));
        }

        services.AddHttpContextAccessor();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IConfigureOptions<OutputCacheOptions>, AddRenderTickets>());

        return services.AddOutputCache();
    }

    /// <summary>Puts the policy before those that the application adds after the cache. One that was there earlier runs earlier.</summary>
    private sealed class AddRenderTickets(DiskCache cache) : IConfigureOptions<OutputCacheOptions>
    {
        public void Configure(OutputCacheOptions options) => options.AddBasePolicy(new RenderTicketPolicy(cache));
    }

    private static bool IsStore(ServiceDescriptor service) =>
        service.ServiceType == typeof(IOutputCacheStore) && !service.IsKeyedService;
}
