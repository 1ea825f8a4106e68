using Microsoft.Extensions.Caching.Distributed;
using NeoSmart.Caching.Sqlite;
using ZiggyCreatures.Caching.Fusion;
using ZiggyCreatures.Caching.Fusion.Serialization.SystemTextJson;

namespace DiskDistributedCache.Reliability.Rivals;

/// <summary>A persistent cache over a folder, set up as its own documentation shows, with its defaults.</summary>
internal abstract class Contender : IAsyncDisposable
{
    public const string Ours = "DiskDistributedCache";
    public const string NeoSmart = "NeoSmart.Caching.Sqlite";
    public const string Fusion = "FusionCache over NeoSmart";

    public static IReadOnlyList<string> Names { get; } = [Ours, NeoSmart, Fusion];

    /// <summary>Opens the cache of a folder and waits until it can be used.</summary>
    public static async Task<Contender> OpenAsync(string name, string folder) => name switch
    {
        Ours => await OurContender.OpenAsync(folder),
        NeoSmart => new SqliteContender(folder),
        Fusion => new FusionContender(folder),
        _ => throw new ArgumentException($"'{name}' is no contender.", nameof(name)),
    };

    public abstract Task<byte[]?> GetAsync(string key);

    public abstract Task SetAsync(string key, byte[] value);

    public abstract Task RemoveAsync(string key);

    public abstract ValueTask DisposeAsync();

    private static SqliteCache OpenSqlite(string folder) =>
        new(new SqliteCacheOptions { CachePath = Path.Combine(folder, "cache.db") });

    private sealed class OurContender(DiskCache cache) : Contender
    {
        private const int OpenSeconds = 20;

        public static async Task<Contender> OpenAsync(string folder)
        {
            var cache = new DiskCache(new DiskDistributedCacheOptions { Directory = folder });

            // In an application the host opens it before the first request.
            await cache.GetAsync("the first use opens it");
            long began = Environment.TickCount64;
            while (cache.GetStatus().Mode == DiskCacheMode.Starting && Environment.TickCount64 - began < OpenSeconds * 1000)
            {
                await Task.Delay(1);
            }

            return new OurContender(cache);
        }

        public override Task<byte[]?> GetAsync(string key) => cache.GetAsync(key);

        public override Task SetAsync(string key, byte[] value) => cache.SetAsync(key, value, new DistributedCacheEntryOptions());

        public override Task RemoveAsync(string key) => cache.RemoveAsync(key);

        public override ValueTask DisposeAsync() => cache.DisposeAsync();
    }

    private sealed class SqliteContender(string folder) : Contender
    {
        private readonly SqliteCache _cache = OpenSqlite(folder);

        public override async Task<byte[]?> GetAsync(string key) => await _cache.GetAsync(key);

        public override Task SetAsync(string key, byte[] value) => _cache.SetAsync(key, value, new DistributedCacheEntryOptions());

        public override Task RemoveAsync(string key) => _cache.RemoveAsync(key);

        public override ValueTask DisposeAsync() => _cache.DisposeAsync();
    }

    private sealed class FusionContender : Contender
    {
        private readonly SqliteCache _second;
        private readonly FusionCache _cache;

        public FusionContender(string folder)
        {
            _second = OpenSqlite(folder);
            _cache = new FusionCache(new FusionCacheOptions { DefaultEntryOptions = new FusionCacheEntryOptions(TimeSpan.FromDays(1)) });
            _cache.SetupDistributedCache(_second, new FusionCacheSystemTextJsonSerializer());
        }

        public override async Task<byte[]?> GetAsync(string key)
        {
            var found = await _cache.TryGetAsync<byte[]>(key);
            return found.HasValue ? found.Value : null;
        }

        public override async Task SetAsync(string key, byte[] value) => await _cache.SetAsync(key, value);

        public override async Task RemoveAsync(string key) => await _cache.RemoveAsync(key);

        public override async ValueTask DisposeAsync()
        {
            _cache.Dispose();
            await _second.DisposeAsync();
        }
    }
}
