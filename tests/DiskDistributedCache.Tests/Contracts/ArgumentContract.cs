using System.Buffers;
using DiskDistributedCache.Tests.Infrastructure;
using Microsoft.Extensions.Caching.Distributed;

namespace DiskDistributedCache.Tests.Contracts;

/// <summary>What is refused, with which exception, and that nothing has happened then.</summary>
public abstract class ArgumentContract<TEnvironment> : CacheContract<TEnvironment>
    where TEnvironment : CacheEnvironment, new()
{
    private static readonly byte[] s_value = [1, 2, 3];

    [Fact]
    public async Task A_null_key_is_refused_by_every_member()
    {
        var writer = new ArrayBufferWriter<byte>();

        Assert.Throws<ArgumentNullException>("key", () => Cache.Get(null!));
        Assert.Throws<ArgumentNullException>("key", () => Cache.TryGet(null!, writer));
        Assert.Throws<ArgumentNullException>("key", () => Cache.Set(null!, s_value, Forever));
        Assert.Throws<ArgumentNullException>("key", () => Cache.Set(null!, default(ReadOnlySequence<byte>), Forever));
        Assert.Throws<ArgumentNullException>("key", () => Cache.Refresh(null!));
        Assert.Throws<ArgumentNullException>("key", () => Cache.Remove(null!));
        await Refuses("key", () => Cache.GetAsync(null!, Token));
        await Refuses("key", () => Cache.TryGetAsync(null!, writer, Token).AsTask());
        await Refuses("key", () => Cache.SetAsync(null!, s_value, Forever, Token));
        await Refuses("key", () => Cache.SetAsync(null!, default(ReadOnlySequence<byte>), Forever, Token).AsTask());
        await Refuses("key", () => Cache.SetAsync(null!, s_value, Forever, ["tag"], Token));
        await Refuses("key", () => Cache.RefreshAsync(null!, Token));
        await Refuses("key", () => Cache.RemoveAsync(null!, Token));
    }

    [Fact]
    public async Task Null_values_options_writers_and_tags_are_refused_in_the_order_of_the_parameters()
    {
        Assert.Throws<ArgumentNullException>("key", () => Cache.Set(null!, null!, null!));
        Assert.Throws<ArgumentNullException>("value", () => Cache.Set("key", null!, null!));
        Assert.Throws<ArgumentNullException>("options", () => Cache.Set("key", s_value, null!));
        Assert.Throws<ArgumentNullException>("options", () => Cache.Set("key", default(ReadOnlySequence<byte>), null!));
        Assert.Throws<ArgumentNullException>("destination", () => Cache.TryGet("key", null!));
        await Refuses("key", () => Cache.SetAsync(null!, null!, null!, Token));
        await Refuses("value", () => Cache.SetAsync("key", null!, null!, Token));
        await Refuses("options", () => Cache.SetAsync("key", s_value, null!, Token));
        await Refuses("options", () => Cache.SetAsync("key", default(ReadOnlySequence<byte>), null!, Token).AsTask());
        await Refuses("key", () => Cache.SetAsync(null!, null!, null!, [null!], default(DiskCacheTicket), Token));
        await Refuses("value", () => Cache.SetAsync("key", null!, null!, [null!], default(DiskCacheTicket), Token));
        await Refuses("options", () => Cache.SetAsync("key", default(ReadOnlySequence<byte>), null!, [null!], default(DiskCacheTicket), Token).AsTask());
        await Refuses("destination", () => Cache.TryGetAsync("key", null!, Token).AsTask());
        await Refuses("tag", () => Cache.EvictByTagAsync(null!, Token).AsTask());
    }

    [Fact]
    public async Task A_null_among_the_tags_is_refused_and_nothing_is_stored()
    {
        await Cache.SetAsync("key", s_value, Forever, Token);

        var refusal = await Assert.ThrowsAsync<ArgumentException>(
            () => Cache.SetAsync("key", [9], Forever, ["tag", null!], Token));

        Assert.Equal("tags", refusal.ParamName);
        await BetweenWriteAndReadAsync();
        Assert.Equal(s_value, await ReadAsync("key"));
    }

    [Theory]
    [InlineData(Way.Sync)]
    [InlineData(Way.Async)]
    [InlineData(Way.SyncSequence)]
    [InlineData(Way.AsyncSequence)]
    public async Task An_absolute_expiration_in_the_past_is_refused_and_the_entry_stays(Way way)
    {
        var now = Time.GetUtcNow();
        await Cache.SetAsync("key", s_value, Forever, Token);

        foreach (var moment in new[] { now, now.AddTicks(-1), now.ToOffset(TimeSpan.FromHours(5)), DateTimeOffset.MinValue })
        {
            var options = new DistributedCacheEntryOptions
            {
                AbsoluteExpiration = moment,
                AbsoluteExpirationRelativeToNow = TimeSpan.FromHours(1),
            };
            var refusal = await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => WriteAsync(way, "key", [9], options));
            Assert.Equal("AbsoluteExpiration", refusal.ParamName);
            Assert.Equal(moment, refusal.ActualValue);
            Assert.StartsWith("The absolute expiration value must be in the future.", refusal.Message, StringComparison.Ordinal);
        }

        await BetweenWriteAndReadAsync();
        Assert.Equal(s_value, await ReadAsync("key"));
    }

    [Fact]
    public async Task Options_are_neither_changed_nor_kept()
    {
        var options = new DistributedCacheEntryOptions { SlidingExpiration = TimeSpan.FromMinutes(1) };
        await Cache.SetAsync("key", s_value, options, Token);
        Assert.Null(options.AbsoluteExpiration);
        Assert.Null(options.AbsoluteExpirationRelativeToNow);

        options.SlidingExpiration = TimeSpan.FromHours(1);
        await BetweenWriteAndReadAsync();
        Time.Advance(TimeSpan.FromMinutes(1));

        Assert.Null(await ReadAsync("key"));
    }

    [Fact]
    public async Task A_refusal_comes_through_the_task_and_not_out_of_the_call()
    {
        var read = Cache.GetAsync(null!, Token);
        var write = Cache.SetAsync("key", null!, Forever, Token);
        var sequence = Cache.SetAsync(null!, default(ReadOnlySequence<byte>), Forever, Token);
        var ticketed = Cache.SetAsync("key", s_value, Forever, [], default(DiskCacheTicket), Token);
        var eviction = Cache.EvictByTagAsync(null!, Token);

        await Assert.ThrowsAsync<ArgumentNullException>(() => read);
        await Assert.ThrowsAsync<ArgumentNullException>(() => write);
        await Assert.ThrowsAsync<ArgumentNullException>(() => sequence.AsTask());
        await Assert.ThrowsAsync<ArgumentException>("ticket", () => ticketed);
        await Assert.ThrowsAsync<ArgumentNullException>(() => eviction.AsTask());
    }

    private static async Task Refuses(string parameter, Func<Task> call) => await Assert.ThrowsAsync<ArgumentNullException>(parameter, call);
}

public sealed class ArgumentsOfANormalStore : ArgumentContract<NormalStore>;

public sealed class ArgumentsWithColdMemory : ArgumentContract<ColdMemory>;

public sealed class ArgumentsAfterARestart : ArgumentContract<Restarted>;

public sealed class ArgumentsOverAMockFileSystem : ArgumentContract<OverMockFileSystem>;
