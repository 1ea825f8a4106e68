using DiskDistributedCache;
using DiskDistributedCache.AspNetCore;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Encrypts what the caches of an application write to disk.</summary>
public static class DiskCacheDataProtectionServiceCollectionExtensions
{
    /// <summary>
    /// Encrypts the values that a <see cref="DiskCache"/> writes to disk, with ASP.NET Core Data Protection. Keys and tags stay in clear
    /// text. Adds Data Protection where the application has not; where its keys are kept is set as for everything else, for example with
    /// <c>AddDataProtection().PersistKeysToFileSystem(...)</c>. Keys that do not outlive the process mean an empty cache at every start.
    /// </summary>
    /// <remarks>
    /// Calls <see cref="DiskDistributedCacheOptions.UseProtector"/>, unless the application has done that, also with <see langword="null"/>. A value whose key is
    /// gone is a miss; while the keys cannot be had, values stay in memory and out of the disk. The order of this call and of those
    /// that register caches does not matter.
    /// </remarks>
    /// <param name="services">The services of the application.</param>
    /// <param name="name">
    /// The name of the options of the cache that is meant: the key of a keyed cache, or the empty text for the one without a key.
    /// Default, <see langword="null"/>: all caches.
    /// </param>
    /// <returns><paramref name="services"/>.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="services"/> is <see langword="null"/>.</exception>
    public static IServiceCollection AddDiskCacheDataProtection(this IServiceCollection services, string? name = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.AddDataProtection();
        return services.AddSingleton<IPostConfigureOptions<DiskDistributedCacheOptions>>(provider =>
            new PostConfigureOptions<DiskDistributedCacheOptions, IDataProtectionProvider>(
                name,
                provider.GetRequiredService<IDataProtectionProvider>(),
                static (options, dataProtection) =>
                {
                    if (!options.HasChosenProtector)
                    {
                        options.UseProtector(new DataProtectionProtector(dataProtection));
                    }
                }));
    }
}
