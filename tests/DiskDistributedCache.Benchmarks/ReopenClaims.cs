using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.Caching.Distributed;

namespace DiskDistributedCache.Benchmarks;

/// <summary>
/// The start of a store with many small entries after a clean close: the time until a lookup is served from the disk, and in
/// one more start the bytes that are read for it and the managed memory that stays.
/// </summary>
internal sealed class ReopenClaims : ClaimFamily
{
    private const int ValueBytes = 100;
    private const int FillingCallers = 64;
    private const int CheckedEntries = 1000;
    private const string FullName = "reopen-1m-clean";

    private static readonly DistributedCacheEntryOptions s_noExpiry = new();

    public override IEnumerable<string> Names => [FullName];

    public override async Task RunAsync(ClaimRun run)
    {
        string directory = run.NewDirectory("reopen");
        int entries = run.Scale.EntriesToReopen;

        // The quick run has fewer entries and must not pass for the claim.
        string name = entries == 1_000_000 ? FullName : string.Create(CultureInfo.InvariantCulture, $"reopen-{entries / 1000}k-clean");
        await FillAsync(run, directory, entries);

        string served = Workload.KeyOf(entries / 2);
        double[] times = new double[run.Scale.Rounds];
        for (int round = -1; round < times.Length; round++)
        {
            run.Stopped.ThrowIfCancellationRequested();
            double time = await OpenAsync(OptionsFor(directory, entries), served);
            run.Progress($"{name} round {round + 1} of {times.Length}: {time / 1000:0} ms");
            if (round >= 0)
            {
                times[round] = time;
            }
        }

        Array.Sort(times);
        var (bytesRead, indexBytes) = await MeasureOpeningAsync(OptionsFor(directory, entries), served, entries);
        run.Result(string.Create(
            CultureInfo.InvariantCulture,
            $"claim {name} us-per-entry={Comparison.Median(times) / entries:0.000} "
            + $"bytes-read-per-entry={bytesRead:0.0} index-bytes-per-entry={indexBytes:0.0}"));
        Directory.Delete(directory, recursive: true);
    }

    private static async Task FillAsync(ClaimRun run, string directory, int entries)
    {
        run.Progress($"filling {entries} entries of {ValueBytes} bytes");
        byte[] value = new byte[ValueBytes];
        new Random(ValueBytes).NextBytes(value);
        await using var cache = await OurCache.OpenAsync(OptionsFor(directory, entries));
        await FanOut.CallersAsync(FillingCallers, async caller =>
        {
            for (int entry = caller; entry < entries; entry += FillingCallers)
            {
                await cache.SetAsync(Workload.KeyOf(entry), value, s_noExpiry);
            }
        });
        OurCache.CheckIsNormal(cache, run.Progress);
    }

    private static async Task<double> OpenAsync(DiskDistributedCacheOptions options, string served)
    {
        GC.Collect();
        long started = Stopwatch.GetTimestamp();
        await using var cache = OurCache.Create(options);
        await OurCache.WaitUntilServedAsync(cache, served);
        return Stopwatch.GetElapsedTime(started).TotalMicroseconds;
    }

    /// <summary>Bytes for each entry: those that opening reads, and those of managed memory that stay.</summary>
    private static async Task<(double BytesRead, double IndexBytes)> MeasureOpeningAsync(
        DiskDistributedCacheOptions options, string served, int entries)
    {
        var fileSystem = new CountingFileSystem();
        long before = await SettledMemoryAsync();
        await using var cache = OurCache.Create(options, fileSystem);
        await OurCache.WaitUntilServedAsync(cache, served);
        long bytesRead = fileSystem.BytesRead;
        long indexBytes = await SettledMemoryAsync() - before;
        GC.KeepAlive(cache);
        if (bytesRead == 0)
        {
            throw new InvalidOperationException("The store was opened past its IFileSystem: the bytes that it read cannot be counted.");
        }

        await CheckAsync(cache, entries);
        return (bytesRead / (double)entries, indexBytes / (double)entries);
    }

    private static Task<long> SettledMemoryAsync() =>
        SettledMemory.LeastAsync(static () => GC.GetTotalMemory(forceFullCollection: true), steadyBytes: 64_000);

    /// <summary>What is measured must be a start that forgets nothing.</summary>
    private static async Task CheckAsync(DiskCache cache, int entries)
    {
        int missed = 0;
        for (int i = 0; i < CheckedEntries; i++)
        {
            int entry = (int)((long)entries * i / CheckedEntries);
            missed += await cache.GetAsync(Workload.KeyOf(entry)) is { Length: ValueBytes } ? 0 : 1;
        }

        if (missed > CheckedEntries / 100)
        {
            throw new InvalidOperationException($"{missed} of {CheckedEntries} entries were not there after the start.");
        }
    }

    private static DiskDistributedCacheOptions OptionsFor(string directory, int entries) => new()
    {
        Directory = directory,
        MaxMemoryBytes = 0,
        MaxEntries = entries + (entries / 4),
    };
}
