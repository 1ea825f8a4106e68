using System.Diagnostics.Metrics;

namespace DiskDistributedCache.Tests.Infrastructure;

/// <summary>
/// A meter factory that listens to its own meters only, as a tool beside the process does. The name of a cache that has none is not part of its
/// series here.
/// </summary>
internal sealed class CollectedMeter : IMeterFactory
{
    private readonly MeterListener _listener = new();
    private readonly Lock _lock = new();

    // Guarded by _lock: the lanes measure too.
    private readonly List<Meter> _meters = [];
    private readonly List<(string Instrument, string Series, double Value)> _measurements = [];
    private readonly Dictionary<string, SortedSet<string>> _attributes = [];

    public CollectedMeter()
    {
        _listener.InstrumentPublished = (instrument, self) =>
        {
            if (instrument.Meter.Scope == this)
            {
                Instruments.Add(instrument);
                self.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<int>((instrument, value, tags, _) => Add(instrument, value, tags));
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Add(instrument, value, tags));
        _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Add(instrument, value, tags));
        _listener.Start();
    }

    public List<Instrument> Instruments { get; } = [];

    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _measurements.Count;
            }
        }
    }

    public Meter Create(MeterOptions options)
    {
        var meter = new Meter(options.Name, options.Version, options.Tags, scope: this);
        _meters.Add(meter);
        return meter;
    }

    public void Collect()
    {
        lock (_lock)
        {
            _measurements.RemoveAll(measurement => Instruments.Any(instrument => instrument.IsObservable && instrument.Name == measurement.Instrument));
        }

        _listener.RecordObservableInstruments();
    }

    public void Clear()
    {
        lock (_lock)
        {
            _measurements.Clear();
        }
    }

    public double Last(string series) => Of(measurement => measurement.Series == series).Last();

    public double Total(string series) => Of(measurement => measurement.Series == series).Sum();

    public double Sum(string instrument) => Of(measurement => measurement.Instrument == instrument).Sum();

    public int SeriesOf(string instrument) => Of(measurement => measurement.Instrument == instrument).Length;

    /// <summary>How often it was measured.</summary>
    public int CountOf(string series) => Of(measurement => measurement.Series == series).Length;

    /// <summary>In alphabetical order.</summary>
    public string AttributesOf(string instrument)
    {
        lock (_lock)
        {
            return _attributes.GetValueOrDefault(instrument) is { Count: > 0 } names ? string.Join(", ", names) : "-";
        }
    }

    public void Dispose()
    {
        _listener.Dispose();
        _meters.ForEach(meter => meter.Dispose());
    }

    private double[] Of(Func<(string Instrument, string Series, double Value), bool> condition)
    {
        lock (_lock)
        {
            return [.. _measurements.Where(condition).Select(measurement => measurement.Value)];
        }
    }

    private void Add(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var sorted = tags.ToArray().OrderBy(tag => tag.Key, StringComparer.Ordinal).ToArray();
        var told = sorted.Where(tag => tag is not { Key: "diskcache.name", Value: "Default" }).Select(tag => $"{tag.Key}={tag.Value}");
        lock (_lock)
        {
            _measurements.Add((instrument.Name, string.Join(' ', [instrument.Name, .. told]), value));
            var names = _attributes.TryGetValue(instrument.Name, out var known) ? known : _attributes[instrument.Name] = new(StringComparer.Ordinal);
            names.UnionWith(sorted.Select(tag => tag.Key));
        }
    }
}
