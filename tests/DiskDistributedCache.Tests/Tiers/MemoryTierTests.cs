using DiskDistributedCache.Entries;
using DiskDistributedCache.Tiers;
using Xunit;

namespace DiskDistributedCache.Tests.Tiers;

public sealed class MemoryTierTests
{
    private static readonly Func<CacheEntry, long> s_valueLength = entry => entry.Value.Length;

    internal static CacheKey Key(string text) => new(KeySpace.Data, text);

    internal static CacheEntry Entry(string key, int bytes = 10) => new(Key(key), new byte[bytes], [], Expiry.None, Expiry.Never);

    [Fact]
    public void An_entry_is_found_under_its_own_key_only()
    {
        var tier = new MemoryTier(1_000, null, s_valueLength);
        var entry = Entry("a");

        Assert.True(tier.Put(entry, pinned: false));

        Assert.Same(entry, tier.TryGet(Key("a")));
        Assert.Null(tier.TryGet(Key("A")));
        Assert.Null(tier.TryGet(Key("b")));
        Assert.Equal((1, 10L), (tier.Count, tier.Bytes));
    }

    [Fact]
    public void The_same_text_in_two_key_spaces_names_two_entries()
    {
        var tier = new MemoryTier(1_000, null, s_valueLength);
        var data = Entry("a");
        var output = new CacheEntry(new CacheKey(KeySpace.Output, "a"), new byte[20], [], Expiry.None, Expiry.Never);
        tier.Put(data, pinned: false);
        tier.Put(output, pinned: false);

        Assert.Same(data, tier.TryGet(data.Key));
        Assert.Same(output, tier.TryGet(output.Key));

        Assert.True(tier.Remove(data.Key));
        Assert.Null(tier.TryGet(data.Key));
        Assert.Same(output, tier.TryGet(output.Key));
    }

    [Fact]
    public void Any_text_is_a_key_of_its_own()
    {
        string[] texts =
        [
            "", " ", "\0", "\0\0", "a\0", "a", "\ud800", "\ud801", "\udc00", "\ud800\udc00", "\ufffd", "e\u0301", "\u00e9",
            new('x', 1 << 20),
        ];
        var tier = new MemoryTier(long.MaxValue);
        var entries = Array.ConvertAll(texts, text => Entry(text));
        foreach (var entry in entries)
        {
            Assert.True(tier.Put(entry, pinned: false));
        }

        Assert.Equal(texts.Length, tier.Count);
        for (int i = 0; i < texts.Length; i++)
        {
            Assert.Same(entries[i], tier.TryGet(Key(new string(texts[i].AsSpan()))));
        }
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public void A_replaced_entry_leaves_no_bytes_behind(bool firstPinned, bool secondPinned)
    {
        var evicted = new List<CacheEntry>();
        var tier = new MemoryTier(100, evicted.Add, s_valueLength);
        var second = Entry("a", 70);
        tier.Put(Entry("a", 60), firstPinned);
        tier.Put(second, secondPinned);

        Assert.Same(second, tier.TryGet(second.Key));
        Assert.Equal((1, 70L), (tier.Count, tier.Bytes));
        Assert.Equal(secondPinned ? 70 : 0, tier.PinnedBytes);
        Assert.Empty(evicted);

        Assert.True(tier.Remove(second.Key));
        Assert.Equal((0, 0L, 0L), (tier.Count, tier.Bytes, tier.PinnedBytes));
    }

    [Fact]
    public void A_heavier_version_of_a_key_makes_room_among_the_others()
    {
        var tier = new MemoryTier(100, null, s_valueLength);
        for (int i = 0; i < 10; i++)
        {
            tier.Put(Entry($"k{i}"), pinned: false);
        }

        var heavier = Entry("k0", 95);
        Assert.True(tier.Put(heavier, pinned: false));

        Assert.Same(heavier, Assert.Single(tier.Entries));
        Assert.Equal(95, tier.Bytes);
    }

    [Fact]
    public void What_is_heavier_than_the_budget_is_not_stored_and_the_older_version_goes()
    {
        var evicted = new List<CacheEntry>();
        var tier = new MemoryTier(100, evicted.Add, s_valueLength);
        var other = Entry("other");
        tier.Put(other, pinned: false);
        tier.Put(Entry("a"), pinned: false);

        Assert.False(tier.Put(Entry("a", 101), pinned: false));

        Assert.Null(tier.TryGet(Key("a")));
        Assert.Same(other, tier.TryGet(other.Key));
        Assert.Equal(10, tier.Bytes);
        Assert.Empty(evicted);
    }

    [Fact]
    public void Only_the_same_object_is_removed_by_identity()
    {
        var tier = new MemoryTier(100, null, s_valueLength);
        var old = Entry("a");
        var current = Entry("a");
        tier.Put(old, pinned: false);
        tier.Put(current, pinned: false);

        Assert.False(tier.RemoveIfSame(old));
        Assert.Same(current, tier.TryGet(current.Key));
        Assert.True(tier.RemoveIfSame(current));
        Assert.False(tier.RemoveIfSame(current));
        Assert.False(tier.Remove(current.Key));
        Assert.Equal((0, 0L), (tier.Count, tier.Bytes));
    }

    [Fact]
    public void What_fulfils_the_predicate_is_removed_and_the_rest_stays()
    {
        var evicted = new List<CacheEntry>();
        var tier = new MemoryTier(long.MaxValue, evicted.Add);
        for (int i = 0; i < 1_000; i++)
        {
            tier.Put(Entry($"k{i}", i), pinned: i % 10 == 0);
        }

        tier.RemoveWhere(entry => entry.Value.Length % 2 == 0);

        Assert.Equal(500, tier.Count);
        Assert.All(tier.Entries, entry => Assert.Equal(1, entry.Value.Length % 2));
        Assert.Equal(tier.Entries.Sum(MemoryTier.WeightOf), tier.Bytes);
        Assert.Equal(0, tier.PinnedBytes);
        Assert.Empty(evicted);
    }

    [Fact]
    public void Clear_removes_everything_and_the_tier_works_on()
    {
        var tier = new MemoryTier(1_000, null, s_valueLength);
        for (int i = 0; i < 200; i++)
        {
            tier.Put(Entry($"k{i}"), pinned: i % 50 == 0);
        }

        tier.Clear();

        Assert.Equal((0, 0L, 0L), (tier.Count, tier.Bytes, tier.PinnedBytes));
        Assert.Empty(tier.Entries);
        Assert.Null(tier.OldestPinned());
        Assert.Null(tier.TryGet(Key("k0")));

        var again = Entry("k0");
        Assert.True(tier.Put(again, pinned: false));
        Assert.Same(again, tier.TryGet(again.Key));
        Assert.Equal((1, 10L), (tier.Count, tier.Bytes));
    }

    [Fact]
    public void Used_are_those_that_were_hit_since_they_were_put()
    {
        var tier = new MemoryTier(1_000, null, s_valueLength);
        var hit = Entry("hit");
        tier.Put(hit, pinned: false);
        tier.Put(Entry("replaced"), pinned: false);
        tier.Put(Entry("never"), pinned: false);
        tier.TryGet(hit.Key);
        tier.TryGet(Key("replaced"));
        tier.Put(Entry("replaced"), pinned: false);

        Assert.Same(hit, Assert.Single(tier.TakeUsed()));
        Assert.Empty(tier.TakeUsed());
        tier.TryGet(hit.Key);
        Assert.Same(hit, Assert.Single(tier.TakeUsed()));
        Assert.Equal(3, tier.Entries.Count());
    }

    [Fact]
    public void A_negative_budget_is_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new MemoryTier(-1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new MemoryTier(1) { BudgetBytes = -1 });
    }

    [Fact]
    public void A_hit_and_a_miss_allocate_nothing()
    {
        var tier = new MemoryTier(long.MaxValue);
        var keys = Enumerable.Range(0, 100).Select(i => Key($"k{i}")).ToArray();
        foreach (var key in keys.AsSpan(0, 90))
        {
            tier.Put(new CacheEntry(key, new byte[100], [], Expiry.None, Expiry.Never), pinned: false);
        }

        long allocated = 0;
        for (int round = 0; round < 2; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 10_000; i++)
            {
                tier.TryGet(keys[i % keys.Length]);
            }

            allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        }

        Assert.Equal(0, allocated);
    }

    // Seen to fail when all of it was evicted at once: for as long as that takes nothing can be set.
    [Fact]
    public void A_lower_budget_is_reached_in_steps()
    {
        const int Budget = 64 << 20;
        var seen = new List<long>();
        MemoryTier? tier = null;
        tier = new MemoryTier(Budget, _ => seen.Add(tier!.Bytes), s_valueLength);
        for (int i = 0; i < 2_000; i++)
        {
            tier.Put(Entry($"key {i}", 32 << 10), pinned: false);
        }

        seen.Clear();
        tier.BudgetBytes = Budget / 2;

        Assert.InRange(tier.Bytes, (Budget / 2) - (2 << 20), Budget / 2);
        Assert.InRange(seen[0], Budget - (4 << 20), Budget);
        Assert.InRange(seen.Distinct().Count(), 20, 40);
    }
}
