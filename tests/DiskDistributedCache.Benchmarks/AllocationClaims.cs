using System.Buffers;
using System.Globalization;
using Microsoft.Extensions.Caching.Distributed;

namespace DiskDistributedCache.Benchmarks;

/// <summary>
/// Managed bytes that an operation allocates, and how many of them on the heap of large objects, which only a full
/// collection cleans. Into and out of buffers that are there already. Hits of memory, and hits of the disk that are promoted to memory,
/// which have to keep the value; and values of 128 KiB with the memory tier off, which have to keep nothing.
/// </summary>
internal sealed class AllocationClaims : ClaimFamily
{
    private const int SmallBytes = 1024;
    private const int LargeBytes = 128 * 1024;
    private const int Operations = 2_000;
    private const int LargeOperations = 100;
    private const int LargestSmallBytes = 85_000;
    private const string SyncHit = "mem-hit-tryget-1k";
    private const string AsyncHit = "mem-hit-trygetasync-1k";
    private const string Promoted = "disk-hit-promoted-1k";
    private const string LargeHit = "buffer-hit-128k";
    private const string LargeGet = "buffer-get-128k";
    private const string LargeSet = "buffer-set-128k";

    private static readonly DistributedCacheEntryOptions s_noExpiry = new();

    public override IEnumerable<string> Names => [SyncHit, AsyncHit, Promoted, LargeHit, LargeGet, LargeSet];

    public override async Task RunAsync(ClaimRun run)
    {
        await MeasureSmallAsync(run, run.NewDirectory("alloc-1k"));
        await MeasureLargeAsync(run, run.NewDirectory("alloc-128k"));
    }

    private static async Task MeasureSmallAsync(ClaimRun run, string directory)
    {
        var workload = new Workload(Operations, SmallBytes);
        var found = new ArrayBufferWriter<byte>(SmallBytes);
        await using (var cache = await FillAsync(workload, directory, memoryBytes: 64 << 20))
        {
            Print(run, SyncHit, await AllocatedByHitAsync(Operations, entry =>
            {
                found.ResetWrittenCount();
                return new ValueTask<bool>(cache.TryGet(workload.Key(entry), found));
            }));
            Print(run, AsyncHit, await AllocatedByHitAsync(Operations, entry => TryGetAsync(cache, workload, entry, found)));
        }

        // Memory for a tenth of the entries: by the time that an entry is read again, the others have driven it out.
        await using (var cache = await OurCache.OpenAsync(OptionsFor(directory, workload.Entries * SmallBytes / 10)))
        {
            var allocated = await AllocatedAsync(Operations, entry => TryGetAsync(cache, workload, entry, found));
            var status = cache.GetStatus();
            if (status.DiskHits < 20 * status.MemoryHits)
            {
                throw new InvalidOperationException($"{status.MemoryHits} hits of memory beside {status.DiskHits} of the disk: memory is too large.");
            }

            Print(run, Promoted, allocated, $" beyond-value={allocated.Bytes - SmallBytes:0.##}");
        }
    }

    private static async Task MeasureLargeAsync(ClaimRun run, string directory)
    {
        var workload = new Workload(LargeOperations, LargeBytes);
        var found = new ArrayBufferWriter<byte>(LargeBytes);
        await using (var cache = await FillAsync(workload, directory, memoryBytes: 128 << 20))
        {
            Print(run, LargeHit, await AllocatedByHitAsync(LargeOperations, entry => TryGetAsync(cache, workload, entry, found)));
        }

        await using (var cache = await OurCache.OpenAsync(OptionsFor(directory, 0)))
        {
            Print(run, LargeGet, await AllocatedAsync(LargeOperations, entry => TryGetAsync(cache, workload, entry, found)));
            Print(run, LargeSet, await AllocatedAsync(LargeOperations, async entry =>
            {
                await cache.SetAsync(workload.Key(entry), new ReadOnlySequence<byte>(workload.Value(entry)), s_noExpiry);
                return true;
            }));
            OurCache.CheckIsNormal(cache, run.Progress);
        }
    }

    private static ValueTask<bool> TryGetAsync(DiskCache cache, Workload workload, int entry, ArrayBufferWriter<byte> found)
    {
        found.ResetWrittenCount();
        return cache.TryGetAsync(workload.Key(entry), found);
    }

    /// <summary>The same by what never waits, and so stays on the caller's thread: nothing that another one allocates is counted.</summary>
    private static Task<(double Bytes, double LargeBytes)> AllocatedByHitAsync(int operations, Func<int, ValueTask<bool>> operateAsync) =>
        AllocatedAsync(operations, operateAsync, GC.GetAllocatedBytesForCurrentThread);

    private static Task<(double Bytes, double LargeBytes)> AllocatedAsync(int operations, Func<int, ValueTask<bool>> operateAsync) =>
        AllocatedAsync(operations, operateAsync, () => GC.GetTotalAllocatedBytes(precise: true));

    /// <summary>
    /// Per operation, all of them awaited by one caller. The least of some passes: what the runtime allocates once, when it compiles a method anew
    /// or a timer of the cache ticks, is not the operation's. Large objects are counted in a pass of their own, because reporting them allocates.
    /// </summary>
    private static async Task<(double Bytes, double LargeBytes)> AllocatedAsync(
        int operations, Func<int, ValueTask<bool>> operateAsync, Func<long> allocated)
    {
        const int Passes = 5;
        double least = double.MaxValue;
        for (int pass = 0; pass < Passes; pass++)
        {
            GC.Collect();
            long before = allocated();
            await PassAsync(operations, operateAsync);
            least = Math.Min(least, (double)(allocated() - before) / operations);
        }

        if (least < LargestSmallBytes)
        {
            // So few bytes hold no large object.
            return (least, 0);
        }

        using var large = await LargeObjects.StartAsync();
        await PassAsync(operations, operateAsync);
        return (least, (double)await large.CountAsync() / operations);
    }

    private static async Task PassAsync(int operations, Func<int, ValueTask<bool>> operateAsync)
    {
        const int AllowedMisses = 1000;
        int misses = 0;
        for (int i = 0; i < operations; i++)
        {
            misses += await operateAsync(i) ? 0 : 1;
        }

        if (misses > operations / AllowedMisses)
        {
            throw new InvalidOperationException($"{misses} of {operations} operations found nothing.");
        }
    }

    private static async Task<DiskCache> FillAsync(Workload workload, string directory, long memoryBytes)
    {
        var cache = await OurCache.OpenAsync(OptionsFor(directory, memoryBytes));
        for (int entry = 0; entry < workload.Entries; entry++)
        {
            await cache.SetAsync(workload.Key(entry), workload.Value(entry), s_noExpiry);
        }

        return cache;
    }

    private static DiskDistributedCacheOptions OptionsFor(string directory, long memoryBytes) =>
        new() { Directory = directory, MaxMemoryBytes = memoryBytes };

    private static void Print(ClaimRun run, string name, (double Bytes, double LargeBytes) allocated, FormattableString? more = null) =>
        run.Result(string.Create(CultureInfo.InvariantCulture, $"alloc {name} bytes={allocated.Bytes:0.##} loh-bytes={allocated.LargeBytes:0.##}")
            + (more is null ? "" : FormattableString.Invariant(more)));
}
