using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.IO.Abstractions;

namespace DiskDistributedCache.Benchmarks;

/// <summary>Opens the cache under measurement and says clearly when it does not get to its disk.</summary>
internal static class OurCache
{
    private static readonly TimeSpan s_openingLimit = TimeSpan.FromSeconds(60);

    public static DiskCache Create(
        DiskDistributedCacheOptions options, IFileSystem? fileSystem = null, IMeterFactory? meters = null) =>
        new(options, fileSystem, meterFactory: meters);

    /// <summary>Makes a cache and waits until its store is open.</summary>
    /// <exception cref="InvalidOperationException">The store was not open in time.</exception>
    public static async Task<DiskCache> OpenAsync(
        DiskDistributedCacheOptions options, IFileSystem? fileSystem = null, IMeterFactory? meters = null)
    {
        var cache = Create(options, fileSystem, meters);

        // The first use opens the store.
        await cache.GetAsync("the store is opened by this");
        long started = Stopwatch.GetTimestamp();
        while (cache.GetStatus() is { Mode: not DiskCacheMode.Normal } status)
        {
            if (Stopwatch.GetElapsedTime(started) > s_openingLimit)
            {
                await cache.DisposeAsync();
                throw new InvalidOperationException(
                    $"The store in '{options.Directory}' is not open after {s_openingLimit.TotalSeconds} s: mode {status.Mode}, "
                    + $"last fault: {status.LastFault ?? "none"}.");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(1));
        }

        return cache;
    }

    /// <summary>Asks for a key that is stored until it is served from the disk.</summary>
    /// <exception cref="InvalidOperationException">It was not served in time.</exception>
    public static async Task WaitUntilServedAsync(DiskCache cache, string key)
    {
        long started = Stopwatch.GetTimestamp();
        while (await cache.GetAsync(key) is null)
        {
            if (Stopwatch.GetElapsedTime(started) > s_openingLimit)
            {
                var status = cache.GetStatus();
                throw new InvalidOperationException(
                    $"A stored key is not served {s_openingLimit.TotalSeconds} s after the cache was made: mode {status.Mode}, "
                    + $"{status.Entries} entries, last fault: {status.LastFault ?? "none"}.");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(1));
        }
    }

    /// <summary>Waits for what the cache does by itself. False when it has not in time.</summary>
    public static async Task<bool> UntilAsync(Func<bool> isSo, TimeSpan limit)
    {
        for (long started = Stopwatch.GetTimestamp(); !isSo();)
        {
            if (Stopwatch.GetElapsedTime(started) > limit)
            {
                return false;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(1));
        }

        return true;
    }

    /// <summary>Fails when the disk was given up on the way: the figures would be those of the memory tier.</summary>
    /// <exception cref="InvalidOperationException">The mode is not normal.</exception>
    public static void CheckIsNormal(DiskCache cache, Action<FormattableString> progress)
    {
        var status = cache.GetStatus();
        if (status.Mode != DiskCacheMode.Normal)
        {
            throw new InvalidOperationException(
                $"The store did not stay open: mode {status.Mode}, last fault: {status.LastFault ?? "none"}.");
        }

        if (status.DiskErrors > 0)
        {
            progress($"our disk tier met {status.DiskErrors} late or failed operations, the last: {status.LastFault ?? "none"}");
        }
    }
}
