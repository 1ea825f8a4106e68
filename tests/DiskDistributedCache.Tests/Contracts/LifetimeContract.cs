using System.Buffers;
using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Contracts;

/// <summary>From creation to disposal.</summary>
public abstract class LifetimeContract<TEnvironment> : CacheContract<TEnvironment>
    where TEnvironment : CacheEnvironment, new()
{
    [Fact]
    public async Task An_open_cache_is_in_normal_mode()
    {
        await BetweenWriteAndReadAsync();

        Assert.Equal(DiskCacheMode.Normal, Cache.GetStatus().Mode);
        Assert.Null(Cache.GetStatus().LastFault);
    }

    [Fact]
    public async Task Every_member_but_the_status_is_refused_after_disposal()
    {
        var writer = new ArrayBufferWriter<byte>();
        Cache.Set("key", [1], Forever);
        await Cache.DisposeAsync();

        Assert.Throws<ObjectDisposedException>(() => Cache.Get("key"));
        Assert.Throws<ObjectDisposedException>(() => Cache.TryGet("key", writer));
        Assert.Throws<ObjectDisposedException>(() => Cache.Set("key", [1], Forever));
        Assert.Throws<ObjectDisposedException>(() => Cache.Set("key", default(ReadOnlySequence<byte>), Forever));
        Assert.Throws<ObjectDisposedException>(() => Cache.Refresh("key"));
        Assert.Throws<ObjectDisposedException>(() => Cache.Remove("key"));
        await Refuses(() => Cache.GetAsync("key", Token));
        await Refuses(() => Cache.TryGetAsync("key", writer, Token).AsTask());
        await Refuses(() => Cache.SetAsync("key", [1], Forever, Token));
        await Refuses(() => Cache.SetAsync("key", default(ReadOnlySequence<byte>), Forever, Token).AsTask());
        await Refuses(() => Cache.SetAsync("key", [1], Forever, ["tag"], Token));
        await Refuses(() => Cache.RefreshAsync("key", Token));
        await Refuses(() => Cache.RemoveAsync("key", Token));
        await Refuses(() => Cache.EvictByTagAsync("tag", Token).AsTask());
        await Refuses(() => Cache.ClearAsync(Token).AsTask());
        Assert.Equal(DiskCacheMode.Closed, Cache.GetStatus().Mode);
    }

    [Fact]
    public async Task A_cache_may_be_disposed_of_many_times()
    {
        Cache.Dispose();
        Cache.Dispose();
        await Cache.DisposeAsync();
        await Cache.DisposeAsync();
    }

    [Fact]
    public async Task A_cache_that_was_never_used_can_be_disposed_of()
    {
        await Cache.DisposeAsync();
        Environment.CreateCache().Dispose();
        await Environment.CreateCache().DisposeAsync();
    }

    [Fact]
    public async Task The_first_use_opens_the_store_where_no_host_does()
    {
        Cache.Set("key", [1], Forever);
        Cache.Dispose();

        using (var unhosted = Environment.CreateCache())
        {
            Assert.Equal([1], unhosted.Get("key"));
            unhosted.Set("key", [2], Forever);
        }

        await using (var unhosted = Environment.CreateCache())
        {
            Assert.Equal([2], await unhosted.GetAsync("key", Token));
        }
    }

    [Fact]
    public async Task Values_survive_a_synchronous_disposal()
    {
        for (int i = 0; i < 500; i++)
        {
            Cache.Set($"{i}", Bytes(500, i), Forever);
        }

        Cache.Dispose();
        await Environment.OpenAsync();

        for (int i = 0; i < 500; i++)
        {
            Assert.Equal(Bytes(500, i), Cache.Get($"{i}"));
        }
    }

    [Fact]
    public async Task A_change_of_the_options_after_creation_has_no_effect()
    {
        Environment.Options.MaxEntryBytes = 1;
        Environment.Options.Directory = null;

        Cache.Set("key", Bytes(100), Forever);

        Assert.Equal(Bytes(100), await ReadAsync("key"));
    }

    [Fact]
    public async Task Synchronous_members_need_no_thread_of_the_pool()
    {
        // Whatever is queued to the pool from here on waits behind more blocked callbacks than the pool has threads.
        var release = new ManualResetEventSlim();
        for (int i = 0; i < 300; i++)
        {
            ThreadPool.UnsafeQueueUserWorkItem(static blocked => blocked.Wait(), release, preferLocal: false);
        }

        var read = new TaskCompletionSource<byte[]?>(TaskCreationOptions.RunContinuationsAsynchronously);
        var caller = new Thread(() =>
        {
            try
            {
                Cache.Set("key", [1], Forever);
                Cache.Set("key", [2], Forever);
                Cache.Refresh("key");
                Cache.Remove("other");
                read.SetResult(Cache.Get("key"));
            }
            catch (Exception exception)
            {
                read.SetException(exception);
            }
            finally
            {
                release.Set();
            }
        });
        caller.Start();

        Assert.Equal([2], await read.Task);
    }

    private static async Task Refuses(Func<Task> call) => await Assert.ThrowsAsync<ObjectDisposedException>(call);
}

public sealed class LifetimeOfANormalStore : LifetimeContract<NormalStore>;

public sealed class LifetimeWithColdMemory : LifetimeContract<ColdMemory>;

public sealed class LifetimeAfterARestart : LifetimeContract<Restarted>;

public sealed class LifetimeOverAMockFileSystem : LifetimeContract<OverMockFileSystem>;
