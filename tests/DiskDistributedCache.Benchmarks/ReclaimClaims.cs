using System.Buffers;
using System.Diagnostics;
using System.Globalization;
using DiskDistributedCache.Benchmarks.HitRatios;
using DiskDistributedCache.Storage;
using Microsoft.Extensions.Caching.Distributed;
using Trace = DiskDistributedCache.Benchmarks.HitRatios.Trace;

namespace DiskDistributedCache.Benchmarks;

/// <summary>
/// What making room costs. Two caches hold the same entries; one of them has room on its disk for a quarter more than they take, so that
/// every segment which it begins has to be reclaimed first, the other has room for the whole run. Entries are overwritten at random: about a
/// third of the records of the oldest segment is alive when its turn comes, and what of it was read is appended again.
///
/// Write amplification is every byte that went to the disk by the bytes of the records that callers asked for: of that steady
/// overwriting, reads included, and of recorded traces on their way through memory and disk.
/// </summary>
internal sealed class ReclaimClaims : ClaimFamily
{
    private const int ValueBytes = 1024;
    private const int ManyCallers = 64;
    private const int TracePerMille = 100;
    private const string Gets = "reclaim-get-1k-p99";
    private const string Steady = "reclaim-write-amplification-steady";

    private static readonly DistributedCacheEntryOptions s_noExpiry = new();
    private static readonly (string Name, int Callers)[] s_settings = [("reclaim-set-1k-1t", 1), ("reclaim-set-1k-64c", ManyCallers)];

    public override IEnumerable<string> Names =>
        [.. s_settings.Select(setting => setting.Name), Gets, Steady, .. HitRatioArguments.OwnTraces.Select(NameOfTrace)];

    public override async Task RunAsync(ClaimRun run)
    {
        if (run.Wants(Gets) || run.Wants(Steady) || s_settings.Any(setting => run.Wants(setting.Name)))
        {
            await MeasureSteadyAsync(run);
        }

        foreach (string file in run.Scale.Traces.Where(file => run.Wants(NameOfTrace(file))))
        {
            await ReplayAsync(run, file);
        }
    }

    private static async Task MeasureSteadyAsync(ClaimRun run)
    {
        var workload = new Workload(run.Scale.EntriesOf1KiB, ValueBytes);
        long recordBytes = RecordFormat.LengthOf((2L * workload.Key(0).Length) + ValueBytes);
        string directory = run.NewDirectory("reclaim");
        await using var atLimit = await Overwritten.OpenAsync(
            "at the limit", workload, Path.Combine(directory, "at"), recordBytes * workload.Entries * 5 / 4);
        await using var below = await Overwritten.OpenAsync("below it", workload, Path.Combine(directory, "below"), 16L << 30);
        Overwritten[] both = [atLimit, below];
        run.Progress($"filling both with {workload.Entries} entries of {ValueBytes} bytes");
        foreach (var one in both)
        {
            await one.FillAsync();
        }

        foreach (var (name, callers) in s_settings.Where(setting => run.Wants(setting.Name)))
        {
            double[] times = await new Comparison(run, name).RunAsync([.. both.Select(one => one.SetTurn(callers, run.Scale))]);
            run.Claim(name, times[0], times[1]);
        }

        if (run.Wants(Gets) || run.Wants(Steady))
        {
            double[] times = await new Comparison(run, Gets).RunAsync([.. both.Select(one => one.GetTurn(run.Scale))]);
            run.Claim(Gets, times[0], times[1]);
        }

        foreach (var one in both)
        {
            OurCache.CheckIsNormal(one.Cache, run.Progress);
            one.Counts.Look();
        }

        run.Progress($"{atLimit.Counts.ReclaimedSegments} segments were reclaimed at the limit, {below.Counts.ReclaimedSegments} below it");
        if (atLimit.Counts.ReclaimedSegments == 0 || below.Counts.ReclaimedSegments > 0)
        {
            throw new InvalidOperationException("What was to be at the limit was not, or what was to be below it was at it.");
        }

        Amplification(run, Steady, atLimit.Counts.WrittenBytes, atLimit.Sets * recordBytes);
    }

    private static async Task ReplayAsync(ClaimRun run, string file)
    {
        var trace = Trace.Read(file);
        string directory = run.NewDirectory("reclaim-" + trace.Name);
        using var counts = new DiskCounts();
        var replay = new TierReplay(trace, directory, run.Progress) { MaxRequests = run.Scale.RequestsToReplay, Meters = counts };
        await replay.RunAsync(new CacheSize(Weighting.Bytes, TracePerMille), run.Stopped);
        Amplification(run, NameOfTrace(file), replay.WrittenBytes, replay.RecordBytes);
        Directory.Delete(directory, recursive: true);
    }

    private static void Amplification(ClaimRun run, string name, long writtenBytes, long askedBytes) => run.Result(string.Create(
        CultureInfo.InvariantCulture,
        $"claim {name} written-per-byte={(double)writtenBytes / askedBytes:0.000} asked-mib={askedBytes >> 20}"));

    private static string NameOfTrace(string file) => "reclaim-write-amplification-" + Path.GetFileName(file).Split('.')[0];

    /// <summary>One of the two caches, with a count of what was asked of it.</summary>
    private sealed class Overwritten : IAsyncDisposable
    {
        private readonly string _name;
        private readonly Workload _workload;
        private readonly Latencies _gets = new();
        private long _sets;

        private Overwritten(string name, Workload workload, DiskCounts counts, DiskCache cache)
        {
            (_name, _workload, Counts, Cache) = (name, workload, counts, cache);
        }

        public DiskCounts Counts { get; }

        public DiskCache Cache { get; }

        public long Sets => _sets;

        public static async Task<Overwritten> OpenAsync(string name, Workload workload, string directory, long maxDiskBytes)
        {
            var counts = new DiskCounts();
            var options = new DiskDistributedCacheOptions { Directory = directory, MaxMemoryBytes = 0, MaxDiskBytes = maxDiskBytes };
            return new Overwritten(name, workload, counts, await OurCache.OpenAsync(options, meters: counts));
        }

        public Task FillAsync() => FanOut.CallersAsync(ManyCallers, async caller =>
        {
            for (int entry = caller; entry < _workload.Entries; entry += ManyCallers)
            {
                await SetAsync(entry);
            }
        });

        public Turn SetTurn(int callers, Scale scale)
        {
            Random[] random = [.. Enumerable.Range(0, callers).Select(caller => new Random(caller))];
            return new Turn(_name, callers, stints => FanOut.CallersAsync(callers, async caller =>
            {
                while (stints[caller].GoesOn())
                {
                    await SetAsync(random[caller].Next(_workload.Entries));
                }
            }))
            { MaxOperations = Math.Max(scale.MaxTurnBytes / ValueBytes, 2 * callers) };
        }

        /// <summary>The 99th percentile of reads by one caller while another one overwrites all the time. What is not there any more does not count.</summary>
        public Turn GetTurn(Scale scale)
        {
            var reading = new Random(1);
            var setting = new Random(2);
            var found = new ArrayBufferWriter<byte>(ValueBytes);
            return new Turn(_name, 2, stints => FanOut.CallersAsync(2, async caller =>
            {
                while (stints[caller].GoesOn())
                {
                    if (caller == 0)
                    {
                        await GetAsync(reading.Next(_workload.Entries), found);
                    }
                    else
                    {
                        await SetAsync(setting.Next(_workload.Entries));
                    }
                }
            }))
            {
                Duration = 2 * scale.Turn,
                Figure = () =>
                {
                    double percentile = _gets.Percentile(99);
                    _gets.Clear();
                    return percentile;
                },
            };
        }

        public async ValueTask DisposeAsync()
        {
            await Cache.DisposeAsync();
            Counts.Dispose();
        }

        private async Task SetAsync(int entry)
        {
            Interlocked.Increment(ref _sets);
            await Cache.SetAsync(_workload.Key(entry), _workload.Value(entry), s_noExpiry);
        }

        private async ValueTask GetAsync(int entry, ArrayBufferWriter<byte> found)
        {
            found.ResetWrittenCount();
            long began = Stopwatch.GetTimestamp();
            if (await Cache.TryGetAsync(_workload.Key(entry), found))
            {
                _gets.AddSince(began);
                _workload.Check(entry, found.WrittenSpan);
            }
        }
    }
}
