using Microsoft.Extensions.Hosting;

namespace DiskDistributedCache;

/// <summary>
/// Opens the store before the services of the host start, so that a healthy one serves from the first request, and has
/// written what is under way when they have stopped. It does not close the cache: other services may use it until the
/// container is disposed of, and that closes it. A store that does not open in time goes on opening while the cache works
/// from memory, so a sick disk cannot keep an application from starting.
/// </summary>
internal sealed class DiskCacheHostedService(DiskCache cache) : IHostedLifecycleService
{
    private static readonly TimeSpan s_longestWait = TimeSpan.FromSeconds(2);

    public async Task StartingAsync(CancellationToken cancellationToken) =>
        await cache.StartAsync().WaitAsync(s_longestWait, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async Task StoppedAsync(CancellationToken cancellationToken) =>
        await cache.DrainAsync().WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
}
