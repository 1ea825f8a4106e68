using System.Diagnostics;

namespace DiskDistributedCache.RealDisks;

/// <summary>What all scenarios share: a cache with short periods, waiting for what it does by itself, and calls of the shell.</summary>
internal static class Scene
{
    private const string WitnessDirectory = "/dev/shm/diskcache-real-disks";

    /// <summary>A cache on a disk, with all that repeats made short. The long timeout: a machine that is busy with other work is not a sick disk.</summary>
    public static DiskDistributedCacheOptions Options(string directory) => new()
    {
        Directory = Path.Combine(directory, "cache"),
        WitnessDirectory = Directory.CreateDirectory(WitnessDirectory).FullName,
        MaxDiskBytes = 4 << 20,
        SegmentBytes = 256 << 10,
        MinFreeDiskBytes = 256 << 10,
        MaxMemoryBytes = 2 << 20,
        IoTimeout = TimeSpan.FromMilliseconds(900),
        BreakDuration = TimeSpan.FromSeconds(1),
        HealthCheckInterval = TimeSpan.FromSeconds(1),
        RecoveryInterval = TimeSpan.FromSeconds(1),
        HeartbeatInterval = TimeSpan.FromMilliseconds(200),
    };

    public static async Task<DiskCache> OpenAsync(DiskDistributedCacheOptions options, OpeningLog? log = null)
    {
        var cache = new DiskCache(options, loggerFactory: log);
        await cache.GetAsync("the first use opens it");
        await UntilAsync(() => cache.GetStatus().Mode == DiskCacheMode.Normal);
        return cache;
    }

    /// <summary>Waits for what the cache does by itself. False when it has not after this many seconds.</summary>
    public static async Task<bool> UntilAsync(Func<bool> isSo, int seconds = 15)
    {
        var waited = Stopwatch.StartNew();
        while (!isSo())
        {
            if (waited.Elapsed.TotalSeconds > seconds)
            {
                return false;
            }

            await Task.Delay(20);
        }

        return true;
    }

    /// <summary>Normal again, everything written, and the disk found healthy.</summary>
    public static Task<bool> HealedAsync(DiskCache cache) => UntilAsync(
        () => cache.GetStatus() is { Mode: DiskCacheMode.Normal, OwedWrites: 0, DiskHealth: DiskHealthState.Healthy });

    public static string Describe(DiskCache cache)
    {
        var status = cache.GetStatus();
        return $"mode {status.Mode}, {status.OwedWrites} owed, disk {status.DiskHealth}, {status.DiskErrors} errors, last fault: {status.LastFault ?? "none"}";
    }

    public static async Task ShellAsync(string command)
    {
        using var process = Process.Start("bash", ["-c", command]);
        await process.WaitForExitAsync();
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"'{command}' ended with {process.ExitCode}.");
        }
    }
}
