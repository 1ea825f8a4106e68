using DiskDistributedCache.Entries;
using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Scenarios;

/// <summary>An application that sets the same keys in the same order before its store is open, more than can be kept until then.</summary>
public sealed class GivenUpNumberTests : IAsyncDisposable
{
    private readonly TierScene _scene = new();

    public ValueTask DisposeAsync() => _scene.DisposeAsync();

    // Seen to fail when it kept the number of before, which every session gives out, and a touch of the session before was brought along as it was.
    [Fact]
    public async Task A_value_that_was_given_up_before_the_opening_does_not_live_as_long_as_that_of_the_session_before()
    {
        _scene.Options.MaxDiskBytes = 16 << 20;
        await WarmUpAsync("first", TimeSpan.FromDays(1));
        _scene.Time.Advance(TimeSpan.FromHours(8));
        Assert.Equal("first", await _scene.Get("k"));
        string segment = Path.GetFileName(Directory.GetFiles(_scene.Folder, "*.seg", SearchOption.AllDirectories).Order().Last());
        await _scene.Cache.DrainAsync();
        await _scene.Cache.TrustOnceAsync();
        _scene.LeaveKilled();

        // The disk will tell, once, that it has lost something of what the first session wrote.
        _scene.Files.Fail(FileOperation.Flush, segment, times: 1);

        await WarmUpAsync("second", TimeSpan.FromMinutes(1));
        await _scene.Cache.DrainAsync();
        await _scene.Cache.HeartbeatOnceAsync();
        await _scene.ReopenKilledWhenTrustedAsync();
        Assert.NotEqual(0, _scene.Cache.GetStatus().Entries);

        _scene.Time.Advance(TimeSpan.FromMinutes(2));
        Assert.Null(await _scene.Get("k"));
    }

    private async Task WarmUpAsync(string value, TimeSpan sliding)
    {
        var cache = _scene.Create();
        await _scene.Set("k", value, expiry: new Expiry(Expiry.Never, sliding.Ticks));
        for (int i = 0; i < 60; i++)
        {
            await _scene.Set($"warm {i}", new string('w', 10_000));
        }

        await cache.StartAsync();
        await cache.HeartbeatOnceAsync();
        await cache.HeartbeatOnceAsync();
        long number = 0;
        await foreach (var (head, _) in cache.ListAsync(CancellationToken.None))
        {
            number = head.Key.Text == "k" ? head.Sequence : number;
        }

        Assert.InRange(number, 1L << 20, long.MaxValue);
    }
}
