using System.Globalization;
using Microsoft.Extensions.Caching.Distributed;

namespace DiskDistributedCache.Benchmarks;

/// <summary>
/// What an entry on disk takes of memory, as the operating system sees it. A process of its own (this program once more, with the command <c>weigh</c>) opens an
/// empty store without a memory tier, stores a few entries, so that code is compiled and buffers are there, and is weighed; it stores the others, and is weighed again.
/// </summary>
internal sealed class IndexClaims : ClaimFamily
{
    public const string WeighCommand = "weigh";

    private const string FullName = "index-10m";
    private const int FullEntries = 10_000_000;
    private const int ValueBytes = 16;
    private const int Callers = 64;
    private const int FirstEntries = 10_000;
    private const int SteadyLooks = 5;
    private const int SteadyBytes = 1 << 20;

    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(50);
    private static readonly DistributedCacheEntryOptions s_noExpiry = new();

    public override IEnumerable<string> Names => [FullName];

    public override async Task RunAsync(ClaimRun run)
    {
        int entries = run.Scale.EntriesToGrowBy[^1];

        // The quick run has fewer entries and must not pass for the claim.
        string name = entries == FullEntries ? FullName : string.Create(CultureInfo.InvariantCulture, $"index-{entries / 1000}k");
        string directory = run.NewDirectory("index");
        run.Progress($"storing {entries} entries of {ValueBytes} bytes in a process of its own");
        using var process = ThisProgram.Start(WeighCommand, directory, entries.ToString(CultureInfo.InvariantCulture));
        string? figures = await process.StandardOutput.ReadLineAsync();
        await process.WaitForExitAsync();
        run.Result(process.ExitCode == 0 ? $"claim {name} {figures}"
            : throw new InvalidOperationException($"The process that was to be weighed ended with {process.ExitCode}."));
        Directory.Delete(directory, recursive: true);
    }

    public static async Task<int> WeighAsync(string directory, int entries)
    {
        var options = new DiskDistributedCacheOptions
        {
            Directory = directory,
            MaxMemoryBytes = 0,
            MaxDiskBytes = 16L << 30,
            MaxEntries = entries + (entries / 4),
            IoTimeout = TimeSpan.FromSeconds(10),
            BreakDuration = TimeSpan.FromSeconds(30),
        };
        _ = Task.Run(() =>
        {
            // Whoever wanted to know is gone.
            Console.In.ReadToEnd();
            Environment.Exit(1);
        });
        await using var cache = await OurCache.OpenAsync(options);
        await SetAsync(cache, 0, FirstEntries);
        var before = await SettledMemoryAsync();
        await SetAsync(cache, FirstEntries, entries);
        var after = await SettledMemoryAsync();
        if (cache.GetStatus() is { Mode: not DiskCacheMode.Normal } or { OwedWrites: > 0 } || cache.GetStatus().Entries < entries)
        {
            throw new InvalidOperationException($"The entries are not all on disk: {cache.GetStatus()}");
        }

        double stored = entries - FirstEntries;
        Console.Out.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"process-bytes-per-entry={(after.Process - before.Process) / stored:0.0} managed-bytes-per-entry={(after.Managed - before.Managed) / stored:0.0}"));
        return 0;
    }

    private static Task SetAsync(DiskCache cache, int from, int to)
    {
        byte[] value = new byte[ValueBytes];
        return FanOut.CallersAsync(Callers, async caller =>
        {
            for (int entry = from + caller; entry < to; entry += Callers)
            {
                await cache.SetAsync(Workload.KeyOf(entry), value, s_noExpiry);
            }
        });
    }

    /// <summary>The memory of the process once it has stopped to fall: free memory is given back little by little.</summary>
    private static async Task<(long Process, long Managed)> SettledMemoryAsync()
    {
        long least = long.MaxValue;
        for (int steady = 0; steady < SteadyLooks; steady++)
        {
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
            await Task.Delay(s_pause);
            long now = Environment.WorkingSet;
            if (now < least - SteadyBytes)
            {
                steady = 0;
            }

            least = Math.Min(least, now);
        }

        return (least, GC.GetTotalMemory(forceFullCollection: false));
    }
}
