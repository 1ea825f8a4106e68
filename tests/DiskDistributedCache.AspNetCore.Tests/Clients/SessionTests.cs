namespace DiskDistributedCache.AspNetCore.Tests.Clients;

/// <summary>Sessions: they live as long as somebody visits them, over restarts too, and a visit costs no write.</summary>
public sealed class SessionTests : IAsyncLifetime
{
    private static readonly TimeSpan s_idleTimeout = TimeSpan.FromMinutes(20);

    private readonly SessionClient _client = new() { IdleTimeout = s_idleTimeout };

    private long _written;

    private ClientScene Scene => _client.Scene;

    public async ValueTask InitializeAsync() => await Scene.StartAsync();

    public ValueTask DisposeAsync() => _client.DisposeAsync();

    // Seen to fail when a lookup does not slide, and when the deadlines that only memory knows are not written at the close.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_session_that_is_only_read_lives_on_as_long_as_it_is_visited_in_time(bool restarts)
    {
        await _client.SetAsync("ann", "name", "Ann");
        for (int visit = 0; visit < 10; visit++)
        {
            Scene.Time.Advance(s_idleTimeout - TimeSpan.FromTicks(1));
            if (restarts)
            {
                await Scene.RestartAsync();
            }

            Assert.Equal("Ann", await _client.ReadAsync("ann", "name"));

            // Shortly after, from memory: so short that nothing on disk is told.
            Scene.Time.Advance(s_idleTimeout / 100);
            Assert.Equal("Ann", await _client.ReadAsync("ann", "name"));
        }

        Scene.Time.Advance(s_idleTimeout);
        if (restarts)
        {
            await Scene.RestartAsync();
        }

        Assert.Equal("", await _client.ReadAsync("ann", "name"));
        Assert.Equal("", Scene.Log.Complaints);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_session_comes_from_disk_after_a_restart_whether_it_is_loaded_synchronously_or_not(bool isLoadedFirst)
    {
        await _client.SetAsync("ann", "name", "Ann");
        await _client.SetAsync("bob", "name", "Bob");
        await Scene.RestartAsync();

        Assert.Equal("Ann", await _client.LoadAndReadAsync("ann", "name", isLoadedFirst));
        Assert.Equal("Bob", await _client.LoadAndReadAsync("bob", "name", isLoadedFirst));
        Assert.Equal(2, Scene.Cache.GetStatus().DiskHits);
    }

    // Seen to fail when each touch is logged.
    [Fact]
    public async Task Visits_that_change_nothing_write_nothing()
    {
        await _client.SetAsync("ann", "name", "Ann");
        await DrainAndCountAsync();
        long nothing = await DrainAndCountAsync();

        for (int visit = 0; visit < 50; visit++)
        {
            Scene.Time.Advance(TimeSpan.FromMilliseconds(50));
            Assert.Equal("Ann", await _client.ReadAsync("ann", "name"));
        }

        Assert.Equal(nothing, await DrainAndCountAsync());
    }

    /// <summary>Waits until everything is on disk, and answers how many bytes have been written since the last time.</summary>
    private async Task<long> DrainAndCountAsync()
    {
        await Scene.Cache.DrainAsync();
        long before = _written;
        _written = Scene.Files.BytesWritten;
        return _written - before;
    }
}
