namespace DiskDistributedCache;

/// <summary>
/// Tells which tier answered the lookups that were made since <see cref="Begin"/> in the same asynchronous flow, for
/// response headers and diagnostics.
/// </summary>
/// <remarks>
/// Lookups of the distributed cache and of the output cache count alike; a refresh is not a lookup. Requests that share one
/// lookup of the output-cache middleware see it in the flow of the first of them only. Observers nest: an outer one sees
/// the lookups of the inner ones. As long as a process has never called <see cref="Begin"/>, a lookup costs one read of a
/// flag more.
/// </remarks>
/// <example>
/// <code>
/// using var lookup = DiskCacheLookup.Begin();
/// await next(context);
/// logger.LogDebug("{Count} lookups, the last one answered by {Tier}", lookup.Lookups, lookup.Tier);
/// </code>
/// </example>
public sealed class DiskCacheLookup : IDisposable
{
    private const int Miss = -1;

    private static readonly AsyncLocal<DiskCacheLookup?> s_current = new();
    private static volatile bool s_anyObserver;

    private readonly DiskCacheLookup? _outer;
    private volatile int _tier = Miss;
    private int _lookups;

    private DiskCacheLookup(DiskCacheLookup? outer) => _outer = outer;

    /// <summary>
    /// The tier that answered the last lookup; <see langword="null"/> when that was a miss, or when there was no lookup yet.
    /// </summary>
    public DiskCacheTier? Tier => _tier is var tier and not Miss ? (DiskCacheTier)tier : null;

    /// <summary>The number of lookups so far.</summary>
    public int Lookups => Volatile.Read(ref _lookups);

    /// <summary>Starts to observe the lookups of the current asynchronous flow and of the flows that start from it.</summary>
    public static DiskCacheLookup Begin()
    {
        s_anyObserver = true;
        return s_current.Value = new DiskCacheLookup(s_current.Value);
    }

    /// <summary>Ends the observation for the current flow, if this is its innermost observer. The results stay readable.</summary>
    public void Dispose()
    {
        if (s_current.Value == this)
        {
            s_current.Value = _outer;
        }
    }

    internal static void Record(DiskCacheTier? tier)
    {
        if (!s_anyObserver)
        {
            return;
        }

        for (var observer = s_current.Value; observer is not null; observer = observer._outer)
        {
            observer._tier = tier is { } answered ? (int)answered : Miss;
            Interlocked.Increment(ref observer._lookups);
        }
    }
}
