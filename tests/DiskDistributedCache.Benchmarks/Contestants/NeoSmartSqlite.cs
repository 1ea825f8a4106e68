using Microsoft.Extensions.Caching.Distributed;
using NeoSmart.Caching.Sqlite;

namespace DiskDistributedCache.Benchmarks.Contestants;

/// <summary>NeoSmart.Caching.Sqlite with its defaults, in a file of its own.</summary>
internal sealed class NeoSmartSqlite : Contestant
{
    private const int FillBatch = 1000;

    private static readonly DistributedCacheEntryOptions s_noExpiry = new();

    private readonly SqliteCache _cache;

    public NeoSmartSqlite(Workload workload, string directory)
        : base("neosmart", workload)
    {
        _cache = new SqliteCache(new SqliteCacheOptions { CachePath = Path.Combine(directory, "cache.db") });
    }

    public override async ValueTask<ReadOnlyMemory<byte>> GetAsync(int caller, int entry)
    {
        // Null where there is no such key, whatever the signature says; that converts to empty memory.
        byte[]? value = await _cache.GetAsync(Workload.Key(entry));
        return value;
    }

    public override ValueTask SetAsync(int caller, int entry) =>
        new(_cache.SetAsync(Workload.Key(entry), Workload.Value(entry), s_noExpiry));

    public override async Task FillAsync()
    {
        foreach (int[] entries in Enumerable.Range(0, Workload.Entries).Chunk(FillBatch))
        {
            await _cache.SetBulkAsync(
                entries.Select(entry => KeyValuePair.Create(Workload.Key(entry), Workload.Value(entry))), s_noExpiry);
        }
    }

    public override ValueTask DisposeAsync() => _cache.DisposeAsync();
}
