using System.Buffers;
using DiskDistributedCache.Tests.Infrastructure;
using Microsoft.Extensions.Caching.Distributed;

namespace DiskDistributedCache.Tests.Contracts;

/// <summary>The four ways to write a value.</summary>
public enum Way
{
    Sync,
    Async,
    SyncSequence,
    AsyncSequence,
}

/// <summary>
/// The ground of the contract tests: the same tests run over every environment, through the public surface, and each value
/// is read in all four ways.
/// </summary>
public abstract class CacheContract<TEnvironment> : IAsyncLifetime
    where TEnvironment : CacheEnvironment, new()
{
    protected static readonly DistributedCacheEntryOptions Forever = new();

    protected TEnvironment Environment { get; } = new();

    protected DiskCache Cache => Environment.Cache;

    protected TestClock Time => Environment.Time;

    protected static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => await Environment.OpenAsync();

    public async ValueTask DisposeAsync()
    {
        await Environment.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    protected Task BetweenWriteAndReadAsync() => Environment.BetweenWriteAndReadAsync();

    /// <summary>Bytes that are the same for the same seed and differ for others.</summary>
    protected static byte[] Bytes(int length, int seed = 1)
    {
        byte[] bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    protected async Task WriteAsync(Way way, string key, byte[] value, DistributedCacheEntryOptions options)
    {
        switch (way)
        {
            case Way.Sync:
                Cache.Set(key, value, options);
                break;
            case Way.Async:
                await Cache.SetAsync(key, value, options, Token);
                break;
            case Way.SyncSequence:
                Cache.Set(key, new ReadOnlySequence<byte>(value), options);
                break;
            default:
                await Cache.SetAsync(key, new ReadOnlySequence<byte>(value), options, Token);
                break;
        }
    }

    /// <summary>The value of a key, read in all ways, which have to agree.</summary>
    protected async Task<byte[]?> ReadAsync(string key)
    {
        byte[]? value = Cache.Get(key);
        var written = new ArrayBufferWriter<byte>();
        var writtenAsync = new ArrayBufferWriter<byte>();

        Assert.Equal(value, await Cache.GetAsync(key, Token));
        Assert.Equal(value is not null, Cache.TryGet(key, written));
        Assert.Equal(value ?? [], written.WrittenSpan);
        Assert.Equal(value is not null, await Cache.TryGetAsync(key, writtenAsync, Token));
        Assert.Equal(value ?? [], writtenAsync.WrittenSpan);
        return value;
    }
}
