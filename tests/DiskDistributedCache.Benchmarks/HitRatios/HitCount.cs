namespace DiskDistributedCache.Benchmarks.HitRatios;

/// <summary>
/// How many requests of a replay were hits. Every request counts, the first one of a key included: nothing is warmed up.
/// </summary>
internal sealed class HitCount
{
    private long _requests;
    private long _hits;
    private long _requestedBytes;
    private long _hitBytes;

    /// <summary>Percent of the requests that were hits.</summary>
    public double OfRequests => 100.0 * _hits / _requests;

    /// <summary>Percent of the requested bytes that were in hits.</summary>
    public double OfBytes => 100.0 * _hitBytes / _requestedBytes;

    public void Count(bool isHit, int sizeBytes)
    {
        _requests++;
        _requestedBytes += sizeBytes;
        if (isHit)
        {
            _hits++;
            _hitBytes += sizeBytes;
        }
    }
}
