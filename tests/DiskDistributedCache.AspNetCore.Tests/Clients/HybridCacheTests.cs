using Microsoft.Extensions.Caching.Hybrid;

namespace DiskDistributedCache.AspNetCore.Tests.Clients;

/// <summary>What HybridCache does with its second level beyond what all clients do.</summary>
public sealed class HybridCacheTests : IAsyncLifetime
{
    private readonly HybridCacheClient _client = new();

    private HybridCache Hybrid => _client.Hybrid;

    private ClientScene Scene => _client.Scene;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => await Scene.StartAsync();

    public ValueTask DisposeAsync() => _client.DisposeAsync();

    // With a restart in between: MarkersOfHybridCache.
    [Fact]
    public async Task The_tag_of_everything_takes_everything_that_is_older()
    {
        await _client.SetAsync("g", "old", "first");
        await Hybrid.SetAsync("untagged", "first", cancellationToken: Token);
        await _client.RemoveGroupAsync("*");
        await _client.SetAsync("g", "new", "first");

        Assert.Equal("second", await _client.AskAsync("g", "old", "second"));
        Assert.Equal("second", await Hybrid.GetOrCreateAsync("untagged", _ => ValueTask.FromResult("second"), cancellationToken: Token));
        Assert.Equal("first", await _client.AskAsync("g", "new", "second"));
        Assert.Equal("", Scene.Log.Complaints);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_entry_has_the_lifetime_that_it_was_given(bool restart)
    {
        var minutes = new HybridCacheEntryOptions { Expiration = TimeSpan.FromMinutes(5), Flags = HybridCacheEntryFlags.DisableLocalCache };
        await Hybrid.SetAsync("a", "first", minutes, cancellationToken: Token);

        Scene.Time.Advance(TimeSpan.FromMinutes(4));
        if (restart)
        {
            await Scene.RestartAsync();
        }

        Assert.Equal("first", await AskAsync());
        Scene.Time.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal("second", await AskAsync());

        ValueTask<string> AskAsync() => Hybrid.GetOrCreateAsync("a", _ => ValueTask.FromResult("second"), minutes, cancellationToken: Token);
    }

    // HybridCache limits the value when it writes, and value, key and tags together when it reads: its writer throws then.
    [Fact]
    public async Task A_payload_that_HybridCache_refuses_to_read_back_is_no_fault_of_the_disk()
    {
        string value = new('v', HybridCacheClient.MaxPayloadBytes - 10);
        for (int i = 0; i < 20; i++)
        {
            await _client.SetAsync("g", $"{i}", value);
        }

        await Scene.RestartAsync();
        for (int i = 0; i < 20; i++)
        {
            Assert.Equal("second", await _client.AskAsync("g", $"{i}", "second"));
        }

        var status = Scene.Cache.GetStatus();
        Assert.Contains("Max length exceeded", Scene.Log.Complaints, StringComparison.Ordinal);
        Assert.Equal((DiskCacheMode.Normal, 0, 0), (status.Mode, status.DiskErrors, status.CorruptionErrors));
    }

    [Fact]
    public async Task Large_values_and_objects_come_back_after_a_restart()
    {
        string large = new('x', 100_000);
        await _client.SetAsync("g", "large", large);
        await Hybrid.SetAsync("object", new Person("Ann", 42), cancellationToken: Token);

        await Scene.RestartAsync();

        Assert.Equal(large, await _client.AskAsync("g", "large", "second"));
        Assert.Equal(new Person("Ann", 42), await Hybrid.GetOrCreateAsync<Person>("object", _ => throw MustNotBeCalled(), cancellationToken: Token));
    }

    private static InvalidOperationException MustNotBeCalled() => new("The value should have come from disk.");

    private sealed record Person(string Name, int Age);
}
