using System.Buffers;
using System.IO.Pipelines;
using DiskDistributedCache.AspNetCore;
using Microsoft.AspNetCore.OutputCaching;
using Microsoft.Extensions.Caching.Distributed;

namespace DiskDistributedCache.AspNetCore.Tests;

/// <summary>The contract of an output-cache store, in one process and over a restart.</summary>
public sealed class DiskOutputCacheStoreTests : IAsyncLifetime
{
    private static readonly TimeSpan s_minute = TimeSpan.FromMinutes(1);
    private static readonly CancellationToken s_cancelled = new(canceled: true);

    private readonly OutputCacheStoreFixture _fixture = new();

    private DiskOutputCacheStore Store => _fixture.Store;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => await _fixture.OpenAsync();

    public ValueTask DisposeAsync() => _fixture.DisposeAsync();

    [Fact]
    public void The_store_takes_buffers() => Assert.IsType<IOutputCacheBufferStore>(Store, exactMatch: false);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Responses_come_back_from_arrays_and_buffers_and_after_a_restart(bool restart)
    {
        byte[] value = [1, 2, 3];
        byte[] large = new byte[300_001];
        Random.Shared.NextBytes(large);
        await Store.SetAsync("array", value, ["tag"], s_minute, Token);
        await Store.SetAsync("large", large, ["tag"], s_minute, Token);
        await Store.SetAsync("buffer", new ReadOnlySequence<byte>(value), new[] { "tag" }, s_minute, Token);
        await Store.SetAsync("empty", default(ReadOnlySequence<byte>), default, s_minute, Token);
        if (restart)
        {
            await _fixture.RestartAsync();
        }

        Assert.Equal(value, await Store.GetAsync("array", Token));
        Assert.Equal(large, await Store.GetAsync("large", Token));
        Assert.Equal(value, await Store.GetAsync("buffer", Token));
        Assert.Empty(Assert.IsType<byte[]>(await Store.GetAsync("empty", Token)));
        Assert.Null(await Store.GetAsync("nobody", Token));
    }

    // The middleware asks for an array with every request. Seen to fail when a large response was kept in pieces: each hit made an array of them.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_large_response_in_memory_is_handed_out_and_not_copied(bool restart)
    {
        await Store.SetAsync("key", new ReadOnlySequence<byte>(new byte[300_001]), default, s_minute, Token);
        if (restart)
        {
            await _fixture.RestartAsync();
            await Store.GetAsync("key", Token);
        }

        Assert.Same(await Store.GetAsync("key", Token), await Store.GetAsync("key", Token));
    }

    [Fact]
    public async Task Without_a_memory_tier_a_response_is_the_last_one_and_gone_when_it_was_evicted_or_has_expired()
    {
        _fixture.MaxMemoryBytes = 0;
        await _fixture.RestartAsync();
        await _fixture.Cache.SetAsync("key", [9], new(), Token);
        foreach (byte version in new byte[] { 1, 2 })
        {
            await Store.SetAsync("key", [version], ["tag"], s_minute, Token);
            await Store.SetAsync("soon", [version], ["other"], s_minute, Token);
            Assert.Equal<byte[]>([version], await Store.GetAsync("key", Token));
            Assert.Equal<byte[]>([version], await Store.GetAsync("soon", Token));
        }

        Assert.Equal(4, _fixture.Cache.GetStatus().DiskHits);
        await Store.EvictByTagAsync("tag", Token);
        Assert.Null(await Store.GetAsync("key", Token));
        _fixture.Time.Advance(s_minute);
        Assert.Null(await Store.GetAsync("soon", Token));
        Assert.Equal([9], await _fixture.Cache.GetAsync("key", Token));
    }

    [Theory]
    [InlineData(3)]
    [InlineData(300_001)]
    public async Task A_pipe_receives_the_value_and_nothing_at_a_miss(int length)
    {
        byte[] value = new byte[length];
        Random.Shared.NextBytes(value);
        var pipe = new Pipe(new PipeOptions(pauseWriterThreshold: 0));
        await Store.SetAsync("key", value, null, s_minute, Token);

        Assert.False(await Store.TryGetAsync("nobody", pipe.Writer, Token));
        Assert.True(await Store.TryGetAsync("key", pipe.Writer, Token));
        await pipe.Writer.CompleteAsync();

        var read = await pipe.Reader.ReadAsync(Token);
        Assert.Equal(value, read.Buffer.ToArray());
    }

    [Fact]
    public async Task Borrowed_memory_may_be_reused_after_the_call()
    {
        byte[] value = [1, 2, 3];
        string[] tags = ["mine", "unused"];

        await Store.SetAsync("key", new ReadOnlySequence<byte>(value), tags.AsMemory(0, 1), s_minute, Token);
        value.AsSpan().Clear();
        tags[0] = "yours";

        await Store.EvictByTagAsync("yours", Token);
        Assert.Equal([1, 2, 3], await Store.GetAsync("key", Token));
        await Store.EvictByTagAsync("mine", Token);
        Assert.Null(await Store.GetAsync("key", Token));
    }

    [Fact]
    public async Task Nulls_are_refused()
    {
        var pipe = new Pipe();

        await RefusesNull("key", () => Store.GetAsync(null!, Token).AsTask());
        await RefusesNull("key", () => Store.TryGetAsync(null!, pipe.Writer, Token).AsTask());
        await RefusesNull("destination", () => Store.TryGetAsync("key", null!, Token).AsTask());
        await RefusesNull("key", () => Store.SetAsync(null!, [1], null, s_minute, Token).AsTask());
        await RefusesNull("key", () => Store.SetAsync(null!, default(ReadOnlySequence<byte>), default, s_minute, Token).AsTask());
        await RefusesNull("value", () => Store.SetAsync("key", null!, null, s_minute, Token).AsTask());
        await RefusesNull("tag", () => Store.EvictByTagAsync(null!, Token).AsTask());
    }

    [Fact]
    public async Task A_null_among_the_tags_is_refused_and_nothing_is_stored()
    {
        var array = await Assert.ThrowsAsync<ArgumentException>(
            () => Store.SetAsync("key", [1], ["tag", null!], s_minute, Token).AsTask());
        var buffer = await Assert.ThrowsAsync<ArgumentException>(
            () => Store.SetAsync("key", default(ReadOnlySequence<byte>), new string[] { null! }, s_minute, Token).AsTask());

        Assert.Equal("tags", array.ParamName);
        Assert.Equal("tags", buffer.ParamName);
        Assert.Null(await Store.GetAsync("key", Token));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(long.MinValue)]
    public async Task A_validity_that_is_not_positive_is_refused_and_the_older_response_stays(long ticks)
    {
        await Store.SetAsync("key", [1], null, s_minute, Token);

        var refusal = await Assert.ThrowsAsync<ArgumentOutOfRangeException>(
            () => Store.SetAsync("key", [2], null, TimeSpan.FromTicks(ticks), Token).AsTask());

        Assert.Equal("validFor", refusal.ParamName);
        Assert.Equal([1], await Store.GetAsync("key", Token));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_validity_is_kept_to_the_tick_and_a_restart_does_not_extend_it(bool restart)
    {
        await Store.SetAsync("minute", [1], null, s_minute, Token);
        await Store.SetAsync("short", [1], null, TimeSpan.FromMicroseconds(100), Token);
        await Store.SetAsync("ever", [1], null, TimeSpan.MaxValue, Token);
        Assert.NotNull(await Store.GetAsync("short", Token));

        _fixture.Time.Advance(s_minute - TimeSpan.FromTicks(1));
        if (restart)
        {
            await _fixture.RestartAsync();
        }

        Assert.NotNull(await Store.GetAsync("minute", Token));
        Assert.Null(await Store.GetAsync("short", Token));

        _fixture.Time.Advance(TimeSpan.FromTicks(1));
        Assert.Null(await Store.GetAsync("minute", Token));
        _fixture.Time.AdjustTime(_fixture.Time.GetUtcNow().AddDays(36_500));
        Assert.NotNull(await Store.GetAsync("ever", Token));
    }

    [Fact]
    public async Task Tags_are_ordinal_may_be_empty_and_are_replaced_with_the_response()
    {
        await Store.SetAsync("null", [1], null, s_minute, Token);
        await Store.SetAsync("none", [1], [], s_minute, Token);
        await Store.SetAsync("empty", [1], [""], s_minute, Token);
        await Store.SetAsync("upper", [1], ["Tag"], s_minute, Token);
        await Store.SetAsync("lower", [1], ["tag"], s_minute, Token);
        await Store.SetAsync("replaced", [1], ["tag"], s_minute, Token);
        await Store.SetAsync("replaced", [2], ["other"], s_minute, Token);

        await Store.EvictByTagAsync("unknown", Token);
        await Store.EvictByTagAsync("", Token);
        await Store.EvictByTagAsync("tag", Token);
        await Store.EvictByTagAsync("tag", Token);

        await AssertThereAsync("null", "none", "upper", "replaced");
        await AssertGoneAsync("empty", "lower");
    }

    [Fact]
    public async Task A_tag_takes_responses_and_the_data_they_were_made_from()
    {
        await Store.SetAsync("key", [1], ["tag"], s_minute, Token);
        await _fixture.Cache.SetAsync("key", [2], new DistributedCacheEntryOptions(), ["tag"], Token);
        Assert.Equal([1], await Store.GetAsync("key", Token));
        Assert.Equal([2], await _fixture.Cache.GetAsync("key", Token));

        await _fixture.Cache.EvictByTagAsync("tag", Token);

        Assert.Null(await Store.GetAsync("key", Token));
        Assert.Null(await _fixture.Cache.GetAsync("key", Token));
    }

    [Fact]
    public async Task Nothing_is_done_when_the_token_was_cancelled_before_the_call()
    {
        await Store.SetAsync("key", [1], ["tag"], s_minute, Token);

        await Cancels(() => Store.SetAsync("key", [2], null, s_minute, s_cancelled).AsTask());
        await Cancels(() => Store.SetAsync("new", new ReadOnlySequence<byte>([2]), default, s_minute, s_cancelled).AsTask());
        await Cancels(() => Store.EvictByTagAsync("tag", s_cancelled).AsTask());
        await Cancels(() => Store.GetAsync("key", s_cancelled).AsTask());
        await Cancels(() => Store.TryGetAsync("key", new Pipe().Writer, s_cancelled).AsTask());

        Assert.Equal([1], await Store.GetAsync("key", Token));
        Assert.Null(await Store.GetAsync("new", Token));
    }

    [Fact]
    public async Task The_store_is_refused_after_the_disposal_of_the_cache()
    {
        await _fixture.Cache.DisposeAsync();

        await Closed(() => Store.GetAsync("key", Token).AsTask());
        await Closed(() => Store.TryGetAsync("key", new Pipe().Writer, Token).AsTask());
        await Closed(() => Store.SetAsync("key", [1], null, s_minute, Token).AsTask());
        await Closed(() => Store.EvictByTagAsync("tag", Token).AsTask());
    }

    [Fact]
    public async Task Lookups_of_responses_are_observed_like_others()
    {
        await Store.SetAsync("key", [1], null, s_minute, Token);
        using var lookup = DiskCacheLookup.Begin();

        await Store.GetAsync("key", Token);

        Assert.Equal(DiskCacheTier.Memory, lookup.Tier);
        Assert.Equal(1, lookup.Lookups);
    }

    private static async Task RefusesNull(string parameter, Func<Task> call) =>
        await Assert.ThrowsAsync<ArgumentNullException>(parameter, call);

    private static async Task Cancels(Func<Task> call) => await Assert.ThrowsAnyAsync<OperationCanceledException>(call);

    private static async Task Closed(Func<Task> call) => await Assert.ThrowsAsync<ObjectDisposedException>(call);

    private async Task AssertThereAsync(params string[] keys)
    {
        foreach (string key in keys)
        {
            Assert.True(await Store.GetAsync(key, Token) is not null, $"'{key}' should be there");
        }
    }

    private async Task AssertGoneAsync(params string[] keys)
    {
        foreach (string key in keys)
        {
            Assert.True(await Store.GetAsync(key, Token) is null, $"'{key}' should be gone");
        }
    }
}
