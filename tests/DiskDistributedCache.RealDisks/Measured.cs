using System.Collections.Concurrent;
using System.Diagnostics;

namespace DiskDistributedCache.RealDisks;

/// <summary>Times in milliseconds, by what took them.</summary>
internal sealed class Measured
{
    public ConcurrentQueue<double> Memory { get; } = new();

    public ConcurrentQueue<double> Disk { get; } = new();

    public ConcurrentQueue<double> Pool { get; } = new();

    public ConcurrentQueue<double> Waits { get; } = new();

    public ConcurrentQueue<double> Spins { get; } = new();

    public int Threads { get; set; }

    public bool WasGivenUp { get; set; }

    public static void Add(ConcurrentQueue<double> times, long began) => times.Enqueue(Stopwatch.GetElapsedTime(began).TotalMilliseconds);

    public static double Percentile(ConcurrentQueue<double> times, double percent)
    {
        double[] sorted = [.. times.Order()];
        return sorted.Length == 0 ? double.NaN : sorted[Math.Max(0, (int)Math.Ceiling(sorted.Length * percent / 100) - 1)];
    }

    /// <summary>Counts a read to the tier that answered it; one without an answer was the disk's.</summary>
    public async Task TimeReadAsync(Func<Task<bool>> read)
    {
        using var lookup = DiskCacheLookup.Begin();
        long began = Stopwatch.GetTimestamp();
        await read();
        Add(lookup.Tier == DiskCacheTier.Memory ? Memory : Disk, began);
    }

    public void TimeRead(Func<bool> read)
    {
        using var lookup = DiskCacheLookup.Begin();
        long began = Stopwatch.GetTimestamp();
        read();
        Add(lookup.Tier == DiskCacheTier.Memory ? Memory : Disk, began);
    }
}
