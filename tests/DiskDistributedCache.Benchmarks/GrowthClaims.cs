using System.Buffers;
using System.Globalization;
using DiskDistributedCache.Benchmarks.Contestants;
using Microsoft.Extensions.Caching.Distributed;

namespace DiskDistributedCache.Benchmarks;

/// <summary>
/// How the cost of an operation of the disk tier grows: with the entries that are stored (100 bytes each, one caller, one store for each
/// number, all of them open), and with the callers that work at the same time (1 KiB, one store). Memory tier off. A key is made for each
/// operation, which costs the same everywhere. Gets are spread evenly over the entries, the hardest case; in the smallest and the largest store there are also gets
/// by Zipf's law, as caches see them. Beside the gets there are plain reads of as many bytes anywhere in the segments of the same store: how
/// they grow is the operating system's part, and the processor's. The largest store is opened again at the end, after a clean close and after a kill, once each.
/// </summary>
internal sealed class GrowthClaims : ClaimFamily
{
    private const int ValueBytes = 1024;
    private const int LargestEntries = 10_000_000;
    private const string ByEntries = "growth-by-entries";
    private const string ByCallers = "growth-by-callers";
    private const string Grown = "growth-get-10m-vs-10k";
    private const string GrownRaw = Grown + "-raw";
    private const string GrownZipf = "growth-get-zipf-10m-vs-10k";
    private const string Reopened = "reopen-10m-";

    private static readonly DistributedCacheEntryOptions s_noExpiry = new();
    private static readonly int[] s_callers = [1, 2, 4, 8, 64];

    public override IEnumerable<string> Names => [ByEntries, Grown, GrownRaw, GrownZipf, Reopened + "clean", Reopened + "killed", ByCallers];

    public override async Task RunAsync(ClaimRun run)
    {
        bool hasLargest = run.Scale.EntriesToGrowBy[^1] == LargestEntries;
        if (run.Wants(ByEntries) || (hasLargest && Names.Except([ByEntries, ByCallers]).Any(run.Wants)))
        {
            await MeasureEntriesAsync(run);
        }

        if (run.Wants(ByCallers))
        {
            await MeasureCallersAsync(run);
        }
    }

    private static async Task MeasureEntriesAsync(ClaimRun run)
    {
        string directory = run.NewDirectory("growth");
        var sizes = run.Scale.EntriesToGrowBy;
        StoreOpening[] stores =
            [.. sizes.Select(entries => new StoreOpening(Path.Combine(directory, entries.ToString(CultureInfo.InvariantCulture)), entries))];
        double fillSeconds = 0;
        foreach (var store in stores)
        {
            fillSeconds = await store.FillAsync(run);
        }

        if (new[] { ByEntries, Grown, GrownRaw, GrownZipf }.Any(run.Wants))
        {
            await CompareStoresAsync(run, stores);
        }

        if (sizes[^1] == LargestEntries)
        {
            await ReopenAsync(run, stores[^1], fillSeconds);
        }

        Directory.Delete(directory, recursive: true);
    }

    private static async Task CompareStoresAsync(ClaimRun run, StoreOpening[] stores)
    {
        bool hasLargest = stores[^1].Entries == LargestEntries;
        var caches = new List<DiskCache>();
        var files = new List<SegmentBytes>();
        try
        {
            foreach (var store in stores)
            {
                caches.Add(await OurCache.OpenAsync(store.Options));
                files.Add(new SegmentBytes(store.Directory, StoreOpening.RecordBytes));
            }

            double[] gets = await new Comparison(run, ByEntries + " get").RunAsync(
            [
                .. caches.Select((cache, i) => GetTurn(NameOf(stores[i].Entries), cache, stores[i].Entries, random => random.Next(stores[i].Entries))),
                .. files.Select((bytes, i) => ReadTurn(bytes, stores[i].Entries)),
                .. hasLargest ? [ZipfTurn(caches[0], stores[0].Entries), ZipfTurn(caches[^1], stores[^1].Entries)] : Array.Empty<Turn>(),
            ]);
            double[] reads = gets[stores.Length..(2 * stores.Length)];
            double[] sets = await new Comparison(run, ByEntries + " set").RunAsync(
                [.. caches.Select((cache, i) => SetTurn(run, cache, stores[i].Entries))]);
            foreach (var cache in caches)
            {
                OurCache.CheckIsNormal(cache, run.Progress);
            }

            for (int i = 0; i < stores.Length; i++)
            {
                Print(run, "get-by-entries", stores[i].Entries, gets[i]);
                Print(run, "set-by-entries", stores[i].Entries, sets[i]);
                Print(run, "raw-by-entries", stores[i].Entries, reads[i]);
            }

            if (hasLargest)
            {
                // What is compared is the small store with the large one: the ratio is the small one's time by the large one's.
                run.Claim(Grown, gets[stores.Length - 1], gets[0]);
                run.Claim(GrownRaw, reads[^1], reads[0]);
                run.Claim(GrownZipf, gets[^1], gets[^2]);
            }
        }
        finally
        {
            files.ForEach(bytes => bytes.Dispose());
            foreach (var cache in caches)
            {
                await cache.DisposeAsync();
            }
        }
    }

    /// <summary>
    /// The n-th most popular entry has a share that falls with the power of n that is usual for caches (drawn by inverting the sum, taken for an integral). Where it lies has
    /// nothing to do with how popular it is.
    /// </summary>
    private static Turn ZipfTurn(DiskCache cache, int entries)
    {
        // More than all turns together read, so that nothing comes round again.
        const int Draws = 1 << 22;
        const double Rest = 1 - Workload.ZipfExponent;

        // A prime that divides no number of entries.
        const long Scatter = 7_368_787;

        var drawing = new Random(entries);
        double range = Math.Pow(entries + 1, Rest) - 1;
        int[] drawn = [.. Enumerable.Range(0, Draws).Select(_ =>
            (int)((long)Math.Pow((range * drawing.NextDouble()) + 1, 1 / Rest) % entries * Scatter % entries))];
        int next = 0;
        return GetTurn(NameOf(entries) + " zipf", cache, entries, _ => drawn[next++ % Draws]);
    }

    private static Turn GetTurn(string name, DiskCache cache, int entries, Func<Random, int> next)
    {
        var random = new Random(entries);
        var found = new ArrayBufferWriter<byte>(StoreOpening.ValueBytes);
        return new Turn(name, 1, stints => FanOut.CallersAsync(1, async caller =>
        {
            long missed = 0;
            while (stints[caller].GoesOn())
            {
                found.ResetWrittenCount();
                missed += await cache.TryGetAsync(Workload.KeyOf(next(random)), found) ? 0 : 1;
            }

            if (missed > stints[caller].Operations / 1000)
            {
                throw new InvalidOperationException($"{missed} of {stints[caller].Operations} reads of what is stored were misses.");
            }
        }));
    }

    private static Turn ReadTurn(SegmentBytes bytes, int entries)
    {
        var random = new Random(entries);
        return new Turn(NameOf(entries) + " raw", 1, stints => FanOut.CallersAsync(1, caller =>
        {
            while (stints[caller].GoesOn())
            {
                bytes.ReadAnywhere(random);
            }

            return Task.CompletedTask;
        }));
    }

    private static Turn SetTurn(ClaimRun run, DiskCache cache, int entries)
    {
        var random = new Random(entries);
        byte[] value = new byte[StoreOpening.ValueBytes];
        return new Turn(NameOf(entries), 1, stints => FanOut.CallersAsync(1, async caller =>
        {
            while (stints[caller].GoesOn())
            {
                await cache.SetAsync(Workload.KeyOf(random.Next(entries)), value, s_noExpiry);
            }
        }))
        { MaxOperations = run.Scale.MaxTurnBytes / StoreOpening.ValueBytes };
    }

    private static async Task ReopenAsync(ClaimRun run, StoreOpening store, double fillSeconds)
    {
        if (run.Wants(Reopened + "clean"))
        {
            double time = await store.OpenAsync();
            run.Result(string.Create(
                CultureInfo.InvariantCulture,
                $"claim {Reopened}clean us-per-entry={time / store.Entries:0.000} seconds={time / 1e6:0.00} "
                + $"fill-us-per-entry={fillSeconds * 1e6 / store.Entries:0.000}"));
        }

        if (run.Wants(Reopened + "killed"))
        {
            await store.KillAsync();
            double time = await store.OpenAsync();
            run.Result(string.Create(
                CultureInfo.InvariantCulture,
                $"claim {Reopened}killed us-per-entry={time / store.Entries:0.000} seconds={time / 1e6:0.00}"));
        }
    }

    private static async Task MeasureCallersAsync(ClaimRun run)
    {
        string directory = run.NewDirectory("growth-callers");
        var workload = new Workload(run.Scale.EntriesOf1KiB, ValueBytes);
        await using (var contestant = await Contestants.OurDiskTier.OpenAsync(workload, directory))
        {
            await contestant.FillAsync();
            double[] gets = await new Comparison(run, ByCallers + " get").RunAsync([.. s_callers.Select(callers => TurnOf(
                callers, long.MaxValue, workload, async (caller, entry) =>
                {
                    var value = await contestant.GetAsync(caller, entry);
                    if (!value.IsEmpty)
                    {
                        workload.Check(entry, value.Span);
                    }
                }))]);
            double[] sets = await new Comparison(run, ByCallers + " set").RunAsync([.. s_callers.Select(callers => TurnOf(
                callers, run.Scale.MaxTurnBytes / ValueBytes, workload, (caller, entry) => contestant.SetAsync(caller, entry)))]);
            contestant.CheckAfterwards(run);
            for (int i = 0; i < s_callers.Length; i++)
            {
                Print(run, "get-1k-by-callers", s_callers[i], gets[i]);
                Print(run, "set-1k-by-callers", s_callers[i], sets[i]);
            }
        }

        Directory.Delete(directory, recursive: true);
    }

    private static Turn TurnOf(int callers, long maxOperations, Workload workload, Func<int, int, ValueTask> operateAsync)
    {
        var walk = workload.WalkForAll();
        return new Turn(NameOf(callers), callers, stints => FanOut.CallersAsync(callers, async caller =>
        {
            while (stints[caller].GoesOn())
            {
                await operateAsync(caller, walk.Next());
            }
        }))
        { MaxOperations = maxOperations };
    }

    private static string NameOf(int place) => place.ToString(CultureInfo.InvariantCulture);

    /// <summary>Microseconds per operation, over all callers together.</summary>
    private static void Print(ClaimRun run, string name, int at, double time) =>
        run.Result(string.Create(CultureInfo.InvariantCulture, $"growth {name} at={at} us={time:0.000}"));
}
