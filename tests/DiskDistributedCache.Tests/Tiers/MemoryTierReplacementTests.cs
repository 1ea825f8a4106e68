using DiskDistributedCache.Entries;
using DiskDistributedCache.Tiers;
using Xunit;
using static DiskDistributedCache.Tests.Tiers.MemoryTierTests;

namespace DiskDistributedCache.Tests.Tiers;

/// <summary>
/// One writer replaces entries, whose deadline is their version, while others read. The table grows, shrinks and reuses slots
/// meanwhile. The second test fails when a seat gets its newer version before the slot does.
/// </summary>
public sealed class MemoryTierReplacementTests
{
    private const int KeyCount = 20;

    private readonly CacheKey[] _keys = [.. Enumerable.Range(0, KeyCount).Select(i => Key($"replaced{i}"))];
    private readonly MemoryTier _tier = new(long.MaxValue);

    [Fact]
    public async Task A_read_finds_nothing_older_than_what_was_put_before_it_began()
    {
        long[] put = new long[KeyCount];
        Put(_keys, version: 0);
        using var done = new CancellationTokenSource();
        var readers = Enumerable.Range(0, 2).Select(_ => Task.Run(() =>
        {
            while (!done.IsCancellationRequested)
            {
                for (int i = 0; i < KeyCount; i++)
                {
                    long expected = Volatile.Read(ref put[i]);
                    var found = _tier.TryGet(_keys[i]);
                    Assert.NotNull(found);
                    Assert.Equal(_keys[i], found.Key);
                    Assert.True(found.Deadline >= expected);
                    Assert.Equal(found.Deadline, BitConverter.ToInt64(found.Value.ToArray()));
                }
            }
        }, TestContext.Current.CancellationToken)).ToArray();

        for (int version = 1; version <= 1_000; version++)
        {
            for (int i = 0; i < KeyCount; i++)
            {
                Put(_keys.AsSpan(i, 1), version);
                Volatile.Write(ref put[i], version);
            }

            ComeAndGo(version);
        }

        await done.CancelAsync();
        await Task.WhenAll(readers);
    }

    [Fact]
    public async Task A_read_finds_nothing_older_than_what_was_enumerated_before_it_began()
    {
        Put(_keys, version: 0);
        using var done = new CancellationTokenSource();
        var reader = Task.Run(() =>
        {
            while (!done.IsCancellationRequested)
            {
                foreach (var enumerated in _tier.Entries.Where(entry => entry.Key.Text.StartsWith('r')))
                {
                    Assert.True(_tier.TryGet(enumerated.Key)!.Deadline >= enumerated.Deadline);
                }
            }
        }, TestContext.Current.CancellationToken);

        for (int version = 1; version <= 20_000; version++)
        {
            Put(_keys, version);
        }

        await done.CancelAsync();
        await reader;
    }

    [Fact]
    public void A_newer_version_inherits_the_hits_for_its_rank_but_was_not_hit_itself()
    {
        Put(_keys, version: 0);
        var older = _tier.TryGet(_keys[0])!;
        Assert.True(older.WasHit);

        Put(_keys, version: 1);

        Assert.Empty(_tier.TakeUsed());
        var newer = Assert.Single(_tier.Entries, entry => entry.Key.Equals(_keys[0]));
        Assert.Equal(older.Frequency, newer.Frequency);
    }

    private void Put(ReadOnlySpan<CacheKey> keys, long version)
    {
        foreach (var key in keys)
        {
            _tier.Put(new CacheEntry(key, BitConverter.GetBytes(version), [], Expiry.None, version), pinned: version % 2 == 0);
        }
    }

    private void ComeAndGo(int version)
    {
        int count = version * 37 % 200;
        for (int i = 0; i < count; i++)
        {
            _tier.Put(Entry($"other{i}"), pinned: false);
        }

        for (int i = 0; i < count; i++)
        {
            _tier.Remove(Key($"other{i}"));
        }
    }
}
