using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.IO.Abstractions;
using DiskDistributedCache.Diagnostics;
using DiskDistributedCache.Tests.Infrastructure;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.DependencyInjection;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;

namespace DiskDistributedCache.Tests.Diagnostics;

/// <summary>
/// What arrives with those who listen: the SDK of OpenTelemetry, and a tool that polls from beside the process. Both see every cache of the
/// process, so these tests run alone.
/// </summary>
[CollectionDefinition(nameof(OpenTelemetryTests), DisableParallelization = true)]
[Collection(nameof(OpenTelemetryTests))]
public sealed class OpenTelemetryTests : IAsyncLifetime
{
    private readonly NormalStore _store = new();

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => _store.DisposeAsync();

    // Seen to fail without the boundaries of the histogram.
    [Fact]
    public async Task Metrics_and_traces_arrive_in_the_exporters_of_an_application_that_adds_meter_and_source()
    {
        var metrics = new List<Metric>();
        var activities = new List<Activity>();
        var services = new ServiceCollection();
        var files = new FaultyFileSystem();
        services.AddSingleton<IFileSystem>(files);
        services.AddDiskDistributedCache(options =>
            (options.Directory, options.WitnessDirectory, options.MaxMemoryBytes, options.IoTimeout, options.BreakDuration) =
                (_store.Options.Directory, WitnessFolder.Path, 0, TimeSpan.FromMinutes(1), TimeSpan.FromMinutes(5)));
        services.AddOpenTelemetry()
            .WithMetrics(builder => builder.AddMeter("DiskDistributedCache").AddInMemoryExporter(metrics))
            .WithTracing(builder => builder.AddSource("DiskDistributedCache").AddSource(nameof(OpenTelemetryTests)).AddInMemoryExporter(activities));
        await using var provider = services.BuildServiceProvider();
        var meters = provider.GetRequiredService<MeterProvider>();
        var traces = provider.GetRequiredService<TracerProvider>();
        var cache = provider.GetRequiredService<DiskCache>();
        await cache.StartAsync();
        using var source = new ActivitySource(nameof(OpenTelemetryTests));

        ActivityTraceId trace;
        using (var request = source.StartActivity("request"))
        {
            trace = request!.TraceId;

            // A caller who does not have to wait has no activity.
            var gate = files.Hold(FileOperation.Write, TierScene.Segments, times: 1);
            var set = cache.SetAsync("key", new byte[100], new DistributedCacheEntryOptions(), TestContext.Current.CancellationToken);
            gate.Open();
            await set;
            await cache.GetAsync("key", TestContext.Current.CancellationToken);
        }

        Assert.True(meters.ForceFlush());
        Assert.True(traces.ForceFlush());
        Assert.Equal(
            ["diskcache.write", "diskcache.read", "request"],
            activities.Where(activity => activity.TraceId == trace).Select(activity => activity.OperationName));
        Assert.Equal(1, PointsOf(metrics, "diskcache.requests").Single(point => Has(point, "diskcache.tier", "disk") && Has(point, "diskcache.request.result", "hit")).GetSumLong());
        Assert.Equal(100, PointsOf(metrics, "diskcache.saved.size").Single(point => Has(point, "diskcache.tier", "disk")).GetSumLong());
        Assert.Equal(1, PointsOf(metrics, "diskcache.mode").Single(point => Has(point, "diskcache.mode", "normal")).GetSumLong());
        Assert.All(PointsOf(metrics, "diskcache.requests"), point => Assert.True(Has(point, "diskcache.name", "Default")));

        var reads = PointsOf(metrics, "diskcache.disk.operation.duration").Single(point => Has(point, "diskcache.disk.operation", "read"));
        Assert.Equal(1, reads.GetHistogramCount());
        Assert.Equal(0.00001, FirstBoundOf(reads));
    }

    // Seen to fail when both measured under one name.
    [Fact]
    public async Task Two_caches_on_the_meter_of_one_container_are_told_apart_and_one_goes_on_when_the_other_ends()
    {
        var metrics = new List<Metric>();
        await using var provider = new ServiceCollection().AddMetrics().BuildServiceProvider();
        var factory = provider.GetRequiredService<IMeterFactory>();
        using var meters = OpenTelemetry.Sdk.CreateMeterProviderBuilder().AddMeter("DiskDistributedCache").AddInMemoryExporter(metrics).Build();
        using var orders = Open(factory, $"orders-{_store.Options.Directory}", hits: 3);
        var pages = Open(factory, $"pages-{_store.Options.Directory}", hits: 5);

        meters.ForceFlush();
        Assert.Equal(3, HitsOf(metrics, "orders"));
        Assert.Equal(5, HitsOf(metrics, "pages"));

        pages.Dispose();
        orders.MemoryHits.Increment();
        metrics.Clear();
        meters.ForceFlush();
        Assert.Equal(4, HitsOf(metrics, "orders"));
    }

    // Seen to fail when the name was not on what is measured.
    [Fact]
    public void A_tool_that_polls_sees_every_cache_of_the_process_for_as_long_as_it_lives()
    {
        string suffix = Guid.NewGuid().ToString();
        var seen = new Dictionary<string, long>();
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, self) =>
        {
            if (instrument is { Meter.Name: "DiskDistributedCache", Name: "diskcache.requests" })
            {
                self.EnableMeasurementEvents(instrument);
            }
        };
        listener.SetMeasurementEventCallback<long>((_, value, tags, _) =>
        {
            // Other tests have caches too.
            foreach (var (key, name) in tags)
            {
                if (key == "diskcache.name" && name is string text && text.EndsWith(suffix, StringComparison.Ordinal))
                {
                    seen[text[..^suffix.Length]] = seen.GetValueOrDefault(text[..^suffix.Length]) + value;
                }
            }
        });
        listener.Start();
        using var first = Open(factory: null, "first" + suffix, hits: 1);
        var second = Open(factory: null, "second" + suffix, hits: 2);

        listener.RecordObservableInstruments();
        Assert.Equal([("first", 1L), ("second", 2L)], seen.OrderBy(each => each.Key).Select(each => (each.Key, each.Value)));

        second.Dispose();
        seen.Clear();
        listener.RecordObservableInstruments();
        Assert.Equal([("first", 1L)], seen.Select(each => (each.Key, each.Value)));
    }

    private static CacheMetrics Open(IMeterFactory? factory, string name, int hits)
    {
        var metrics = new CacheMetrics(factory, name);
        metrics.ObserveStatus(() => throw new InvalidOperationException("No instrument that is looked at here asks for it."));
        for (int i = 0; i < hits; i++)
        {
            metrics.MemoryHits.Increment();
        }

        return metrics;
    }

    private long HitsOf(List<Metric> metrics, string name) => PointsOf(metrics, "diskcache.requests")
        .Where(point => Has(point, "diskcache.name", $"{name}-{_store.Options.Directory}") && Has(point, "diskcache.tier", "memory"))
        .Sum(point => point.GetSumLong());

    private static List<MetricPoint> PointsOf(List<Metric> metrics, string name)
    {
        var points = new List<MetricPoint>();
        foreach (var metric in metrics.Where(metric => metric.Name == name))
        {
            foreach (ref readonly var point in metric.GetMetricPoints())
            {
                points.Add(point);
            }
        }

        return points;
    }

    private static bool Has(MetricPoint point, string key, string value)
    {
        foreach (var tag in point.Tags)
        {
            if (tag.Key == key)
            {
                return (string?)tag.Value == value;
            }
        }

        return false;
    }

    private static double FirstBoundOf(MetricPoint point)
    {
        foreach (var bucket in point.GetHistogramBuckets())
        {
            return bucket.ExplicitBound;
        }

        return double.NaN;
    }
}
