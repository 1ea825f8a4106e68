using System.Globalization;

namespace DiskDistributedCache.Benchmarks.HitRatios;

/// <summary>
/// Replays traces through the memory tier, and through both tiers where that is wanted, and prints hit ratios. They are counts and
/// not times: a busy machine does not change those of the memory tier.
/// </summary>
internal static class HitRatioCommand
{
    /// <returns>The exit code: 0, 1 when a trace could not be replayed, 130 when stopped.</returns>
    public static async Task<int> RunAsync(HitRatioArguments arguments)
    {
        using var cancelKey = new CancelKey();
        try
        {
            var traces = arguments.Files.Select(Read).ToArray();
            PrintMemoryTier("Memory tier, every object weighs 1: percent of requests", traces, Weighting.Unit);
            PrintMemoryTier("Memory tier, an object weighs its size", traces, Weighting.Bytes);
            PrintMemoryTier("Memory tier, keys, metadata and ghosts count too (for LRU the same weights)", traces, Weighting.Metered);
            if (arguments.WithTiers)
            {
                await PrintTiersAsync(arguments, traces, cancelKey.Pressed);
            }

            return 0;
        }
        catch (OperationCanceledException) when (cancelKey.Pressed.IsCancellationRequested)
        {
            Progress($"stopped");
            return 130;
        }
        catch (Exception problem) when (problem is IOException or InvalidDataException or UnauthorizedAccessException or InvalidOperationException)
        {
            Progress($"failed: {problem.Message}");
            return 1;
        }
    }

    private static Trace Read(string path)
    {
        var trace = Trace.Read(path);
        Progress($"{trace.Name}: {trace.Requests.Count} requests of {trace.KeyCount} keys, {trace.FootprintBytes} bytes");
        return trace;
    }

    private static void PrintMemoryTier(string title, Trace[] traces, Weighting weighting)
    {
        var table = new HitRatioTable(Console.Out);
        table.Begin(title);
        foreach (var trace in traces)
        {
            var replay = new Replay(trace);
            foreach (int perMille in CacheSize.PerMilles)
            {
                var size = new CacheSize(weighting, perMille);
                table.Add(new HitRatioRow(trace, size, replay.ThroughMemoryTier(size), replay.ThroughLru(size)));
            }
        }

        table.End();
    }

    private static async Task PrintTiersAsync(HitRatioArguments arguments, Trace[] traces, CancellationToken stopped)
    {
        string directory = Path.Combine(arguments.Directory, "ddc-hitratio-" + Path.GetRandomFileName());
        var table = new HitRatioTable(Console.Out);
        table.Begin("Memory and disk, the disk of this size, memory a tenth of it (for LRU only sizes of objects count)");
        try
        {
            foreach (var trace in traces)
            {
                foreach (int perMille in CacheSize.PerMilles)
                {
                    var size = new CacheSize(Weighting.Bytes, perMille);
                    if (size.WeightOf(trace) < TierReplay.MinDiskBytes)
                    {
                        Progress($"{trace.Name} {size.Percent} skipped: the cache takes no disk below {TierReplay.MinDiskBytes} bytes");
                        continue;
                    }

                    string own = Path.Combine(directory, trace.Name + perMille.ToString(CultureInfo.InvariantCulture));
                    using var counts = new DiskCounts();
                    var replay = new TierReplay(trace, own, Progress) { Meters = counts };
                    var hits = await replay.RunAsync(size, stopped);
                    table.Add(new HitRatioRow(trace, size, hits, new Replay(trace).ThroughLru(size)), replay.WriteAmplification);
                    Directory.Delete(own, recursive: true);
                }
            }
        }
        finally
        {
            if (Directory.Exists(directory))
            {
                Directory.Delete(directory, recursive: true);
            }
        }

        table.End();
    }

    private static void Progress(FormattableString text) => Console.Error.WriteLine(FormattableString.Invariant(text));
}
