using System.Buffers;
using System.Buffers.Binary;
using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Contracts;

/// <summary>
/// Many callers at once. Each value names its key and its version and fills the rest with bytes that follow from both, so a
/// reader can tell a mixed, foreign or outdated value from a right one.
/// </summary>
public abstract class ConcurrencyContract<TEnvironment> : CacheContract<TEnvironment>
    where TEnvironment : CacheEnvironment, new()
{
    private const int KeyCount = 8;
    private const int RoundCount = 150;

    [Fact]
    public async Task No_reader_sees_a_version_older_than_the_last_acknowledged_one()
    {
        int[] acknowledged = new int[KeyCount];
        using var finished = new CancellationTokenSource();
        var readers = Enumerable.Range(0, 3).Select(seed => Task.Run(() => ReadUntil(acknowledged, seed, finished.Token), Token)).ToArray();

        var writers = Enumerable.Range(0, KeyCount).Select(key => Task.Run(() => WriteVersionsAsync(key, acknowledged), Token));
        await Task.WhenAll(writers);
        await finished.CancelAsync();
        await Task.WhenAll(readers);

        await BetweenWriteAndReadAsync();
        for (int key = 0; key < KeyCount; key++)
        {
            Assert.Equal(RoundCount, VersionOf(await ReadAsync($"{key}"), key));
        }
    }

    [Fact]
    public async Task No_reader_sees_what_was_removed_or_evicted_before_it_began()
    {
        var keys = Enumerable.Range(0, KeyCount).Select(key => Task.Run(
            async () =>
            {
                for (int version = 1; version <= RoundCount; version++)
                {
                    await Cache.SetAsync($"{key}", ValueOf(key, version), Forever, [$"tag {key}"], Token);
                    var late = Cache.GetAsync($"{key}", Token);
                    await (version % 2 == 0 ? Cache.RemoveAsync($"{key}", Token) : Cache.EvictByTagAsync($"tag {key}", Token).AsTask());
                    Assert.Null(Cache.Get($"{key}"));
                    await late;
                    Assert.Null(await Cache.GetAsync($"{key}", Token));
                }
            },
            Token));

        await Task.WhenAll(keys);

        await BetweenWriteAndReadAsync();
        for (int key = 0; key < KeyCount; key++)
        {
            Assert.Null(await ReadAsync($"{key}"));
        }
    }

    [Fact]
    public async Task Writers_of_one_key_leave_one_whole_value()
    {
        var writers = Enumerable.Range(1, 8).Select(writer => Task.Run(
            () =>
            {
                for (int i = 0; i < RoundCount; i++)
                {
                    Cache.Set("0", ValueOf(0, (writer * 1_000) + i), Forever);
                    VersionOf(Cache.Get("0"), 0);
                }
            },
            Token));

        await Task.WhenAll(writers);
        byte[]? before = await ReadAsync("0");
        await BetweenWriteAndReadAsync();

        Assert.Equal(before, await ReadAsync("0"));
        Assert.Equal(RoundCount - 1, VersionOf(before, 0) % 1_000);
    }

    private async Task WriteVersionsAsync(int key, int[] acknowledged)
    {
        for (int version = 1; version <= RoundCount; version++)
        {
            await WriteAsync((Way)(version % 4), $"{key}", ValueOf(key, version), Forever);
            Volatile.Write(ref acknowledged[key], version);
        }
    }

    private void ReadUntil(int[] acknowledged, int seed, CancellationToken finished)
    {
        var random = new Random(seed);
        var writer = new ArrayBufferWriter<byte>();
        while (!finished.IsCancellationRequested)
        {
            int key = random.Next(KeyCount);
            int floor = Volatile.Read(ref acknowledged[key]);
            writer.ResetWrittenCount();
            if (Cache.TryGet($"{key}", writer))
            {
                Assert.InRange(VersionOf(writer.WrittenSpan, key), floor, RoundCount);
            }
            else
            {
                Assert.Equal(0, floor);
            }
        }
    }

    private static byte[] ValueOf(int key, int version)
    {
        byte[] value = Bytes(200 + (version % 900), HashCode(key, version));
        BinaryPrimitives.WriteInt32LittleEndian(value, key);
        BinaryPrimitives.WriteInt32LittleEndian(value.AsSpan(4), version);
        return value;
    }

    private static int VersionOf(ReadOnlySpan<byte> value, int key)
    {
        int version = BinaryPrimitives.ReadInt32LittleEndian(value[4..]);
        Assert.Equal(ValueOf(key, version), value);
        return version;
    }

    private static int HashCode(int key, int version) => (key * 100_003) + version;
}

public sealed class ConcurrentUseOfANormalStore : ConcurrencyContract<NormalStore>;

public sealed class ConcurrentUseWithColdMemory : ConcurrencyContract<ColdMemory>;

public sealed class ConcurrentUseAfterARestart : ConcurrencyContract<Restarted>;

public sealed class ConcurrentUseOverAMockFileSystem : ConcurrencyContract<OverMockFileSystem>;
