using System.Globalization;

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
    private const int FirstEntries = 10_000;

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
        _ = Task.Run(() =>
        {
            // Whoever wanted to know is gone.
            Console.In.ReadToEnd();
            Environment.Exit(1);
        });
        await using var cache = await OurCache.OpenAsync(new StoreOpening(directory, entries).Options);
        byte[] value = new byte[ValueBytes];
        await StoreOpening.SetAsync(cache, 0, FirstEntries, value);
        var before = await SettledMemoryAsync();
        await StoreOpening.SetAsync(cache, FirstEntries, entries, value);
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

    private static async Task<(long Process, long Managed)> SettledMemoryAsync()
    {
        long process = await SettledMemory.LeastAsync(
            static () =>
            {
                GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
                return Environment.WorkingSet;
            },
            steadyBytes: 1 << 20);
        return (process, GC.GetTotalMemory(forceFullCollection: false));
    }
}
