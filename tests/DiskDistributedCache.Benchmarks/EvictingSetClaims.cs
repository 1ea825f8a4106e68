using DiskDistributedCache.Entries;
using DiskDistributedCache.Testing;
using DiskDistributedCache.Tiers;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.Options;

namespace DiskDistributedCache.Benchmarks;

/// <summary>
/// Sets into memory that is full, so that each of them evicts, beside <see cref="MemoryDistributedCache"/>, which has room for everything and
/// evicts nothing. Ours holds half of the entries and is set all of them, round and round: each is a new one when its turn comes again.
///
/// Once the memory tier alone, which like the other one keeps the array that it is given. And once the whole cache in memory-only mode, its
/// disk refusing every call (<c>whole</c>): it copies the value, numbers it, and owes it to the disk.
/// </summary>
internal sealed class EvictingSetClaims : ClaimFamily
{
    private const int ValueBytes = 1024;
    private const string Tier = "mem-set-1k-evicting";
    private const string Whole = "mem-set-1k-evicting-whole";

    private static readonly TimeSpan s_givingUpLimit = TimeSpan.FromSeconds(20);
    private static readonly DistributedCacheEntryOptions s_noExpiry = new();
    private static readonly int[] s_threads = [1, 2];

    public override IEnumerable<string> Names =>
        from threads in s_threads from what in new[] { Tier, Whole } select NameOf(what, threads);

    public override async Task RunAsync(ClaimRun run)
    {
        var workload = new Workload(run.Scale.EntriesOf1KiB, ValueBytes);
        var tier = new MemoryTier(Enumerable.Range(0, workload.Entries).Sum(entry => MemoryTier.WeightOf(EntryOf(workload, entry))) / 2);
        var files = new FaultInjectingFileSystem { KeepsCalls = false };
        string directory = run.NewDirectory("evicting");
        files.Fail(FileOperation.Any, directory);
        await using var cache = await OpenWithoutDiskAsync(files, directory, tier.BudgetBytes);
        var rival = new MemoryDistributedCache(Options.Create(new MemoryDistributedCacheOptions { SizeLimit = 4L << 30 }));
        foreach (int threads in s_threads)
        {
            if (run.Wants(NameOf(Tier, threads)) || run.Wants(NameOf(Whole, threads)))
            {
                long evictedBefore = tier.EvictedCount;
                double[] times = await new Comparison(run, NameOf(Tier, threads)).RunAsync(
                [
                    TurnOf("tier", workload, threads, entry => tier.Put(EntryOf(workload, entry), pinned: false)),
                    TurnOf("whole", workload, threads, entry => cache.Set(workload.Key(entry), workload.Value(entry), s_noExpiry)),
                    TurnOf("memorycache", workload, threads, entry => rival.Set(workload.Key(entry), workload.Value(entry), s_noExpiry)),
                ]);
                run.Progress($"{tier.EvictedCount - evictedBefore} entries were evicted from the tier; the cache holds {cache.GetStatus().MemoryBytes} bytes");
                run.Claim(NameOf(Tier, threads), times[0], times[2]);
                run.Claim(NameOf(Whole, threads), times[1], times[2]);
            }
        }

        if (tier.EvictedCount < workload.Entries / 2 || cache.GetStatus() is { Mode: not DiskCacheMode.MemoryOnly })
        {
            throw new InvalidOperationException($"What was measured is no eviction in memory: {tier.EvictedCount} left, mode {cache.GetStatus().Mode}.");
        }
    }

    private static Turn TurnOf(string name, Workload workload, int threads, Action<int> set)
    {
        var walks = workload.WalksFor(threads);
        return new Turn(name, threads, stints => FanOut.ThreadsAsync(threads, thread =>
        {
            while (stints[thread].GoesOn())
            {
                set(walks[thread].Next());
            }
        }));
    }

    private static CacheEntry EntryOf(Workload workload, int entry) =>
        new(new CacheKey(KeySpace.Data, workload.Key(entry)), workload.Value(entry), [], Expiry.None, Expiry.Never);

    /// <summary>A cache whose disk has been given up.</summary>
    private static async Task<DiskCache> OpenWithoutDiskAsync(FaultInjectingFileSystem files, string directory, long memoryBytes)
    {
        var options = new DiskDistributedCacheOptions
        {
            Directory = directory,
            MaxMemoryBytes = memoryBytes,
            MemoryOnlyMaxMemoryBytes = memoryBytes,
        };
        var cache = OurCache.Create(options, files);
        await cache.GetAsync("the store is opened by this");
        if (!await OurCache.UntilAsync(() => cache.GetStatus().Mode == DiskCacheMode.MemoryOnly, s_givingUpLimit))
        {
            await cache.DisposeAsync();
            throw new InvalidOperationException("A disk that refuses every call was not given up.");
        }

        return cache;
    }

    private static string NameOf(string what, int threads) => $"{what}-{threads}t-vs-memorycache";
}
