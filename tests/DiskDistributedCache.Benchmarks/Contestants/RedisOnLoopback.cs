using System.Buffers;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Caching.StackExchangeRedis;
using Microsoft.Extensions.Options;

namespace DiskDistributedCache.Benchmarks.Contestants;

/// <summary>Redis behind the distributed cache of ASP.NET Core, in a server process of its own.</summary>
internal sealed class RedisOnLoopback : Contestant
{
    private static readonly DistributedCacheEntryOptions s_noExpiry = new();

    private readonly RedisServer _server;
    private readonly RedisCache _cache;
    private readonly ArrayBufferWriter<byte>[] _writers;

    private RedisOnLoopback(Workload workload, RedisServer server)
        : base("redis", workload)
    {
        _server = server;
        _cache = new RedisCache(Options.Create(new RedisCacheOptions { Configuration = server.Address }));
        _writers = [.. Enumerable.Range(0, MaxCallers).Select(_ => new ArrayBufferWriter<byte>(workload.ValueBytes))];
    }

    /// <summary>Starts a server. Null where none is installed.</summary>
    public static async Task<Contestant?> TryOpenAsync(Workload workload, string directory) =>
        await RedisServer.TryStartAsync(directory) is { } server ? new RedisOnLoopback(workload, server) : null;

    public override async ValueTask<ReadOnlyMemory<byte>> GetAsync(int caller, int entry)
    {
        var writer = _writers[caller];
        writer.ResetWrittenCount();
        return await ((IBufferDistributedCache)_cache).TryGetAsync(Workload.Key(entry), writer) ? writer.WrittenMemory : default;
    }

    public override ValueTask SetAsync(int caller, int entry) =>
        new(_cache.SetAsync(Workload.Key(entry), Workload.Value(entry), s_noExpiry));

    public override async ValueTask DisposeAsync()
    {
        _cache.Dispose();
        await _server.DisposeAsync();
    }
}
