namespace DiskDistributedCache.Diagnostics;

/// <summary>A counter that many threads may raise at once: one cell for each few processors, a cache line apart.</summary>
internal sealed class StripedCounter
{
    private const int StripeCount = 16;
    private const int LongsPerLine = 8;
    private readonly long[] _cells = new long[(StripeCount + 1) * LongsPerLine];

    public long Value
    {
        get
        {
            long sum = 0;
            for (int stripe = 1; stripe <= StripeCount; stripe++)
            {
                sum += Volatile.Read(ref _cells[stripe * LongsPerLine]);
            }

            return sum;
        }
    }

    public void Increment() =>
        Interlocked.Increment(ref _cells[(1 + (Thread.GetCurrentProcessorId() & (StripeCount - 1))) * LongsPerLine]);
}

/// <summary>What the cache counts. All counts begin at the creation of the cache and only grow.</summary>
internal sealed class CacheMetrics
{
    private long _diskErrors;
    private long _oversizedEntries;

    public StripedCounter MemoryHits { get; } = new();

    public StripedCounter DiskHits { get; } = new();

    public StripedCounter Misses { get; } = new();

    public long DiskErrors => Volatile.Read(ref _diskErrors);

    public long OversizedEntries => Volatile.Read(ref _oversizedEntries);

    public void CountDiskErrors(int count) => Interlocked.Add(ref _diskErrors, count);

    /// <summary>Returns how many there have been, this one included.</summary>
    public long CountOversizedEntry() => Interlocked.Increment(ref _oversizedEntries);
}
