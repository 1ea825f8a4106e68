using System.Buffers;
using Microsoft.Extensions.Caching.Distributed;

namespace DiskDistributedCache.Benchmarks.Contestants;

/// <summary>The cache with its memory tier off.</summary>
internal sealed class OurDiskTier : Contestant
{
    private static readonly DistributedCacheEntryOptions s_noExpiry = new();

    private readonly DiskCache _cache;
    private readonly ArrayBufferWriter<byte>[] _writers;

    private OurDiskTier(Workload workload, DiskCache cache)
        : base("ours", workload)
    {
        _cache = cache;
        _writers = [.. Enumerable.Range(0, MaxCallers).Select(_ => new ArrayBufferWriter<byte>(workload.ValueBytes))];
    }

    public static async Task<Contestant> OpenAsync(Workload workload, string directory)
    {
        var options = new DiskDistributedCacheOptions
        {
            Directory = directory,
            MaxMemoryBytes = 0,

            // No rival has a limit, and reclaim is not what these claims are about. The entries fit into the default.
            MaxDiskBytes = 8L << 30,
        };
        return new OurDiskTier(workload, await OurCache.OpenAsync(options));
    }

    public override async ValueTask<ReadOnlyMemory<byte>> GetAsync(int caller, int entry)
    {
        var writer = _writers[caller];
        writer.ResetWrittenCount();
        return await _cache.TryGetAsync(Workload.Key(entry), writer) ? writer.WrittenMemory : default;
    }

    public override ValueTask SetAsync(int caller, int entry) =>
        new(_cache.SetAsync(Workload.Key(entry), Workload.Value(entry), s_noExpiry));

    public override void CheckAfterwards(ClaimRun run)
    {
        OurCache.CheckIsNormal(_cache, run.Progress);
        var status = _cache.GetStatus();
        // A write that was late stays in memory until it is on disk; the run reads some entries to check them, also where it only sets.
        long checks = Workload.Entries / 40;
        if (status.MemoryHits > checks + (status.DiskHits / 1000))
        {
            throw new InvalidOperationException(
                $"The memory tier is off and yet answered {status.MemoryHits} lookups beside {status.DiskHits} of the disk tier.");
        }
    }

    public override ValueTask DisposeAsync() => _cache.DisposeAsync();
}
