using System.Buffers;
using DiskDistributedCache.Tests.Infrastructure;
using Microsoft.Extensions.Caching.Distributed;

namespace DiskDistributedCache.Tests.Contracts;

/// <summary>Values come back bit for bit, whatever the caller does with the memory that was handed over.</summary>
public abstract class ValueContract<TEnvironment> : CacheContract<TEnvironment>
    where TEnvironment : CacheEnvironment, new()
{
    [Theory]
    [InlineData(Way.Sync)]
    [InlineData(Way.Async)]
    [InlineData(Way.SyncSequence)]
    [InlineData(Way.AsyncSequence)]
    public async Task Values_of_every_size_come_back(Way way)
    {
        int[] lengths = [0, 1, 7, 8, 255, 4_095, 4_096, 4_097, 65_400, 65_536, 70_000, 81_920, 81_921, 131_072, 131_073, 1 << 20, (1 << 20) + 1, 3 << 20];
        foreach (int length in lengths)
        {
            await WriteAsync(way, $"{length}", Bytes(length, length), Forever);
        }

        await BetweenWriteAndReadAsync();

        foreach (int length in lengths)
        {
            Assert.Equal(Bytes(length, length), await ReadAsync($"{length}"));
        }
    }

    [Fact]
    public async Task An_empty_value_is_a_hit_that_writes_nothing()
    {
        Cache.Set("array", [], Forever);
        Cache.Set("sequence", ReadOnlySequence<byte>.Empty, Forever);
        await Cache.SetAsync("default", default(ReadOnlySequence<byte>), Forever, Token);
        await Cache.SetAsync("segments", Sequences.Of(default, default), Forever, Token);

        await BetweenWriteAndReadAsync();

        foreach (string key in (string[])["array", "sequence", "default", "segments"])
        {
            Assert.Empty(Assert.IsType<byte[]>(await ReadAsync(key)));
        }
    }

    [Fact]
    public async Task The_last_of_many_values_of_a_key_rules()
    {
        for (int i = 0; i < 20; i++)
        {
            await WriteAsync((Way)(i % 4), "key", Bytes(100 + i, i), Forever);
        }

        await BetweenWriteAndReadAsync();
        Assert.Equal(Bytes(119, 19), await ReadAsync("key"));

        Cache.Set("key", [], Forever);
        await BetweenWriteAndReadAsync();
        Assert.Empty(Assert.IsType<byte[]>(await ReadAsync("key")));
    }

    [Fact]
    public async Task Memory_that_is_written_to_after_the_call_has_returned_does_not_change_the_value()
    {
        byte[] expected = Bytes(10_000);
        foreach (var way in Enum.GetValues<Way>())
        {
            byte[] borrowed = Bytes(10_000);
            await WriteAsync(way, $"{way}", borrowed, Forever);
            borrowed.AsSpan().Fill(0xEE);
        }

        byte[] atOnce = Bytes(10_000);
        var pending = Cache.SetAsync("at once", new ReadOnlySequence<byte>(atOnce), Forever, Token);
        atOnce.AsSpan().Fill(0xEE);
        await pending;

        await BetweenWriteAndReadAsync();

        Assert.Equal(expected, await ReadAsync("at once"));
        foreach (var way in Enum.GetValues<Way>())
        {
            Assert.Equal(expected, await ReadAsync($"{way}"));
        }
    }

    // Seen to fail when a value is not copied before the call returns.
    [Fact]
    public async Task Memory_is_not_touched_after_the_call_has_returned()
    {
        byte[] all = Bytes(10_000);
        BorrowedMemory[] lent = [.. Enumerable.Range(0, 4).Select(_ => new BorrowedMemory(all)), new(all[..9]), new(all[9..])];

        Cache.Set("sync", lent[0].Sequence, Forever);
        lent[0].GiveBack();
        await Cache.SetAsync("async", lent[1].Sequence, Forever, Token);
        lent[1].GiveBack();
        await Cache.SetAsync("tagged", lent[2].Sequence, Forever, ["tag"], Token);
        lent[2].GiveBack();
        await ((IBufferDistributedCache)Cache).SetAsync("interface", lent[3].Sequence, Forever, Token);
        lent[3].GiveBack();
        await Cache.SetAsync("segments", Sequences.Of(lent[4].Memory, lent[5].Memory), Forever, Token);
        lent[4].GiveBack();
        lent[5].GiveBack();
        await BetweenWriteAndReadAsync();

        foreach (string key in (string[])["sync", "async", "tagged", "interface", "segments"])
        {
            Assert.Equal(all, await ReadAsync(key));
        }

        Assert.All(lent, memory => Assert.Equal(0, memory.LateTouches));
    }

    [Fact]
    public async Task A_value_that_was_handed_out_may_be_written_to()
    {
        Cache.Set("key", Bytes(1_000), Forever);
        await BetweenWriteAndReadAsync();

        Cache.Get("key").AsSpan().Clear();
        (await Cache.GetAsync("key", Token)).AsSpan().Clear();

        Assert.Equal(Bytes(1_000), await ReadAsync("key"));
    }

    [Fact]
    public async Task Sequences_of_several_segments_and_of_memory_that_cannot_be_pinned_are_stored_whole()
    {
        byte[] all = Bytes(200_000);
        var split = Sequences.Of(all.AsMemory(0, 1), default, all.AsMemory(1, 70_000), all.AsMemory(70_001));
        var unpinnable = new ReadOnlySequence<byte>(new BorrowedMemory(all).Memory);
        var slice = new ReadOnlySequence<byte>(all, 1_000, 5_000);

        Cache.Set("split", split, Forever);
        await Cache.SetAsync("split async", split, Forever, Token);
        Cache.Set("unpinnable", unpinnable, Forever);
        await Cache.SetAsync("unpinnable async", unpinnable, Forever, Token);
        Cache.Set("unpinnable split", Sequences.Of(new BorrowedMemory(all[..9]).Memory, new BorrowedMemory(all[9..]).Memory), Forever);
        await Cache.SetAsync("slice", slice, Forever, Token);

        await BetweenWriteAndReadAsync();

        foreach (string key in (string[])["split", "split async", "unpinnable", "unpinnable async", "unpinnable split"])
        {
            Assert.Equal(all, await ReadAsync(key));
        }

        Assert.Equal(all[1_000..6_000], await ReadAsync("slice"));
    }

    [Theory]
    [InlineData(Way.Sync)]
    [InlineData(Way.Async)]
    [InlineData(Way.SyncSequence)]
    [InlineData(Way.AsyncSequence)]
    public async Task A_value_that_is_too_large_is_not_stored_and_takes_the_older_one_with_it(Way way)
    {
        int limit = (int)Environment.Options.MaxEntryBytes;
        await Cache.SetAsync("key", [1], Forever, Token);
        await Cache.SetAsync("other", [2], Forever, Token);

        await WriteAsync(way, "key", new byte[limit + 1], Forever);
        Assert.Null(await ReadAsync("key"));
        await BetweenWriteAndReadAsync();
        Assert.Null(await ReadAsync("key"));
        Assert.Equal([2], await ReadAsync("other"));

        await WriteAsync(way, "key", new byte[limit], Forever);
        await BetweenWriteAndReadAsync();
        Assert.Equal(limit, (await ReadAsync("key"))?.Length);
    }

    [Fact]
    public async Task Oversized_values_are_counted()
    {
        Cache.Set("key", new byte[(int)Environment.Options.MaxEntryBytes + 1], Forever);
        await Cache.SetAsync("key", new byte[(int)Environment.Options.MaxEntryBytes + 1], Forever, Token);

        Assert.Equal(2, Cache.GetStatus().OversizedEntries);
    }

    [Fact]
    public async Task An_exception_of_the_callers_writer_is_the_callers_and_the_value_stays()
    {
        Cache.Set("key", Bytes(5_000), Forever);
        await BetweenWriteAndReadAsync();

        for (int i = 0; i < 20; i++)
        {
            Assert.Throws<QuotaException>(() => Cache.TryGet("key", new WriterWithQuota(100)));
            await Assert.ThrowsAsync<QuotaException>(() => Cache.TryGetAsync("key", new WriterWithQuota(100), Token).AsTask());
        }

        Assert.Equal(Bytes(5_000), await ReadAsync("key"));
        var status = Cache.GetStatus();
        Assert.Equal(0, status.DiskErrors);
        Assert.Equal(0, status.CorruptionErrors);
        Assert.Equal(0, status.QuarantinedRecords);
        Assert.Null(status.LastFault);
    }

    [Fact]
    public async Task Values_are_appended_to_what_a_writer_already_holds()
    {
        Cache.Set("key", [1, 2], Forever);
        await BetweenWriteAndReadAsync();
        var writer = new ArrayBufferWriter<byte>();
        writer.Write((ReadOnlySpan<byte>)[9]);

        Assert.False(Cache.TryGet("nobody", writer));
        Assert.True(Cache.TryGet("key", writer));
        Assert.True(await Cache.TryGetAsync("key", writer, Token));

        Assert.Equal([9, 1, 2, 1, 2], writer.WrittenSpan.ToArray());
    }

    private sealed class QuotaException : Exception;

    /// <summary>Refuses to take more than its quota, as writers do that guard against oversized payloads.</summary>
    private sealed class WriterWithQuota(int quotaBytes) : IBufferWriter<byte>
    {
        private readonly ArrayBufferWriter<byte> _writer = new();

        public void Advance(int count)
        {
            if (_writer.WrittenCount + count > quotaBytes)
            {
                throw new QuotaException();
            }

            _writer.Advance(count);
        }

        public Memory<byte> GetMemory(int sizeHint = 0) => _writer.GetMemory(sizeHint);

        public Span<byte> GetSpan(int sizeHint = 0) => _writer.GetSpan(sizeHint);
    }
}

public sealed class ValuesOfANormalStore : ValueContract<NormalStore>;

public sealed class ValuesWithColdMemory : ValueContract<ColdMemory>;

public sealed class ValuesAfterARestart : ValueContract<Restarted>;

public sealed class ValuesOverAMockFileSystem : ValueContract<OverMockFileSystem>;
