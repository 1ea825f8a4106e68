using System.Diagnostics.Metrics;

namespace DiskDistributedCache.Benchmarks;

/// <summary>
/// The counters of one cache, which is made with this as its meter factory: what it wrote to its disk, everything included, and how often it
/// made room there.
/// </summary>
internal sealed class DiskCounts : IMeterFactory
{
    private readonly List<Meter> _meters = [];
    private readonly MeterListener _listener = new();

    public DiskCounts()
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (ReferenceEquals(instrument.Meter.Scope, this))
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Take(instrument.Name, value, tags));
        _listener.Start();
    }

    public long WrittenBytes { get; private set; }

    public long ReclaimedSegments { get; private set; }

    public Meter Create(MeterOptions options)
    {
        options.Scope = this;
        var meter = new Meter(options);
        _meters.Add(meter);
        return meter;
    }

    /// <summary>Asks for the counters as they are now.</summary>
    public void Look() => _listener.RecordObservableInstruments();

    public void Dispose()
    {
        _listener.Dispose();
        _meters.ForEach(meter => meter.Dispose());
    }

    private void Take(string name, long value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        if (name == "diskcache.reclaim.segments")
        {
            ReclaimedSegments = value;
        }

        foreach (var tag in tags)
        {
            if (name == "diskcache.disk.io" && tag is { Key: "disk.io.direction", Value: "write" })
            {
                WrittenBytes = value;
            }
        }
    }
}
