using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using DiskDistributedCache.Testing;
using Microsoft.Extensions.Caching.Distributed;
using NeoSmart.Caching.Sqlite;
using RocksDbSharp;

namespace DiskDistributedCache.Benchmarks;

/// <summary>
/// Starts with many small entries in the store: ours after a clean close and after the process was killed, beside rivals that open their own store
/// of the same entries and answer a first lookup, and beside reading all bytes of our segments from end to end (<c>raw</c>). A rival was
/// closed clean before, or is opened as its filling left it.
///
/// <c>meanwhile</c> is what callers get while the store is not open yet: its disk hangs for half a second at the first read of a segment.
/// </summary>
internal sealed class RestartClaims : ClaimFamily
{
    private const string Full = "reopen-1m";
    private const int FillBatch = 1_000;
    private const int ReadBytes = 1 << 20;
    private const int Callers = 64;
    private const int HitsPerSet = 16;

    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan s_hang = TimeSpan.FromMilliseconds(500);
    private static readonly DistributedCacheEntryOptions s_noExpiry = new();
    private static readonly string[] s_rivals = ["neosmart", "rocksdb", "raw"];
    private static readonly string[] s_endings = ["clean", "killed"];

    public override IEnumerable<string> Names =>
    [
        $"{Full}-killed", $"{Full}-meanwhile", .. from ending in s_endings from rival in s_rivals select $"{Full}-{ending}-vs-{rival}",
    ];

    public override async Task RunAsync(ClaimRun run)
    {
        int entries = run.Scale.EntriesToReopen;

        // The quick run has fewer entries and must not pass for the claim.
        string name = entries == 1_000_000 ? Full : string.Create(CultureInfo.InvariantCulture, $"reopen-{entries / 1000}k");
        string directory = run.NewDirectory("restart");
        var ours = new StoreOpening(Path.Combine(directory, "ours"), entries);
        await ours.FillAsync(run);
        if (run.Wants($"{Full}-killed") || Names.Where(one => one.Contains("-vs-", StringComparison.Ordinal)).Any(run.Wants))
        {
            await CompareAsync(run, name, directory, ours);
        }

        if (run.Wants($"{Full}-meanwhile"))
        {
            await MeasureMeanwhileAsync(run, $"{name}-meanwhile", ours);
        }

        Directory.Delete(directory, recursive: true);
    }

    private static async Task CompareAsync(ClaimRun run, string name, string directory, StoreOpening ours)
    {
        byte[] value = new byte[StoreOpening.ValueBytes];
        new Random(StoreOpening.ValueBytes).NextBytes(value);
        string sqlite = Path.Combine(directory, "cache.db");
        string rocks = Path.Combine(directory, "rocksdb");
        run.Progress($"filling neosmart and rocksdb with {ours.Entries} entries");
        await FillSqliteAsync(sqlite, ours.Entries, value);
        FillRocksDb(rocks, ours.Entries, value);

        double[] times = await new Comparison(run, name).RunAsync(
        [
            Turn.Measuring("clean", ours.OpenAsync),
            Turn.Measuring("killed", async () =>
            {
                await ours.KillAsync();
                return await ours.OpenAsync();
            }),
            Turn.Measuring("neosmart", () => OpenSqliteAsync(sqlite, ours.Entries)),
            Turn.Measuring("rocksdb", () => Task.FromResult(OpenRocksDb(rocks, ours.Entries))),
            Turn.Measuring("raw", () => Task.FromResult(ReadSegments(ours.Directory))),
        ]);
        double[] each = [.. times.Select(time => time / ours.Entries)];
        run.Result(string.Create(CultureInfo.InvariantCulture, $"claim {name}-killed us-per-entry={each[1]:0.000}"));
        for (int ending = 0; ending < s_endings.Length; ending++)
        {
            for (int rival = 0; rival < s_rivals.Length; rival++)
            {
                run.Claim($"{name}-{s_endings[ending]}-vs-{s_rivals[rival]}", each[ending], each[s_endings.Length + rival]);
            }
        }
    }

    /// <summary>Sets, and hits of what was just set, until the store is open.</summary>
    private static async Task MeasureMeanwhileAsync(ClaimRun run, string name, StoreOpening ours)
    {
        var files = new FaultInjectingFileSystem { KeepsCalls = false };
        var gate = files.Hold(FileOperation.Read, "segments");
        var options = new DiskDistributedCacheOptions
        {
            Directory = ours.Directory,
            MaxEntries = ours.Options.MaxEntries,
            MaxDiskBytes = ours.Options.MaxDiskBytes,
        };
        var sets = new Latencies();
        var hits = new Latencies();
        await using var cache = OurCache.Create(options, files);
        Task[] callers = [.. Enumerable.Range(0, Callers).Select(caller => Task.Run(() => CallAsync(cache, caller, sets, hits)))];
        await gate.Reached;
        await Task.Delay(s_hang);
        long openedFrom = Stopwatch.GetTimestamp();
        gate.Open();
        await Task.WhenAll(callers);
        await OurCache.WaitUntilServedAsync(cache, Workload.KeyOf(ours.Entries / 2));
        run.Progress($"{name}: open {Stopwatch.GetElapsedTime(openedFrom).TotalMilliseconds:0} ms after the disk answered again");
        run.Result(string.Create(
            CultureInfo.InvariantCulture,
            $"claim {name} sets={sets.Count} set-p99-ms={sets.Percentile(99) / 1000:0.0} hits={hits.Count} hit-p99-us={hits.Percentile(99):0.0}"));
    }

    private static async Task CallAsync(DiskCache cache, int caller, Latencies sets, Latencies hits)
    {
        byte[] value = new byte[StoreOpening.ValueBytes];
        var found = new System.Buffers.ArrayBufferWriter<byte>(value.Length);
        for (int number = 0; !cache.Tiers.IsOpen; number++)
        {
            string key = string.Create(CultureInfo.InvariantCulture, $"meanwhile:{caller}:{number}");
            long began = Stopwatch.GetTimestamp();
            await cache.SetAsync(key, value, s_noExpiry);
            sets.AddSince(began);
            for (int i = 0; i < HitsPerSet && !cache.Tiers.IsOpen; i++)
            {
                found.ResetWrittenCount();
                began = Stopwatch.GetTimestamp();
                bool isHit = cache.TryGet(key, found);
                hits.AddSince(began);
                if (!isHit)
                {
                    throw new InvalidDataException($"'{key}' was set while the store was being opened, and is not found: {cache.GetStatus()}");
                }
            }

            // As fast as they can, they would owe more than memory has room for; and what is too much may be forgotten.
            await Task.Delay(s_pause);
        }
    }

    private static async Task FillSqliteAsync(string path, int entries, byte[] value)
    {
        await using var cache = new SqliteCache(new SqliteCacheOptions { CachePath = path });
        foreach (int[] chunk in Enumerable.Range(0, entries).Chunk(FillBatch))
        {
            await cache.SetBulkAsync(chunk.Select(entry => KeyValuePair.Create(Workload.KeyOf(entry), value)), s_noExpiry);
        }
    }

    private static async Task<double> OpenSqliteAsync(string path, int entries)
    {
        long started = Stopwatch.GetTimestamp();
        await using var cache = new SqliteCache(new SqliteCacheOptions { CachePath = path });
        Check("neosmart", await cache.GetAsync(Workload.KeyOf(entries / 2)));
        return Stopwatch.GetElapsedTime(started).TotalMicroseconds;
    }

    private static void FillRocksDb(string path, int entries, byte[] value)
    {
        using var store = RocksDb.Open(OptionsOfRocksDb().SetCreateIfMissing(true), path);
        for (int entry = 0; entry < entries; entry++)
        {
            store.Put(KeyBytes(entry), value);
        }
    }

    private static double OpenRocksDb(string path, int entries)
    {
        long started = Stopwatch.GetTimestamp();
        using var store = RocksDb.Open(OptionsOfRocksDb(), path);
        Check("rocksdb", store.Get(KeyBytes(entries / 2)));
        return Stopwatch.GetElapsedTime(started).TotalMicroseconds;
    }

    private static DbOptions OptionsOfRocksDb()
    {
        var options = new DbOptions();
        options.SetCompression(Compression.No);
        return options;
    }

    private static byte[] KeyBytes(int entry) => MemoryMarshal.AsBytes(Workload.KeyOf(entry).AsSpan()).ToArray();

    private static void Check(string rival, byte[]? value)
    {
        if (value?.Length != StoreOpening.ValueBytes)
        {
            throw new InvalidDataException($"{rival} has not what was stored.");
        }
    }

    private static double ReadSegments(string directory)
    {
        byte[] buffer = new byte[ReadBytes];
        long started = Stopwatch.GetTimestamp();
        foreach (string path in Directory.EnumerateFiles(directory, "*.seg", SearchOption.AllDirectories))
        {
            using var file = File.OpenHandle(path);
            for (long offset = 0; RandomAccess.Read(file, buffer, offset) is var read and > 0;)
            {
                offset += read;
            }
        }

        return Stopwatch.GetElapsedTime(started).TotalMicroseconds;
    }
}
