using System.Buffers;
using System.Diagnostics;
using System.Globalization;
using DiskDistributedCache.Testing;
using Microsoft.Extensions.Caching.Distributed;

namespace DiskDistributedCache.Benchmarks;

/// <summary>
/// What callers notice of a disk that fails every call, or lets every call hang. In turns the disk is healthy and sick, from one moment to
/// the next, and before each turn the cache has come back to it. Meanwhile eight callers read, set and remove, with short pauses; how long each of
/// their calls takes is what is claimed, over all sick turns together. Beside them a thread reads from memory without a pause: its time
/// healthy and sick is compared.
///
/// <c>waits</c> is what a wait as long as the cache's own timeout takes at the same time without any cache: what of the figures is the machine's.
/// </summary>
internal sealed class FallbackClaims : ClaimFamily
{
    private const int ValueBytes = 1024;
    private const int HotEntries = 200;
    private const int Callers = 8;
    private const string MemoryHit = "-memory-hit";

    private static readonly TimeSpan s_ioTimeout = TimeSpan.FromMilliseconds(80);
    private static readonly TimeSpan s_recoveryLimit = TimeSpan.FromSeconds(30);
    private static readonly DistributedCacheEntryOptions s_noExpiry = new();
    private static readonly string[] s_names = ["fallback-error", "fallback-hang"];

    public override IEnumerable<string> Names => s_names.SelectMany(name => (string[])[name, name + MemoryHit]);

    public override async Task RunAsync(ClaimRun run)
    {
        foreach (string name in s_names.Where(name => run.Wants(name) || run.Wants(name + MemoryHit)))
        {
            string directory = run.NewDirectory(name);
            var files = new FaultInjectingFileSystem { KeepsCalls = false };
            var options = new DiskDistributedCacheOptions
            {
                Directory = directory,
                MaxMemoryBytes = 2 << 20,
                IoTimeout = s_ioTimeout,
                BreakDuration = TimeSpan.FromMilliseconds(500),
                HeartbeatInterval = TimeSpan.FromMilliseconds(500),
            };
            await using (var cache = await OurCache.OpenAsync(options, files))
            {
                await new Scene(run, name, cache, files, directory).MeasureAsync(name == "fallback-hang");
            }

            Directory.Delete(directory, recursive: true);
        }
    }

    private sealed class Scene(ClaimRun run, string name, DiskCache cache, FaultInjectingFileSystem files, string directory)
    {
        private readonly Workload _workload = new(5_000, ValueBytes);
        private readonly Latencies _sick = new();
        private readonly Latencies _healthy = new();
        private readonly Latencies _waits = new();
        private long _lostHits;
        private long _hits;

        public async Task MeasureAsync(bool hangs)
        {
            for (int entry = 0; entry < _workload.Entries; entry++)
            {
                await cache.SetAsync(_workload.Key(entry), _workload.Value(entry), s_noExpiry);
            }

            double[] times = await new Comparison(run, name).RunAsync(
            [
                TurnOf("sick", _sick, () => Sicken(hangs)),
                TurnOf("healthy", _healthy, () => { }),
            ]);
            run.Progress($"{name} healthy: p50 {_healthy.Percentile(50):0} us, p99 {_healthy.Percentile(99):0} us, p99.9 {_healthy.Percentile(99.9):0} us of {_healthy.Count} calls");
            run.Result(string.Create(
                CultureInfo.InvariantCulture,
                $"claim {name} p50-ms={_sick.Percentile(50) / 1000:0.000} p99-ms={_sick.Percentile(99) / 1000:0.000} "
                + $"p99.9-ms={_sick.Percentile(99.9) / 1000:0.0} max-ms={_sick.Max / 1000:0.0} calls={_sick.Count} "
                + $"waits-p99.9-ms={_waits.Percentile(99.9) / 1000:0.0}"));
            run.Claim(name + MemoryHit, times[0], times[1]);
            if (_lostHits > _hits / 1000)
            {
                throw new InvalidOperationException($"{_lostHits} of {_hits} reads of what is used all the time were no hits of memory.");
            }
        }

        private void Sicken(bool hangs)
        {
            // The witness is elsewhere, and stays well.
            if (hangs)
            {
                files.Hold(FileOperation.Any, directory);
            }
            else
            {
                files.Fail(FileOperation.Any, directory);
            }
        }

        private Turn TurnOf(string turn, Latencies latencies, Action begin) =>
            new(turn, 1, async stints =>
            {
                await RecoverAsync();
                using var end = new CancellationTokenSource();
                begin();
                Task[] traffic =
                [
                    .. Enumerable.Range(0, Callers).Select(caller => Task.Run(() => CallAsync(new Random(caller), latencies, end.Token))),
                    WaitAsync(end.Token),
                ];
                await FanOut.ThreadsAsync(1, _ => ReadHot(stints[0]));
                await end.CancelAsync();
                await Task.WhenAll(traffic);
                files.Heal();
            })
            { Duration = run.Scale.SickTurn };

        /// <summary>Until the disk is in use and has everything, and memory what is read all the time.</summary>
        private async Task RecoverAsync()
        {
            for (long began = Stopwatch.GetTimestamp(); cache.GetStatus() is not { Mode: DiskCacheMode.Normal, OwedWrites: 0 };)
            {
                if (Stopwatch.GetElapsedTime(began) > s_recoveryLimit)
                {
                    var status = cache.GetStatus();
                    throw new InvalidOperationException(
                        $"The disk is healthy again and not in use: mode {status.Mode}, {status.OwedWrites} owed, last fault: {status.LastFault}.");
                }

                if (cache.GetStatus().Mode == DiskCacheMode.MemoryOnly)
                {
                    await cache.Tiers.RecoverOnceAsync();
                }

                // A disk that has been left alone is tried again by whoever needs it.
                await cache.GetAsync(_workload.Key(HotEntries + Random.Shared.Next(_workload.Entries - HotEntries)));
                await Task.Delay(TimeSpan.FromMilliseconds(5));
            }

            var found = new ArrayBufferWriter<byte>(ValueBytes);
            for (int i = 0; i < 3 * HotEntries; i++)
            {
                found.ResetWrittenCount();
                await cache.TryGetAsync(_workload.Key(i % HotEntries), found);
            }
        }

        private void ReadHot(Stint stint)
        {
            var found = new ArrayBufferWriter<byte>(ValueBytes);
            for (int entry = 0; stint.GoesOn(); entry = (entry + 1) % HotEntries)
            {
                found.ResetWrittenCount();
                using var lookup = DiskCacheLookup.Begin();
                _hits++;
                if (cache.TryGet(_workload.Key(entry), found) && lookup.Tier == DiskCacheTier.Memory)
                {
                    _workload.Check(entry, found.WrittenSpan);
                }
                else
                {
                    _lostHits++;
                }
            }
        }

        private async Task CallAsync(Random random, Latencies latencies, CancellationToken end)
        {
            var found = new ArrayBufferWriter<byte>(ValueBytes);
            while (!end.IsCancellationRequested)
            {
                int entry = random.Next(HotEntries, _workload.Entries);
                string key = _workload.Key(entry);
                found.ResetWrittenCount();
                int what = random.Next(20);
                long began = Stopwatch.GetTimestamp();
                if (what < 3)
                {
                    await cache.SetAsync(key, _workload.Value(entry), s_noExpiry, CancellationToken.None);
                }
                else if (what < 4)
                {
                    await cache.RemoveAsync(key, CancellationToken.None);
                }
                else if (await cache.TryGetAsync(key, found, CancellationToken.None))
                {
                    _workload.Check(entry, found.WrittenSpan);
                }

                latencies.AddSince(began);
                await Task.Delay(TimeSpan.FromMilliseconds(1), CancellationToken.None);
            }
        }

        private async Task WaitAsync(CancellationToken end)
        {
            while (!end.IsCancellationRequested)
            {
                long began = Stopwatch.GetTimestamp();
                await Task.Delay(s_ioTimeout, CancellationToken.None);
                _waits.AddSince(began);
            }
        }
    }
}
