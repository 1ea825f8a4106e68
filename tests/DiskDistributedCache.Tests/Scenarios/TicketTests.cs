using DiskDistributedCache.Tests.Infrastructure;
using Microsoft.Extensions.Caching.Distributed;

namespace DiskDistributedCache.Tests.Scenarios;

/// <summary>A value that was made from data which were read before an eviction, and stored after it, is dead on arrival.</summary>
public sealed class TicketTests : IAsyncLifetime
{
    private static readonly string[] s_tags = ["t", "other"];
    private readonly NormalStore _environment = new();

    public async ValueTask InitializeAsync() => await _environment.OpenAsync();

    public ValueTask DisposeAsync() => _environment.DisposeAsync();

    private DiskCache Cache => _environment.Cache;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    // Seen to fail when a value counted as made when it was stored.
    [Theory]
    [InlineData("evict")]
    [InlineData("clear")]
    public async Task A_value_is_not_stored_when_an_eviction_came_after_its_ticket(string how)
    {
        await SetAsync("k", "older", Cache.TakeTicket());
        var ticket = Cache.TakeTicket();
        await InvalidateAsync(how);

        await SetAsync("k", "out of date", ticket);

        Assert.Null(await GetAsync("k"));
        await _environment.RestartAsync();
        Assert.Null(await GetAsync("k"));
    }

    [Theory]
    [InlineData("evict")]
    [InlineData("clear")]
    public async Task A_value_is_stored_when_the_eviction_came_before_its_ticket(string how)
    {
        await InvalidateAsync(how);
        var ticket = Cache.TakeTicket();

        await SetAsync("k", "v", ticket);

        Assert.Equal("v", await GetAsync("k"));
        await _environment.RestartAsync();
        Assert.Equal("v", await GetAsync("k"));
    }

    [Fact]
    public async Task An_eviction_of_another_tag_does_not_matter()
    {
        var ticket = Cache.TakeTicket();
        await Cache.EvictByTagAsync("unrelated", Token);
        await SetAsync("k", "v", ticket);
        Assert.Equal("v", await GetAsync("k"));
    }

    [Fact]
    public async Task A_clear_kills_values_without_tags_too()
    {
        var ticket = Cache.TakeTicket();
        await Cache.ClearAsync(Token);
        await Cache.SetAsync("k", "v"u8.ToArray(), new(), tags: null, ticket, Token);
        Assert.Null(await GetAsync("k"));
    }

    // Seen to fail when only the key's own value went: what was older than the mark outlived it.
    [Fact]
    public async Task A_value_that_is_retained_and_dead_on_arrival_costs_everything_that_its_predecessor_may_have_invalidated()
    {
        const string Mark = "__MSFT_HCT__tag";
        var ticket = Cache.TakeTicket();
        await Cache.ClearAsync(Token);
        await Cache.SetAsync("older", "out of date"u8.ToArray(), new(), Token);
        await Cache.SetAsync(Mark, "m"u8.ToArray(), new(), Token);

        await Cache.SetAsync(Mark, "n"u8.ToArray(), new(), tags: null, ticket, Token);

        Assert.Null(await GetAsync(Mark));
        Assert.Null(await GetAsync("older"));
        await _environment.RestartAsync();
        Assert.Null(await GetAsync("older"));
    }

    // Seen to fail when only the barriers that are still known were asked.
    [Fact]
    public async Task An_eviction_that_is_forgotten_since_counts_as_one_that_came()
    {
        _environment.Options.MaxDiskBytes = 1 << 20;
        await _environment.RestartAsync();
        var ticket = Cache.TakeTicket();
        await Cache.EvictByTagAsync("t", Token);
        for (int i = 0; i < 600; i++)
        {
            await Cache.SetAsync($"filler {i}", new byte[4000], new(), Token);
        }

        await SetAsync("k", "out of date", ticket);

        Assert.Null(await GetAsync("k"));
        await Cache.SetAsync("untagged", "v"u8.ToArray(), new(), tags: null, ticket, Token);
        Assert.Equal("v", await GetAsync("untagged"));
    }

    // Seen to fail when the number of the ticket was not moved with the others.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_ticket_from_before_the_opening_is_good_for_afterwards(bool isEvicted)
    {
        await Cache.EvictByTagAsync("t", Token);
        await SetAsync("past", "v", Cache.TakeTicket());
        await Cache.DisposeAsync();
        await using var cache = _environment.CreateCache();
        var ticket = cache.TakeTicket();
        if (isEvicted)
        {
            await cache.EvictByTagAsync("t", Token);
        }

        await cache.StartAsync();
        await cache.SetAsync("k", "v"u8.ToArray(), new(), s_tags, ticket, Token);

        Assert.Equal(isEvicted, await cache.GetAsync("k", Token) is null);
        Assert.Equal(isEvicted, await cache.GetAsync("past", Token) is null);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_value_that_was_stored_with_a_ticket_before_the_opening_keeps_it(bool isEvicted)
    {
        await Cache.DisposeAsync();
        var files = new FaultyFileSystem();
        var gate = files.Hold(FileOperation.Any, "superblock");
        _environment.Options.IoTimeout = TimeSpan.FromMilliseconds(1);
        await using var cache = new DiskCache(_environment.Options, files, _environment.Time);
        var ticket = cache.TakeTicket();
        if (isEvicted)
        {
            await cache.EvictByTagAsync("t", Token);
        }

        await cache.SetAsync("k", "v"u8.ToArray(), new(), s_tags, ticket, Token);
        Assert.Equal(isEvicted, await cache.GetAsync("k", Token) is null);
        gate.Open();
        await cache.StartAsync();
        Assert.Equal(isEvicted, await cache.GetAsync("k", Token) is null);
    }

    [Fact]
    public async Task A_ticket_of_another_cache_or_of_none_is_refused()
    {
        await using var other = _environment.CreateCache();
        var foreign = other.TakeTicket();

        await Assert.ThrowsAsync<ArgumentException>("ticket", () => SetAsync("k", "v", foreign));
        await Assert.ThrowsAsync<ArgumentException>("ticket", () => SetAsync("k", "v", default));
        Assert.Null(await GetAsync("k"));
    }

    [Fact]
    public async Task Tickets_are_equal_when_nothing_happened_in_between()
    {
        var first = Cache.TakeTicket();
        var second = Cache.TakeTicket();
        await Cache.EvictByTagAsync("t", Token);
        var third = Cache.TakeTicket();

        Assert.True(first == second);
        Assert.Equal(first.GetHashCode(), second.GetHashCode());
        Assert.True(first != third);
        Assert.False(first.Equals((object)third));
    }

    private Task InvalidateAsync(string how) =>
        how == "evict" ? Cache.EvictByTagAsync("t", Token).AsTask() : Cache.ClearAsync(Token).AsTask();

    private Task SetAsync(string key, string value, DiskCacheTicket ticket) =>
        Cache.SetAsync(key, System.Text.Encoding.UTF8.GetBytes(value), new DistributedCacheEntryOptions(), s_tags, ticket, Token);

    private async Task<string?> GetAsync(string key) =>
        await Cache.GetAsync(key, Token) is { } value ? System.Text.Encoding.UTF8.GetString(value) : null;
}
