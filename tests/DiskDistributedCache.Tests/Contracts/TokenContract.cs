using System.Buffers;
using DiskDistributedCache.Tests.Infrastructure;
using Microsoft.Extensions.Caching.Distributed;

namespace DiskDistributedCache.Tests.Contracts;

/// <summary>A token counts at entry: cancelled before, nothing happens; cancelled later, the operation is finished.</summary>
public abstract class TokenContract<TEnvironment> : CacheContract<TEnvironment>
    where TEnvironment : CacheEnvironment, new()
{
    private static readonly CancellationToken s_cancelled = new(canceled: true);

    [Fact]
    public async Task Nothing_is_done_when_the_token_was_cancelled_before_the_call()
    {
        var window = new DistributedCacheEntryOptions { SlidingExpiration = TimeSpan.FromMinutes(1) };
        var writer = new ArrayBufferWriter<byte>();
        await Cache.SetAsync("key", [1], window, ["tag"], Token);

        await Cancels(() => Cache.SetAsync("key", [2], Forever, s_cancelled));
        await Cancels(() => Cache.SetAsync("key", new ReadOnlySequence<byte>([2]), Forever, s_cancelled).AsTask());
        await Cancels(() => Cache.SetAsync("key", [2], Forever, ["tag"], s_cancelled));
        await Cancels(() => Cache.SetAsync("key", new ReadOnlySequence<byte>([2]), Forever, ["tag"], s_cancelled).AsTask());
        await Cancels(() => Cache.SetAsync("new", new ReadOnlySequence<byte>([2]), Forever, ["tag"], s_cancelled).AsTask());
        await Cancels(() => Cache.SetAsync("new", [2], Forever, s_cancelled));
        await Cancels(() => Cache.SetAsync("key", [2], Forever, ["tag"], Cache.TakeTicket(), s_cancelled));
        await Cancels(() => Cache.SetAsync("key", new ReadOnlySequence<byte>([2]), Forever, ["tag"], Cache.TakeTicket(), s_cancelled).AsTask());
        await Cancels(() => Cache.RemoveAsync("key", s_cancelled));
        await Cancels(() => Cache.EvictByTagAsync("tag", s_cancelled).AsTask());
        await Cancels(() => Cache.ClearAsync(s_cancelled).AsTask());
        await Cancels(() => Cache.GetAsync("key", s_cancelled));
        await Cancels(() => Cache.TryGetAsync("key", writer, s_cancelled).AsTask());
        Assert.Equal(0, writer.WrittenCount);

        Time.Advance(TimeSpan.FromSeconds(59));
        await Cancels(() => Cache.RefreshAsync("key", s_cancelled));
        await BetweenWriteAndReadAsync();
        Assert.Null(await ReadAsync("new"));
        Assert.Equal([1], Cache.Get("key"));
        Time.Advance(TimeSpan.FromSeconds(60));
        Assert.Null(Cache.Get("key"));
    }

    [Fact]
    public async Task Memory_is_not_looked_at_when_the_token_was_cancelled_before_the_call()
    {
        var memory = new BorrowedMemory(Bytes(100));
        var sequence = memory.Sequence;
        memory.GiveBack();

        await Cancels(() => Cache.SetAsync("key", sequence, Forever, s_cancelled).AsTask());
        await Cancels(() => Cache.SetAsync("key", sequence, Forever, ["tag"], s_cancelled).AsTask());

        Assert.Equal(0, memory.LateTouches);
        Assert.Null(await ReadAsync("key"));
    }

    [Fact]
    public async Task A_refresh_that_was_cancelled_before_the_call_does_not_slide()
    {
        Cache.Set("key", [1], new DistributedCacheEntryOptions { SlidingExpiration = TimeSpan.FromMinutes(1) });
        await BetweenWriteAndReadAsync();

        Time.Advance(TimeSpan.FromSeconds(59));
        await Cancels(() => Cache.RefreshAsync("key", s_cancelled));
        await Cancels(() => Cache.GetAsync("key", s_cancelled));
        Time.Advance(TimeSpan.FromSeconds(1));

        Assert.Null(await ReadAsync("key"));
    }

    [Fact]
    public async Task An_operation_that_has_begun_is_finished_although_its_token_is_cancelled()
    {
        using var cancellation = new CancellationTokenSource();
        var write = Cache.SetAsync("key", Bytes(100_000), Forever, cancellation.Token);
        await cancellation.CancelAsync();
        await write;
        await BetweenWriteAndReadAsync();
        Assert.Equal(Bytes(100_000), await ReadAsync("key"));

        using var second = new CancellationTokenSource();
        var read = Cache.GetAsync("key", second.Token);
        await second.CancelAsync();
        Assert.Equal(Bytes(100_000), await read);

        using var third = new CancellationTokenSource();
        var removal = Cache.RemoveAsync("key", third.Token);
        await third.CancelAsync();
        await removal;
        await BetweenWriteAndReadAsync();
        Assert.Null(await ReadAsync("key"));
    }

    [Fact]
    public async Task Mistaken_arguments_are_named_even_when_the_token_is_cancelled()
    {
        await Assert.ThrowsAsync<ArgumentNullException>("key", () => Cache.GetAsync(null!, s_cancelled));
        await Assert.ThrowsAsync<ArgumentNullException>("value", () => Cache.SetAsync("key", null!, Forever, s_cancelled));
        await Assert.ThrowsAsync<ArgumentNullException>("tag", () => Cache.EvictByTagAsync(null!, s_cancelled).AsTask());
        var past = new DistributedCacheEntryOptions { AbsoluteExpiration = DateTimeOffset.MinValue };
        await Cancels(() => Cache.SetAsync("key", [1], past, s_cancelled));
    }

    /// <summary>In the task, which is cancelled and has not failed.</summary>
    private static async Task Cancels(Func<Task> call)
    {
        var cancelled = call();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled);
        Assert.True(cancelled.IsCanceled);
    }
}

public sealed class TokensOfANormalStore : TokenContract<NormalStore>;

public sealed class TokensWithColdMemory : TokenContract<ColdMemory>;

public sealed class TokensAfterARestart : TokenContract<Restarted>;

public sealed class TokensOverAMockFileSystem : TokenContract<OverMockFileSystem>;
