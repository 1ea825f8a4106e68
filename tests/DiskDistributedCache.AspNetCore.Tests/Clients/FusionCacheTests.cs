using ZiggyCreatures.Caching.Fusion;

namespace DiskDistributedCache.AspNetCore.Tests.Clients;

/// <summary>What FusionCache does with its second level beyond what all clients do.</summary>
public sealed class FusionCacheTests : IAsyncLifetime
{
    private readonly FusionCacheClient _client = new();

    private IFusionCache Fusion => _client.Fusion;

    private ClientScene Scene => _client.Scene;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => await Scene.StartAsync();

    public ValueTask DisposeAsync() => _client.DisposeAsync();

    [Fact]
    public async Task Fail_safe_serves_a_stale_value_from_disk_when_the_factory_fails_after_a_restart()
    {
        await Fusion.SetAsync("g/a", "first", options => options.SetDuration(TimeSpan.FromTicks(1)), tags: ["g"], token: Token);
        await Scene.RestartAsync();

        Assert.Equal("first", await Fusion.GetOrSetAsync<string>("g/a", (_, _) => throw Failed(), tags: ["g"], token: Token));
        Assert.NotEqual(0, Scene.Cache.GetStatus().DiskHits);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Several_tags_are_removed_at_once(bool restart)
    {
        foreach (string group in new[] { "x", "y", "z" })
        {
            await _client.SetAsync(group, "a", "first");
        }

        await Fusion.RemoveByTagAsync(["x", "y"], token: Token);
        if (restart)
        {
            await Scene.RestartAsync();
        }

        Assert.Equal("second", await _client.AskAsync("x", "a", "second"));
        Assert.Equal("second", await _client.AskAsync("y", "a", "second"));
        Assert.Equal("first", await _client.AskAsync("z", "a", "second"));
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public async Task A_clear_takes_everything_and_leaves_it_to_fail_safe_only_if_that_is_allowed(bool allowFailSafe, bool restart)
    {
        await _client.SetAsync("g", "a", "first");
        await _client.SetAsync("g", "b", "first");
        await Fusion.ClearAsync(allowFailSafe, token: Token);
        await _client.SetAsync("g", "after", "first");
        if (restart)
        {
            await Scene.RestartAsync();
        }

        Assert.Equal("second", await _client.AskAsync("g", "a", "second"));
        Assert.Equal("first", await _client.AskAsync("g", "after", "second"));
        var failing = Fusion.GetOrSetAsync<string>("g/b", (_, _) => throw Failed(), tags: ["g"], token: Token).AsTask();
        if (allowFailSafe)
        {
            Assert.Equal("first", await failing);
        }
        else
        {
            await Assert.ThrowsAsync<InvalidOperationException>(() => failing);
        }
    }

    [Fact]
    public async Task An_entry_without_end_and_the_synchronous_members_work_over_a_restart()
    {
        Fusion.Set("a", "first", options => options.SetDurationInfinite(), token: Token);
        await Scene.RestartAsync();
        Scene.Time.Advance(TimeSpan.FromDays(10_000));

        Assert.Equal("first", Fusion.GetOrSet<string>("a", (_, _) => throw Failed(), token: Token));
        Fusion.Remove("a", token: Token);
        await Scene.RestartAsync();
        Assert.Equal("second", Fusion.GetOrSet<string>("a", (_, _) => "second", token: Token));
    }

    // FusionCache learns of trouble by exceptions only: its circuit breaker and its auto-recovery are for caches that throw. Ours owes
    // what it could not write and writes it by itself.
    [Theory]
    [InlineData(Outage.Failing)]
    [InlineData(Outage.ReadOnly)]
    public async Task Neither_the_circuit_breaker_of_FusionCache_nor_its_auto_recovery_has_anything_to_do(Outage outage)
    {
        int changes = 0;
        Fusion.Events.Distributed.CircuitBreakerChange += (_, _) => Interlocked.Increment(ref changes);
        Scene.Break(outage);
        await _client.SetAsync("g", "a", "first");
        await Scene.GiveUpDiskAsync();
        await _client.SetAsync("g", "b", "first");
        Assert.NotEqual(0, Scene.Cache.GetStatus().OwedWrites);

        await Scene.RegainDiskAsync();
        Assert.Equal(0, Scene.Cache.GetStatus().OwedWrites);
        Assert.Equal(0, changes);
        Assert.Equal("", Scene.Log.Complaints);

        await Scene.RestartAsync();
        Assert.Equal("first", await _client.AskAsync("g", "a", "second"));
        Assert.Equal("first", await _client.AskAsync("g", "b", "second"));
    }

    private static InvalidOperationException Failed() => new("The factory has failed.");
}
