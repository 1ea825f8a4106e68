using DiskDistributedCache;
using DiskDistributedCache.Health;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers the health check of the persistent cache.</summary>
public static class DiskDistributedCacheHealthChecksBuilderExtensions
{
    /// <summary>The name of the health check where none is given.</summary>
    private const string DefaultName = "diskdistributedcache";

    /// <summary>
    /// Adds a health check that tells what the registered <see cref="DiskCache"/> does with its disk. It touches no file and never
    /// waits for the disk; its data are the numbers of <see cref="DiskCache.GetStatus"/>.
    /// </summary>
    /// <remarks>
    /// The disk in use is <see cref="HealthStatus.Healthy"/>. Anything else is <see cref="HealthStatus.Degraded"/>, because the
    /// application goes on working from memory: a probe that found something wrong, and every mode in which the disk is not used,
    /// the start included. A cache that has been disposed of is <see cref="HealthStatus.Unhealthy"/>.
    /// </remarks>
    /// <param name="builder">The health checks of the application.</param>
    /// <param name="name">The name of the check. Default: <c>diskdistributedcache</c>.</param>
    /// <param name="failureStatus">
    /// What is reported while the disk is not used, and after disposal, in place of the above; a disk in use is not concerned. With
    /// <see cref="HealthStatus.Unhealthy"/>, an instance that has lost its disk can be taken out of service.
    /// </param>
    /// <param name="tags">Tags for choosing checks.</param>
    /// <param name="timeout">How long the check may take. Default: without limit.</param>
    /// <returns><paramref name="builder"/>.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="builder"/> is <see langword="null"/>.</exception>
    public static IHealthChecksBuilder AddDiskDistributedCache(
        this IHealthChecksBuilder builder,
        string? name = null,
        HealthStatus? failureStatus = null,
        IEnumerable<string>? tags = null,
        TimeSpan? timeout = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.Add(new HealthCheckRegistration(
            name ?? DefaultName,
            services => new DiskCacheHealthCheck(services.GetRequiredService<DiskCache>().GetStatus, failureStatus),
            failureStatus,
            tags,
            timeout));
    }

    /// <summary>
    /// Adds a health check for a cache that was registered under a key
    /// (<see cref="DiskDistributedCacheServiceCollectionExtensions.AddKeyedDiskDistributedCache"/>).
    /// </summary>
    /// <inheritdoc cref="AddDiskDistributedCache"/>
    /// <param name="builder">The health checks of the application.</param>
    /// <param name="serviceKey">The key of the cache.</param>
    /// <param name="name">The name of the check. Default: <c>diskdistributedcache:</c> and the text of the key.</param>
    /// <param name="failureStatus">
    /// What is reported while the disk is not used, and after disposal, in place of the above; a disk in use is not concerned.
    /// </param>
    /// <param name="tags">Tags for choosing checks.</param>
    /// <param name="timeout">How long the check may take. Default: without limit.</param>
    /// <exception cref="ArgumentNullException"><paramref name="builder"/> or <paramref name="serviceKey"/> is <see langword="null"/>.</exception>
    public static IHealthChecksBuilder AddKeyedDiskDistributedCache(
        this IHealthChecksBuilder builder,
        object serviceKey,
        string? name = null,
        HealthStatus? failureStatus = null,
        IEnumerable<string>? tags = null,
        TimeSpan? timeout = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(serviceKey);
        return builder.Add(new HealthCheckRegistration(
            name ?? $"{DefaultName}:{serviceKey}",
            services => new DiskCacheHealthCheck(services.GetRequiredKeyedService<DiskCache>(serviceKey).GetStatus, failureStatus),
            failureStatus,
            tags,
            timeout));
    }
}
