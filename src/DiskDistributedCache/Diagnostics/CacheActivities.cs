using System.Diagnostics;

namespace DiskDistributedCache.Diagnostics;

/// <summary>
/// The activities of the cache: where a caller waits for the disk, as a child of the caller's, and what the disk's lanes do on their own
/// at the beginning, at the end and after an outage. A memory hit, a read of what the operating system has in memory and a proven miss
/// have none. Without a listener nothing is created. Never a key, a tag or a value.
/// </summary>
/// <param name="name">Tells the caches of a process apart.</param>
internal sealed class CacheActivities(string name)
{
    private static readonly ActivitySource s_source =
        new(CacheMetrics.MeterName, typeof(CacheActivities).Assembly.GetName().Version?.ToString(3));

    /// <summary>Whether anybody listens.</summary>
    public static bool IsObserved => s_source.HasListeners();

    /// <summary>A lookup waits for a read lane.</summary>
    public CacheActivity Read() => Start("diskcache.read");

    /// <summary>The caller of a mutation waits for the writer lane.</summary>
    public CacheActivity Write() => Start("diskcache.write");

    /// <summary>The store is opened.</summary>
    public CacheActivity Open() => Start("diskcache.open");

    /// <summary>A disk that was given up is brought back.</summary>
    public CacheActivity Recover() => Start("diskcache.recover");

    /// <summary>The store is closed.</summary>
    public CacheActivity Close() => Start("diskcache.close");

    private CacheActivity Start(string operation)
    {
        if (!s_source.HasListeners())
        {
            return default;
        }

        var current = Activity.Current;
        try
        {
            return new CacheActivity(s_source.StartActivity(operation)?.SetTag(CacheMetrics.NameAttribute, name));
        }
        catch (Exception)
        {
            // A listener's trouble is its own: it runs in this call.
            Activity.Current = current;
            return default;
        }
    }
}

/// <summary>An activity, or none where nobody listens.</summary>
internal readonly struct CacheActivity(Activity? activity) : IDisposable
{
    /// <summary>What a lookup came to.</summary>
    public void HasRead(bool isAnswered, bool isHit) =>
        activity?.SetTag("diskcache.request.result", !isAnswered ? "unknown" : isHit ? "hit" : "miss");

    /// <summary>Whether a mutation is on disk or owed to it.</summary>
    public void HasWritten(bool isOwed) => activity?.SetTag("diskcache.owed", isOwed);

    /// <summary>What the opening found.</summary>
    public void HasOpened(bool isNew, int entries, int holes, int scanned) => activity?
        .SetTag("diskcache.open.new", isNew)
        .SetTag("diskcache.open.entries", entries)
        .SetTag("diskcache.open.holes", holes)
        .SetTag("diskcache.open.scanned", scanned);

    public void Failed(Exception exception) => activity?
        .SetTag("error.type", exception.GetType().FullName)
        .SetStatus(ActivityStatusCode.Error, exception.Message);

    public void Dispose()
    {
        try
        {
            activity?.Dispose();
        }
        catch (Exception)
        {
            // As at the start.
            Activity.Current = activity?.Parent;
        }
    }
}
