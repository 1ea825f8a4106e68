using DiskDistributedCache.Entries;
using DiskDistributedCache.Storage;

namespace DiskDistributedCache.Tests.Storage;

/// <summary>The index beside a dictionary, while entries come, move and go.</summary>
public sealed class EntryIndexTests
{
    private const int Slots = 8;

    private readonly EntryIndex _index = new(Slots);
    private readonly Dictionary<ulong, (long Sequence, int Slot, long Offset)> _expected = [];
    private long _sequence;

    // Seen to fail when a place was emptied instead of vacated, when only the number of an entry and not its hash was looked at,
    // when vacated places were not counted as taken (it looked on for ever), and when places were made anew for free entries too.
    [Theory]
    [InlineData(1, "spread")]
    [InlineData(2, "one shard")]
    [InlineData(3, "one home")]
    [InlineData(4, "one mark")]
    public void It_knows_what_was_put_and_not_removed_however_the_hashes_lie(int seed, string hashes)
    {
        var random = new Random(seed);
        var keys = Enumerable.Range(0, 3_000).Select(_ => Hash((ulong)random.NextInt64(), hashes)).ToArray();
        for (int step = 0; step < 60_000; step++)
        {
            // It grows, shrinks, and grows again.
            bool grows = step / 15_000 % 2 == 0;
            Change(keys[random.Next(keys.Length)], isPut: random.Next(10) < (grows ? 7 : 2), random);
            if (step % 15_000 == 14_999)
            {
                Compare(keys);
            }
        }

        int slot = random.Next(Slots);
        _index.RemoveSlot(slot);
        foreach (var (key, _) in _expected.Where(one => one.Value.Slot == slot).ToList())
        {
            _expected.Remove(key);
        }

        Compare(keys);
        _index.Clear(long.MaxValue);
        _expected.Clear();
        Compare(keys);
    }

    // Seen to fail when the deadline that the index has was not asked.
    [Fact]
    public void A_version_that_another_use_has_extended_is_not_dropped_as_expired()
    {
        long before = new DateTime(2030, 1, 1).Ticks;
        long after = before + 100;
        _index.SetRecovered(7, 10, before, slot: 1, offset: 0, length: 100);
        Assert.Equal(before, _index.Touch(7, 10, after));

        Assert.False(_index.RemoveIfExpired(7, 10, before, out long deadline));
        Assert.Equal(after, deadline);
        Assert.False(_index.RemoveIfExpired(7, 9, after, out deadline));
        Assert.Equal(0, deadline);
        Assert.True(_index.TryGet(7, out _));
        Assert.True(_index.RemoveIfExpired(7, 10, after, out deadline));
        Assert.Equal(0, deadline);
        Assert.False(_index.TryGet(7, out _));
    }

    // Seen to fail when a version that has been overtaken was marked too.
    [Fact]
    public void Only_the_current_version_can_be_used()
    {
        _index.SetRecovered(7, 10, Expiry.Never, slot: 1, offset: 0, length: 100);

        Assert.False(_index.TryMarkRead(7, 9));
        Assert.False(_index.TryMarkRead(8, 10));
        Assert.True(_index.TryMarkRead(7, 10));
        Assert.True(_index.TryGet(7, out var entry));
        Assert.Equal(1, entry.UseCount);
    }

    private void Change(ulong key, bool isPut, Random random)
    {
        if (isPut)
        {
            var next = (Sequence: ++_sequence, Slot: random.Next(Slots), Offset: 8L * random.Next(1 << 20));
            Assert.True(_index.SetRecovered(key, next.Sequence, Expiry.Never, next.Slot, next.Offset, length: 8));
            _expected[key] = next;
        }
        else
        {
            Assert.Equal(_expected.Remove(key), _index.Remove(key, _sequence));
        }
    }

    private void Compare(ulong[] keys)
    {
        Assert.Equal(_expected.Count, _index.Count);
        Assert.Equal(_expected.Keys.Order(), _index.Where(_ => true).Select(entry => entry.KeyHash).Order());
        foreach (ulong key in keys)
        {
            Assert.Equal(_expected.TryGetValue(key, out var expected), _index.TryGet(key, out var found));
            Assert.Equal(expected, (found.Sequence, found.Slot, found.Offset));
        }

        for (int slot = 0; slot < Slots; slot++)
        {
            Assert.Equal(_expected.Values.Count(one => one.Slot == slot), _index.LiveCount(slot));
        }
    }

    private static ulong Hash(ulong random, string hashes) => hashes switch
    {
        "one shard" => random >> 6,
        "one home" => random & 0xFFFF_FFFF_0000_0000,
        "one mark" => random & 0xFC00_0000_FFFF_FFFF,
        _ => random,
    };
}
