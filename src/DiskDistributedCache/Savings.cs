using DiskDistributedCache.Diagnostics;
using DiskDistributedCache.Entries;
using Microsoft.Extensions.Logging;

namespace DiskDistributedCache;

/// <summary>
/// Counts what hits have saved: bytes, and what the application says besides. The application is asked once for each time that an
/// entry comes to memory; what it says stays with the entry. The bytes of a memory hit are counted where the hit is, in the same line of
/// memory, so that without <see cref="DiskDistributedCacheOptions.SavedPerHit"/> it costs nothing here.
/// </summary>
internal sealed class Savings
{
    private readonly Func<DiskCacheHit, long>? _savedPerHit;
    private readonly CacheMetrics _metrics;
    private readonly ILogger _logger;
    private int _failures;

    public Savings(DiskDistributedCacheOptions options, CacheMetrics metrics, ILoggerFactory loggerFactory)
    {
        _savedPerHit = options.SavedPerHit;
        _metrics = metrics;
        _logger = new SafeLogger(loggerFactory.CreateLogger(Log.CategoryOf(options.Name)));
        if (_savedPerHit is not null)
        {
            metrics.ObserveSavedCost(options.SavedUnit);
        }
    }

    /// <summary>Whether the application is asked, which takes an entry.</summary>
    public bool NeedsEntry => _savedPerHit is not null;

    /// <summary>A caller got an entry from a tier.</summary>
    public void Count(CacheEntry entry, DiskCacheTier tier)
    {
        bool isFromMemory = tier == DiskCacheTier.Memory;
        if (!isFromMemory)
        {
            _metrics.DiskHits.Add(0, entry.Value.Length);
        }

        if (_savedPerHit is not null)
        {
            int saved = SavedBy(entry);
            _metrics.SavedCost.Add(isFromMemory ? saved : 0, isFromMemory ? 0 : saved);
        }
    }

    private int SavedBy(CacheEntry entry)
    {
        int saved = entry.SavedPerHit;
        if (saved == CacheEntry.NotEstimated)
        {
            entry.SavedPerHit = saved = Ask(entry);
        }

        return saved;
    }

    private int Ask(CacheEntry entry)
    {
        try
        {
            return (int)Math.Clamp(_savedPerHit!(new DiskCacheHit(entry.Key.Text, entry.Value.AsArray(), entry.Tags)), 0, int.MaxValue);
        }
        catch (Exception exception)
        {
            // An estimate is not worth the answer to a caller who has got one.
            if (Interlocked.Increment(ref _failures) == 1)
            {
                Log.SavedPerHitFailed(_logger, exception);
            }

            return 0;
        }
    }
}
