using System.Diagnostics.Metrics;
using DiskDistributedCache.Diagnostics;
using DiskDistributedCache.Tests.Infrastructure;
using Microsoft.Extensions.Caching.Distributed;

namespace DiskDistributedCache.Tests.Diagnostics;

/// <summary>An exporter that blocks, for one because it writes to the disk that hangs, keeps nobody waiting but itself.</summary>
public sealed class BlockedListenerTests : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);
    private static readonly DistributedCacheEntryOptions s_noExpiry = new();

    private readonly string _directory = Directory.CreateTempSubdirectory("diskcache-test-").FullName;
    private readonly FaultyFileSystem _files = new();
    private readonly MeterListener _listener = new();
    private readonly TaskCompletionSource _called = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ManualResetEventSlim _release = new();
    private int _calls;
    private long _measured;

    public void Dispose()
    {
        _release.Set();
        _files.Heal();
        _listener.Dispose();
        Directory.Delete(_directory, recursive: true);
        _release.Dispose();
    }

    // Seen to fail when the listener was called by the watchdog.
    [Fact]
    public async Task Who_waits_for_a_hung_disk_is_let_go()
    {
        await using var cache = Open(_files);
        await cache.StartAsync();
        await cache.SetAsync("cold", [1], s_noExpiry, Token);
        BlockFirstOf("diskcache.fallbacks");
        _files.Hold(FileOperation.Any, ".seg");

        var late = Task.Run(() => cache.SetAsync("late", [1], s_noExpiry, Token), Token);
        await _called.Task.WaitAsync(s_patience, Token);

        Assert.Null(await Task.Run(() => cache.GetAsync("cold", Token), Token).WaitAsync(s_patience, Token));
        await late.WaitAsync(s_patience, Token);
        _release.Set();
        _files.Heal();
    }

    // Seen to fail when the listener was called under the lock that all mutations need while the store is not open.
    [Fact]
    public async Task Others_change_the_cache_of_a_second_process_meanwhile()
    {
        await using var owner = Open(new FaultyFileSystem());
        await owner.StartAsync();
        await using var second = Open(_files);
        await second.StartAsync();
        BlockFirstOf("diskcache.fallbacks");

        var first = Task.Run(() => second.SetAsync("a", [1], s_noExpiry, Token), Token);
        await _called.Task.WaitAsync(s_patience, Token);

        await first.WaitAsync(s_patience, Token);
        await Task.Run(() => second.TakeTicket(), Token).WaitAsync(s_patience, Token);
        await Task.Run(() => second.SetAsync("a", [2], s_noExpiry, Token), Token).WaitAsync(s_patience, Token);
        Assert.Equal([2], await second.GetAsync("a", Token));
        _release.Set();
    }

    // Seen to fail when each mutation that was owed was told by a thread of its own.
    [Fact]
    public async Task One_that_blocks_each_time_takes_one_thread_of_the_pool_and_is_told_everything_in_the_end()
    {
        const int Sets = 2000;
        await using var owner = Open(new FaultyFileSystem());
        await owner.StartAsync();
        await using var second = Open(_files);
        await second.StartAsync();
        Block("diskcache.fallbacks", calls: int.MaxValue);

        for (int i = 0; i < Sets; i++)
        {
            second.Set($"key {i}", [1], s_noExpiry);
        }

        await _called.Task.WaitAsync(s_patience, Token);
        using var ran = new CountdownEvent(100);
        for (int i = 0; i < ran.InitialCount; i++)
        {
            ThreadPool.UnsafeQueueUserWorkItem(static ran => ran.Signal(), ran, preferLocal: false);
        }

        Assert.True(ran.Wait(s_patience, Token));
        Assert.Equal(1, Volatile.Read(ref _calls));
        _release.Set();
        while (Interlocked.Read(ref _measured) < Sets)
        {
            await Task.Delay(1, Token);
        }

        Assert.Equal(Sets, Interlocked.Read(ref _measured));
    }

    // Seen to fail when the listener was called under the lock of the mode.
    [Fact]
    public async Task The_mode_changes_meanwhile()
    {
        var cache = Open(_files);
        BlockFirstOf("diskcache.mode.transitions");
        var start = Task.Run(cache.StartAsync, Token);
        await _called.Task.WaitAsync(s_patience, Token);

        await start.WaitAsync(s_patience, Token);
        await Task.Run(() => cache.DisposeAsync().AsTask(), Token).WaitAsync(s_patience, Token);

        Assert.Equal(DiskCacheMode.Closed, cache.GetStatus().Mode);
        _release.Set();
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private DiskCache Open(FaultyFileSystem files) => new(
        new DiskDistributedCacheOptions { Name = _directory, Directory = _directory, WitnessDirectory = WitnessFolder.Path, MaxMemoryBytes = 0 }, files);

    private void BlockFirstOf(string instrument) => Block(instrument, calls: 1);

    private void Block(string instrument, int calls)
    {
        _listener.InstrumentPublished = (published, listener) =>
        {
            if (published.Meter.Name == CacheMetrics.MeterName && published.Name == instrument)
            {
                listener.EnableMeasurementEvents(published);
            }
        };
        _listener.SetMeasurementEventCallback<long>((_, measured, tags, _) =>
        {
            // Not what caches of other tests measure meanwhile.
            if (!tags.Contains(new KeyValuePair<string, object?>(CacheMetrics.NameAttribute, _directory)))
            {
                return;
            }

            if (Interlocked.Increment(ref _calls) <= calls)
            {
                _called.TrySetResult();
                _release.Wait(s_patience * 2);
            }

            Interlocked.Add(ref _measured, measured);
        });
        _listener.Start();
    }
}
