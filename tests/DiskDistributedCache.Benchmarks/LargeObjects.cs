using System.Diagnostics;
using System.Diagnostics.Tracing;
using System.Globalization;

namespace DiskDistributedCache.Benchmarks;

/// <summary>
/// Counts what is allocated on the heap of large objects, as the runtime reports it: about every 100 KB for each heap, so a value above that
/// is reported by itself and smaller ones a few at a time. Reports are late but in order, so the end of a count is a large object of its own.
/// </summary>
internal sealed class LargeObjects : EventListener
{
    private const EventKeywords Collector = (EventKeywords)1;
    private const uint LargeKind = 1;

    private const int MarkerBytes = 16 << 20;
    private const int ArrayHeaderBytes = 24;

    private static readonly TimeSpan s_reportLimit = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan s_reportTime = TimeSpan.FromMilliseconds(400);

    // Changed by the thread that reports only.
    private long _allocatedBytes;
    private int _markers;

    private LargeObjects()
    {
    }

    /// <summary>Begins to count. Reports begin a moment after they were asked for.</summary>
    /// <exception cref="InvalidOperationException">The runtime does not report.</exception>
    public static async Task<LargeObjects> StartAsync()
    {
        var counting = new LargeObjects();
        await counting.CountAsync();
        return counting;
    }

    /// <summary>What has been allocated since the start, or since the call before. A marker that is not reported is followed by another one.</summary>
    /// <exception cref="InvalidOperationException">The runtime does not report.</exception>
    public async Task<long> CountAsync()
    {
        int before = Volatile.Read(ref _markers);
        for (long began = Stopwatch.GetTimestamp(); Volatile.Read(ref _markers) == before;)
        {
            if (Stopwatch.GetElapsedTime(began) > s_reportLimit)
            {
                throw new InvalidOperationException("The runtime does not report what it allocates on the heap of large objects.");
            }

            GC.KeepAlive(GC.AllocateUninitializedArray<byte>(MarkerBytes - ArrayHeaderBytes));
            await OurCache.UntilAsync(() => Volatile.Read(ref _markers) > before, s_reportTime);
        }

        for (int seen = before; await OurCache.UntilAsync(() => Volatile.Read(ref _markers) > seen, s_reportTime);)
        {
            seen = Volatile.Read(ref _markers);
        }

        return Math.Max(0, Interlocked.Exchange(ref _allocatedBytes, 0));
    }

    protected override void OnEventSourceCreated(EventSource eventSource)
    {
        if (eventSource.Name == "Microsoft-Windows-DotNETRuntime")
        {
            EnableEvents(eventSource, EventLevel.Verbose, Collector);
        }
    }

    protected override void OnEventWritten(EventWrittenEventArgs eventData)
    {
        if (eventData.EventName?.StartsWith("GCAllocationTick", StringComparison.Ordinal) == true
            && FieldOf(eventData, "AllocationKind") == LargeKind)
        {
            long bytes = FieldOf(eventData, "AllocationAmount64");
            bool isMarker = bytes > MarkerBytes / 2;
            Interlocked.Add(ref _allocatedBytes, isMarker ? bytes - MarkerBytes : bytes);
            _markers += isMarker ? 1 : 0;
        }
    }

    private static long FieldOf(EventWrittenEventArgs tick, string name) =>
        tick.PayloadNames?.IndexOf(name) is int place and >= 0 ? Convert.ToInt64(tick.Payload![place], CultureInfo.InvariantCulture) : 0;
}
