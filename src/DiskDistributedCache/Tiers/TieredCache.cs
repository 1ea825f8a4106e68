#pragma warning disable CA1822 // SKELETON
using System.Collections.Concurrent;
using System.IO.Abstractions;
using DiskDistributedCache.Entries;
using Microsoft.Extensions.Logging;

namespace DiskDistributedCache.Tiers;

// SKELETON: memory only, so that the rooms above can be built. The real one follows.
internal sealed class TieredCache(
    DiskDistributedCacheOptions options,
    IFileSystem fileSystem,
    TimeProvider timeProvider,
    ILoggerFactory loggerFactory) : IDisposable, IAsyncDisposable
{
    private readonly ConcurrentDictionary<CacheKey, CacheEntry> _entries = new();

    public CacheClock Clock { get; } = new(timeProvider);

    /// <summary>Begins to open the store, once; later calls do nothing. Returns a task that completes when the store is open or has failed to.</summary>
    public Task StartAsync()
    {
        _ = options;
        _ = fileSystem;
        _ = loggerFactory;
        return Task.CompletedTask;
    }

    /// <summary>Answers at once what needs no disk: a memory hit or a proven miss. False where the disk has to be asked.</summary>
    public bool TryGetNow(in CacheKey key, out Lookup lookup)
    {
        lookup = Get(key);
        return true;
    }

    /// <summary>Looks a key up and blocks for at most the I/O timeout.</summary>
    public Lookup Get(in CacheKey key)
    {
        if (!_entries.TryGetValue(key, out var entry) || entry.IsExpired(Clock.NowTicks))
        {
            return Lookup.Miss;
        }

        entry.Deadline = entry.Expiry.DeadlineFrom(Clock.NowTicks);
        return Lookup.Hit(entry, DiskCacheTier.Memory);
    }

    public ValueTask<Lookup> GetAsync(CacheKey key) => new(Get(key));

    /// <summary>Stores an entry in place of what the key had. The entry's arrays belong to the cache from here on.</summary>
    public Acknowledgement Set(CacheEntry entry)
    {
        if (entry.Value.Length > options.MaxEntryBytes)
        {
            return Remove(entry.Key);
        }

        _entries[entry.Key] = entry;
        return Acknowledgement.Done;
    }

    public Acknowledgement Remove(CacheKey key)
    {
        _entries.TryRemove(key, out _);
        return Acknowledgement.Done;
    }

    public Acknowledgement EvictByTag(string tag)
    {
        foreach (var (key, entry) in _entries)
        {
            if (entry.Tags.Contains(tag, StringComparer.Ordinal))
            {
                _entries.TryRemove(key, out _);
            }
        }

        return Acknowledgement.Done;
    }

    public Acknowledgement Clear()
    {
        _entries.Clear();
        return Acknowledgement.Done;
    }

    public DiskCacheStatus GetStatus() => new()
    {
        Mode = DiskCacheMode.Starting,
        Since = timeProvider.GetUtcNow(),
        LastFault = null,
        Entries = _entries.Count,
        DiskBytes = 0,
        MemoryBytes = 0,
        MemoryHits = 0,
        DiskHits = 0,
        Misses = 0,
        DiskErrors = 0,
        CorruptionErrors = 0,
        QuarantinedRecords = 0,
        OwedWrites = 0,
        OversizedEntries = 0,
    };

    /// <summary>Writes and syncs what is under way, without closing: the host stops, other services may still mutate.</summary>
    public Task DrainAsync() => Task.CompletedTask;

    public void Dispose()
    {
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
