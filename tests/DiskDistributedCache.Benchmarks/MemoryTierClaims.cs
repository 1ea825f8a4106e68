using System.Buffers;
using System.Globalization;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.Options;

namespace DiskDistributedCache.Benchmarks;

/// <summary>
/// Synchronous reads from the memory tier beside <see cref="MemoryDistributedCache"/>, both holding every entry. Its <c>Get</c>
/// hands out its own array without touching the bytes; ours copies the value into the caller's buffer. So there is a row against its
/// <c>Get</c> as it is, and one against <c>Get</c> and a copy into the same kind of buffer. Random reads of all entries wait for
/// main memory; the rows named <c>hot</c> read a set that fits into the processor's caches. Those named <c>zipf</c> read all entries, the
/// popular ones more often, as applications do.
///
/// How fast such a read can be is measured beside them, for 1 KiB by Zipf's law: a <see cref="Dictionary{TKey,TValue}"/> that nobody writes to, its
/// value copied into the same buffer (<c>copy-only</c>) or not even that (<c>lookup-only</c>). It knows no expiry, no tags, no use, no count.
/// </summary>
internal sealed class MemoryTierClaims : ClaimFamily
{
    private const long RoomBytes = 4L << 30;
    private const int FillingCallers = 16;
    private const int CountedOperations = 10_000;
    private const int CountedPasses = 3;
    private const int HotEntries = 500;
    private const string Hot = "hot-";
    private const string Zipf = "zipf-";
    private const string Copied = "-copied";
    private const string Rival = "-vs-memorycache";
    private const string CopyOnly = "copy-only";
    private const string LookupOnly = "lookup-only";
    private const int FloorBytes = 1024;

    private static readonly DistributedCacheEntryOptions s_noExpiry = new();
    private static readonly int[] s_threads = [1, 2];
    private static readonly (string Name, int ValueBytes, Func<Scale, int> Entries)[] s_sizings =
    [
        ("1k", 1024, scale => scale.EntriesOf1KiB),
        ("16k", 16 * 1024, scale => scale.EntriesOf16KiB),
    ];

    public override IEnumerable<string> Names =>
        s_sizings.SelectMany(sizing => s_threads
            .SelectMany(threads => (string[])[NameOf(sizing.Name, threads), NameOf(Hot + sizing.Name, threads), NameOf(Zipf + sizing.Name, threads)])
            .SelectMany(name => (string[])[name, name + Copied])
            .Concat(sizing.ValueBytes == FloorBytes ? s_threads.SelectMany(threads => FloorNames(sizing.Name, threads)) : [])
            .Append(AllocName(sizing.Name)));

    public override async Task RunAsync(ClaimRun run)
    {
        foreach (var (name, valueBytes, entries) in s_sizings)
        {
            int[] threads = [.. s_threads.Where(threads => WantsAny(run, NameOf(name, threads)))];
            int[] hotThreads = [.. s_threads.Where(threads => WantsAny(run, NameOf(Hot + name, threads)))];
            int[] zipfThreads = [.. s_threads.Where(threads => WantsAny(run, NameOf(Zipf + name, threads))
                || (valueBytes == FloorBytes && FloorNames(name, threads).Any(run.Wants)))];
            if (threads.Length + hotThreads.Length + zipfThreads.Length > 0 || run.Wants(AllocName(name)))
            {
                await MeasureAsync(run, name, new Workload(entries(run.Scale), valueBytes), threads, hotThreads, zipfThreads);
            }
        }
    }

    private static async Task MeasureAsync(
        ClaimRun run, string size, Workload workload, int[] threadCounts, int[] hotThreadCounts, int[] zipfThreadCounts)
    {
        string directory = run.NewDirectory("memory-" + size);
        var options = new DiskDistributedCacheOptions { Directory = directory, MaxMemoryBytes = RoomBytes };
        await using (var ours = await OurCache.OpenAsync(options))
        {
            run.Progress($"filling both with {workload.Entries} entries of {size}");
            await FillAsync(ours, workload);
            if (run.Wants(AllocName(size)))
            {
                double bytes = AllocatedBytes(ours, workload);
                run.Result(string.Create(CultureInfo.InvariantCulture, $"alloc {AllocName(size)} bytes={bytes:0.##}"));
            }

            if (threadCounts.Length + hotThreadCounts.Length + zipfThreadCounts.Length > 0)
            {
                var other = new MemoryDistributedCache(Options.Create(new MemoryDistributedCacheOptions { SizeLimit = RoomBytes }));
                await FillAsync(other, workload);
                foreach (int threads in threadCounts)
                {
                    await CompareAsync(run, NameOf(size, threads), workload, workload.WalksFor, threads, ours, other);
                }

                var hot = new Workload(HotEntries, workload.ValueBytes);
                foreach (int threads in hotThreadCounts)
                {
                    await CompareAsync(run, NameOf(Hot + size, threads), hot, hot.WalksFor, threads, ours, other);
                }

                var floor = workload.ValueBytes == FloorBytes && zipfThreadCounts.Length > 0 ? CopyOf(workload) : null;
                foreach (int threads in zipfThreadCounts)
                {
                    await CompareAsync(run, NameOf(Zipf + size, threads), workload, workload.ZipfWalksFor, threads, ours, other, floor);
                }
            }

            OurCache.CheckIsNormal(ours, run.Progress);
            CheckIsMemory(ours);
        }

        Directory.Delete(directory, recursive: true);
    }

    private static async Task CompareAsync(
        ClaimRun run, string name, Workload workload, Func<int, EntryWalk[]> walksFor, int threads, DiskCache ours, MemoryDistributedCache other,
        Dictionary<string, byte[]>? floor = null)
    {
        var ourWalks = walksFor(threads);
        var otherWalks = walksFor(threads);
        List<Turn> turns =
        [
            new("ours", threads, stints => FanOut.ThreadsAsync(
                threads, thread => ReadOurs(ours, workload, ourWalks[thread], stints[thread]))),
            new("memorycache", threads, stints => FanOut.ThreadsAsync(
                threads, thread => ReadOther(other, workload, otherWalks[thread], stints[thread]))),
            new("memorycache" + Copied, threads, stints => FanOut.ThreadsAsync(
                threads, thread => CopyOther(other, workload, otherWalks[thread], stints[thread]))),
        ];
        if (floor is not null)
        {
            var floorWalks = walksFor(threads);
            turns.Add(new(CopyOnly, threads, stints => FanOut.ThreadsAsync(
                threads, thread => CopyFloor(floor, workload, floorWalks[thread], stints[thread]))));
            turns.Add(new(LookupOnly, threads, stints => FanOut.ThreadsAsync(
                threads, thread => ReadFloor(floor, workload, floorWalks[thread], stints[thread]))));
        }

        double[] times = await new Comparison(run, name).RunAsync(turns);
        run.Claim(name, times[0], times[1]);
        run.Claim(name + Copied, times[0], times[2]);
        if (floor is not null)
        {
            string[] names = [.. FloorNamesOf(name)];
            run.Claim(names[0], times[0], times[3]);
            run.Claim(names[1], times[3], times[1]);
            run.Claim(names[2], times[4], times[1]);
        }
    }

    private static Task FillAsync(IDistributedCache cache, Workload workload) => FanOut.CallersAsync(FillingCallers, async caller =>
    {
        for (int entry = caller; entry < workload.Entries; entry += FillingCallers)
        {
            // A copy, because one of the two keeps the very array that it is given; then checking a read would warm it up.
            await cache.SetAsync(workload.Key(entry), workload.Value(entry).ToArray(), s_noExpiry);
        }
    });

    private static void ReadOurs(DiskCache cache, Workload workload, EntryWalk walk, Stint stint)
    {
        var writer = new ArrayBufferWriter<byte>(workload.ValueBytes);
        while (stint.GoesOn())
        {
            Read(cache, workload, walk.Next(), writer);
        }
    }

    private static void Read(DiskCache cache, Workload workload, int entry, ArrayBufferWriter<byte> writer)
    {
        writer.ResetWrittenCount();
        cache.TryGet(workload.Key(entry), writer);
        workload.Check(entry, writer.WrittenSpan);
    }

    private static void ReadOther(MemoryDistributedCache cache, Workload workload, EntryWalk walk, Stint stint)
    {
        while (stint.GoesOn())
        {
            int entry = walk.Next();
            workload.Check(entry, cache.Get(workload.Key(entry)));
        }
    }

    private static void CopyOther(MemoryDistributedCache cache, Workload workload, EntryWalk walk, Stint stint)
    {
        var writer = new ArrayBufferWriter<byte>(workload.ValueBytes);
        while (stint.GoesOn())
        {
            int entry = walk.Next();
            writer.ResetWrittenCount();
            writer.Write(cache.Get(workload.Key(entry)));
            workload.Check(entry, writer.WrittenSpan);
        }
    }

    private static void CopyFloor(Dictionary<string, byte[]> floor, Workload workload, EntryWalk walk, Stint stint)
    {
        var writer = new ArrayBufferWriter<byte>(workload.ValueBytes);
        while (stint.GoesOn())
        {
            int entry = walk.Next();
            writer.ResetWrittenCount();
            writer.Write(floor[workload.Key(entry)]);
            workload.Check(entry, writer.WrittenSpan);
        }
    }

    private static void ReadFloor(Dictionary<string, byte[]> floor, Workload workload, EntryWalk walk, Stint stint)
    {
        while (stint.GoesOn())
        {
            int entry = walk.Next();
            workload.Check(entry, floor[workload.Key(entry)]);
        }
    }

    private static Dictionary<string, byte[]> CopyOf(Workload workload) =>
        Enumerable.Range(0, workload.Entries).ToDictionary(workload.Key, entry => workload.Value(entry).ToArray(), StringComparer.Ordinal);

    /// <summary>
    /// Managed bytes that a hit allocates on the caller's thread, into a buffer that is there already. The least of some passes: what the
    /// runtime allocates once is not the hit's.
    /// </summary>
    private static double AllocatedBytes(DiskCache cache, Workload workload)
    {
        var writer = new ArrayBufferWriter<byte>(workload.ValueBytes);
        var walk = workload.WalksFor(1)[0];
        ReadCounted(CountedOperations);
        long least = long.MaxValue;
        for (int pass = 0; pass < CountedPasses; pass++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            ReadCounted(CountedOperations);
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        return least / (double)CountedOperations;

        void ReadCounted(int operations)
        {
            for (int i = 0; i < operations; i++)
            {
                Read(cache, workload, walk.Next(), writer);
            }
        }
    }

    private static void CheckIsMemory(DiskCache cache)
    {
        var status = cache.GetStatus();
        if (status.DiskHits > status.MemoryHits / 1000)
        {
            throw new InvalidOperationException(
                $"The memory tier has room for every entry and yet answered {status.MemoryHits} lookups beside {status.DiskHits} of the disk tier.");
        }
    }

    private static bool WantsAny(ClaimRun run, string name) => run.Wants(name) || run.Wants(name + Copied);

    private static string NameOf(string size, int threads) => $"mem-get-{size}-{threads}t{Rival}";

    private static IEnumerable<string> FloorNames(string size, int threads) => FloorNamesOf(NameOf(Zipf + size, threads));

    /// <summary>Ours beside the copy; then the copy, and the lookup alone, beside the other.</summary>
    private static IEnumerable<string> FloorNamesOf(string name) =>
        new[] { $"-vs-{CopyOnly}", $"-{CopyOnly}{Rival}", $"-{LookupOnly}{Rival}" }
            .Select(instead => name.Replace(Rival, instead, StringComparison.Ordinal));

    private static string AllocName(string size) => $"mem-get-{size}";
}
