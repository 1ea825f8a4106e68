using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace DiskDistributedCache;

/// <summary>
/// Opens the stores of all caches before the services of the host start, so that a healthy one serves from the first request, and has
/// written what is under way when they have stopped. It does not close a cache: other services may use it until the
/// container is disposed of, and that closes it. A store that does not open in time goes on opening while the cache works
/// from memory, so a sick disk cannot keep an application from starting, and several sick ones delay it no more than one.
/// </summary>
internal sealed class DiskCacheHostedService(IServiceProvider services, IEnumerable<DiskCacheRegistration> registrations)
    : IHostedLifecycleService
{
    private static readonly TimeSpan s_longestWait = TimeSpan.FromSeconds(2);

    private DiskCache[] _caches = [];

    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        _caches = registrations.Select(Find).OfType<DiskCache>().ToArray();
        await Task.WhenAll(_caches.Select(cache => cache.StartAsync()))
            .WaitAsync(s_longestWait, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async Task StoppedAsync(CancellationToken cancellationToken) =>
        await Task.WhenAll(_caches.Select(cache => cache.DrainAsync()))
            .WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

    /// <summary>None where it has been taken out of the container again, as a test of the application may do.</summary>
    private DiskCache? Find(DiskCacheRegistration registration) => registration.Key is { } key
        ? services.GetKeyedService<DiskCache>(key)
        : services.GetService<DiskCache>();
}
