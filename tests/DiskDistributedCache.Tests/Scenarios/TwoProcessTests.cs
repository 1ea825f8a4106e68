using DiskDistributedCache.Entries;
using DiskDistributedCache.Tests.Infrastructure;
using DiskDistributedCache.Tiers;

namespace DiskDistributedCache.Tests.Scenarios;

/// <summary>Two processes over one directory, as in a rolling deployment: the second works from memory until the first leaves.</summary>
public sealed class TwoProcessTests : IAsyncLifetime
{
    private const int StoreOpened = 1;
    private const int StoreUnavailable = 3;
    private readonly TierScene _first = new();
    private readonly CollectedLog _secondLog = new();
    private readonly FaultyFileSystem _secondFiles = new();
    private TieredCache? _second;

    public async ValueTask InitializeAsync()
    {
        await _first.OpenAsync();
        await _first.Set("shared", "first");
        await _first.Set("removed by the second", "first");
        _second = new TieredCache(_first.Options, _secondFiles, _first.Time, _secondLog);
        await _second.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _second!.DisposeAsync();
        await _first.DisposeAsync();
    }

    // Seen to fail without the lock.
    [Fact]
    public async Task The_second_process_works_from_memory_and_says_why()
    {
        await SetAsync("own", "second");

        Assert.Equal("second", Read("own"));
        Assert.Null(Read("shared"));
        Assert.Equal(DiskCacheMode.MemoryOnly, _second!.GetStatus().Mode);
        Assert.Contains("cache.lock", _second.GetStatus().LastFault, StringComparison.Ordinal);
        Assert.Equal(1, _secondLog.Count(StoreUnavailable));
        Assert.Equal("first", await _first.Get("shared"));
        Assert.Null(await _first.Get("own"));
    }

    // Seen to fail when the reason of the first opening stayed, and only that was logged.
    [Fact]
    public async Task When_the_first_one_has_left_and_the_store_does_not_open_status_and_log_say_why_now()
    {
        await _first.CloseAsync();
        _secondFiles.Fail(FileOperation.Any, TierScene.Segments, error: DiskError.AccessDenied);

        await _second!.RecoverOnceAsync();
        await _second.RecoverOnceAsync();

        var status = _second.GetStatus();
        Assert.Contains("UnauthorizedAccessException", status.Reason, StringComparison.Ordinal);
        Assert.Equal(status.Reason, status.LastFault);
        Assert.Equal(DiskCacheMode.MemoryOnly, status.Mode);
        Assert.Equal(2, _secondLog.Count(StoreUnavailable));
    }

    // Seen to hang when the heartbeat did not try to open the store again.
    [Fact]
    public async Task The_second_process_takes_over_when_the_first_one_leaves()
    {
        await SetAsync("own", "second");
        await _second!.Remove(TierScene.KeyOf("removed by the second")).AsValueTask();
        await _first.Set("set while the second ran", "first");
        await _first.CloseAsync();
        var opened = _secondLog.NextAsync(StoreOpened);

        _first.Time.Advance(_first.Options.HeartbeatInterval);
        await opened;
        await _second.DrainAsync();

        Assert.Equal(DiskCacheMode.Normal, _second.GetStatus().Mode);
        Assert.Equal("first", Read("shared"));
        Assert.Equal("first", Read("set while the second ran"));
        Assert.Equal("second", Read("own"));
        Assert.Null(Read("removed by the second"));
    }

    // Seen to fail without the lock.
    [Fact]
    public async Task The_first_process_does_not_notice_that_the_second_one_ends()
    {
        Assert.Null(Read("shared"));
        await _second!.DisposeAsync();
        await _first.Set("after", "first");

        await _first.ReopenClosedAsync();

        Assert.Equal("first", await _first.Get("shared"));
        Assert.Equal("first", await _first.Get("after"));
        Assert.Null(await _first.Get("own"));
        Assert.True(File.Exists(Path.Combine(_first.Options.Directory!, "diskcache-v1", "cache.lock")));
    }

    // Seen to fail when a process that did not own the store left no mark: the next one served what the second had removed.
    [Fact]
    public async Task What_a_process_acknowledged_that_never_owned_the_store_is_not_undone_by_the_next_one()
    {
        await _second!.Remove(TierScene.KeyOf("removed by the second")).AsValueTask();
        await _second.DisposeAsync();
        Assert.Equal("first", await _first.Get("shared"));

        await _first.ReopenClosedAsync();

        Assert.Null(await _first.Get("removed by the second"));
    }

    private ValueTask SetAsync(string key, string value) => _second!.Set(
        new CacheEntry(TierScene.KeyOf(key), System.Text.Encoding.UTF8.GetBytes(value), [], Expiry.None, Expiry.Never)).AsValueTask();

    private string? Read(string key) =>
        _second!.Get(TierScene.KeyOf(key)).Entry is { } entry ? System.Text.Encoding.UTF8.GetString(entry.Value.ToArray()) : null;
}
