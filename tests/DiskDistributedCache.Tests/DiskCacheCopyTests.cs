using System.Buffers;
using DiskDistributedCache.Tests.Infrastructure;
using Microsoft.Extensions.Caching.Distributed;

namespace DiskDistributedCache.Tests;

/// <summary>Hits that become no entry: without a memory tier a value goes from the buffer of its read to the caller's writer or array.</summary>
public sealed class DiskCacheCopyTests : IAsyncLifetime
{
    private const int ValueBytes = 128 << 10;
    private static readonly DistributedCacheEntryOptions s_noExpiry = new();
    private readonly ColdMemory _environment = new();
    private readonly ArrayBufferWriter<byte> _writer = new(2 * ValueBytes);

    private DiskCache Cache => _environment.Cache;

    public async ValueTask InitializeAsync() => await _environment.OpenAsync();

    public ValueTask DisposeAsync() => _environment.DisposeAsync();

    // Elsewhere than on Linux a lane reads, and makes an entry.
    [Fact]
    public async Task A_large_value_of_the_disk_is_not_allocated_for_a_writer()
    {
        byte[] value = await StoreLargeAsync();
        Assert.True(Cache.TryGet("k", _writer));
        Assert.Equal(value, _writer.WrittenMemory.ToArray());

        long allocated = AllocatedByTwenty(() =>
        {
            _writer.ResetWrittenCount();
            Cache.TryGet("k", _writer);
        });

        Assert.Equal(value, _writer.WrittenMemory.ToArray());
        Assert.Equal(21, Cache.GetStatus().DiskHits);
        Assert.True(!OperatingSystem.IsLinux() || allocated < ValueBytes, $"{allocated} bytes were allocated.");
    }

    [Fact]
    public async Task A_large_value_of_the_disk_is_allocated_once_for_an_array()
    {
        byte[] value = await StoreLargeAsync();
        Assert.Equal(value, Cache.Get("k"));

        long allocated = AllocatedByTwenty(() => Cache.Get("k"));

        Assert.Equal(value, await Cache.GetAsync("k", TestContext.Current.CancellationToken));
        Assert.Equal(22, Cache.GetStatus().DiskHits);
        Assert.True(!OperatingSystem.IsLinux() || allocated < 25 * ValueBytes, $"{allocated} bytes were allocated.");
    }

    [Fact]
    public async Task What_is_dead_is_not_written()
    {
        var token = TestContext.Current.CancellationToken;
        var soon = new DistributedCacheEntryOptions { AbsoluteExpirationRelativeToNow = TimeSpan.FromMinutes(1) };
        await Cache.SetAsync("evicted", [1], s_noExpiry, ["t"], token);
        await Cache.SetAsync("expired", [1], soon, token);
        await Cache.SetAsync("removed", [1], s_noExpiry, token);
        foreach (string key in (string[])["evicted", "expired", "removed"])
        {
            Assert.True(Cache.TryGet(key, _writer), key);
        }

        await Cache.EvictByTagAsync("t", token);
        await Cache.RemoveAsync("removed", token);
        _environment.Time.Advance(TimeSpan.FromMinutes(1));
        _writer.ResetWrittenCount();

        foreach (string key in (string[])["evicted", "expired", "removed"])
        {
            Assert.False(Cache.TryGet(key, _writer), key);
            Assert.False(await Cache.TryGetAsync(key, _writer, token), key);
        }

        Assert.Equal(0, _writer.WrittenCount);
    }

    [Fact]
    public async Task A_writer_that_throws_is_heard_and_the_next_one_gets_the_value()
    {
        await Cache.SetAsync("k", [1, 2], s_noExpiry, TestContext.Current.CancellationToken);

        Assert.Throws<InvalidOperationException>(() => Cache.TryGet("k", new Refusing()));
        Assert.True(Cache.TryGet("k", _writer));
        Assert.Equal([1, 2], _writer.WrittenMemory.ToArray());
    }

    // Seen to fail, with an ArgumentException, when a value was copied into whatever the writer gave.
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(1000)]
    public async Task A_writer_that_gives_short_pieces_gets_the_value_in_pieces(int length)
    {
        byte[] value = new byte[length];
        new Random(length).NextBytes(value);
        await Cache.SetAsync("k", value, s_noExpiry, TestContext.Current.CancellationToken);
        var writer = new ShortWriter(pieceBytes: 7);

        Assert.True(Cache.TryGet("k", writer));
        Assert.Equal(value, writer.Written);
    }

    private async Task<byte[]> StoreLargeAsync()
    {
        byte[] value = new byte[ValueBytes];
        new Random(1).NextBytes(value);
        await Cache.SetAsync("k", value, s_noExpiry, TestContext.Current.CancellationToken);
        return value;
    }

    private static long AllocatedByTwenty(Action read)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 20; i++)
        {
            read();
        }

        return GC.GetAllocatedBytesForCurrentThread() - before;
    }

    private sealed class Refusing : IBufferWriter<byte>
    {
        public void Advance(int count) => throw new InvalidOperationException();

        public Memory<byte> GetMemory(int sizeHint = 0) => throw new InvalidOperationException();

        public Span<byte> GetSpan(int sizeHint = 0) => throw new InvalidOperationException();
    }
}
