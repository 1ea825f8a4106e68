using System.Collections.Concurrent;
using System.Diagnostics;
using DiskDistributedCache.Diagnostics;
using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Diagnostics;

/// <summary>The activities: that they are those of the docs, and that what needs no disk has none.</summary>
public sealed class ActivityTests : IAsyncLifetime
{
    private readonly string _name = Guid.NewGuid().ToString();
    private readonly ConcurrentQueue<Activity> _stopped = new();
    private readonly ActivityListener _listener;
    private readonly Activity _request = new Activity("request").Start();
    private readonly TierScene _scene;

    public ActivityTests()
    {
        _listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == CacheMetrics.MeterName,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = activity =>
            {
                // The source is the process's, and other tests have caches too.
                if ((string?)activity.GetTagItem("diskcache.name") == _name)
                {
                    _stopped.Enqueue(activity);
                }
            },
        };
        ActivitySource.AddActivityListener(_listener);
        _scene = new TierScene { Name = _name };
    }

    public async ValueTask InitializeAsync()
    {
        // As a first request does that opens the store.
        Activity.Current = _request;
        await _scene.OpenAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _scene.DisposeAsync();
        _listener.Dispose();
        _request.Dispose();
    }

    // Seen to fail when the lanes carried the context of who started them.
    [Fact]
    public async Task The_activities_are_those_of_the_table_in_the_docs()
    {
        Activity.Current = _request;
        await _scene.Set("k", "v");
        await _scene.ReopenClosedAsync();
        Assert.Equal("v", await _scene.Get("k"));
        await _scene.LoseDiskAsync();
        await _scene.Cache.RecoverOnceAsync();
        await _scene.RegainDiskAsync();
        _scene.Files.Fail(FileOperation.Write, TierScene.Superblock);
        await _scene.CloseAsync();
        _scene.Files.Fail(FileOperation.Open, TierScene.Superblock);
        await _scene.OpenAsync();

        Assert.Equal(RowsOfTheTable(), RowsOfTheStopped());
        Assert.Same(_request, Activity.Current);
    }

    // Seen to fail when a memory hit had one.
    [Fact]
    public async Task What_needs_no_disk_has_no_activity()
    {
        await _scene.Set("k", "v");
        _stopped.Clear();

        Assert.Equal("v", await _scene.Get("k"));
        Assert.Null(await _scene.Get("other"));
        Assert.NotNull(_scene.Cache.Get(TierScene.KeyOf("k")).Entry);

        Assert.Empty(_stopped);
    }

    // Seen to fail when an unanswered lookup was a miss, and when nothing was owed.
    [Fact]
    public async Task A_lookup_says_what_it_came_to_and_a_change_whether_it_is_owed()
    {
        await _scene.Set("k", "v");
        await _scene.ReopenClosedAsync();
        _stopped.Clear();

        _scene.Files.Fail(FileOperation.Read, TierScene.Segments, times: 1);
        await _scene.Look("k");
        await _scene.Look("k");
        _scene.Files.Fail(FileOperation.Write, TierScene.Segments, times: 1);
        await _scene.Set("owed", "v");

        Assert.Equal(["unknown", "hit"], _stopped.Where(each => each.OperationName == "diskcache.read").Select(each => each.GetTagItem("diskcache.request.result")));
        var write = Assert.Single(_stopped, each => each.OperationName == "diskcache.write");
        Assert.Equal(true, write.GetTagItem("diskcache.owed"));
        Assert.All(_stopped, each => Assert.Equal(ActivityStatusCode.Unset, each.Status));
    }

    // Seen to fail with an exception of the listener in the lookup, and with an activity left as the caller's current one.
    [Fact]
    public async Task A_listener_that_throws_harms_nobody()
    {
        await _scene.Set("k", "v");
        await _scene.ReopenClosedAsync();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == CacheMetrics.MeterName,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStarted = activity => ThrowIf(activity.TraceId == _request.TraceId && activity.OperationName == "diskcache.read"),
            ActivityStopped = activity => ThrowIf(activity.TraceId == _request.TraceId && activity.OperationName == "diskcache.write"),
        };
        ActivitySource.AddActivityListener(listener);
        Activity.Current = _request;

        Assert.NotNull(_scene.Cache.Get(TierScene.KeyOf("k")).Entry);
        Assert.Same(_request, Activity.Current);
        _scene.Cache.Remove(TierScene.KeyOf("k")).Wait();
        Assert.Same(_request, Activity.Current);
        await _scene.Set("k", "w");
    }

    private static void ThrowIf(bool isMine)
    {
        if (isMine)
        {
            throw new InvalidOperationException("A listener of others.");
        }
    }

    private static string[] RowsOfTheTable() => [.. OperationsPage.Rows("Traces", columnCount: 3)
        .Select(cells => $"{cells[0]} | {cells[1]} | {string.Join(", ", cells[2].Split(", ").Order(StringComparer.Ordinal))}")
        .Order(StringComparer.Ordinal)];

    private string[] RowsOfTheStopped() => [.. _stopped.GroupBy(activity => activity.OperationName)
        .Select(group =>
        {
            string parent = string.Join(" or ", group.Select(each => each.Parent == _request ? "the caller's" : each.ParentId ?? "none").Distinct());
            return $"{group.Key} | {parent} | {string.Join(", ", group.SelectMany(each => each.TagObjects).Select(tag => tag.Key).Distinct().Order(StringComparer.Ordinal))}";
        })
        .Order(StringComparer.Ordinal)];
}
