using DiskDistributedCache.Entries;
using DiskDistributedCache.Tiers;
using Xunit;
using static DiskDistributedCache.Tests.Tiers.MemoryTierTests;

namespace DiskDistributedCache.Tests.Tiers;

public sealed class MemoryTierPinTests
{
    private readonly List<CacheEntry> _evicted = [];

    private MemoryTier NewTier(long budgetBytes) => new(budgetBytes, _evicted.Add, entry => entry.Value.Length);

    [Fact]
    public void A_pinned_entry_outlives_any_number_of_others_and_is_evicted_like_them_once_it_is_unpinned()
    {
        var tier = NewTier(100);
        var pinned = Entry("pinned", 50);
        tier.Put(pinned, pinned: true);
        Fill(tier, "first", 1_000);

        Assert.Contains(pinned, tier.Entries);
        Assert.Equal((100L, 50L), (tier.Bytes, tier.PinnedBytes));

        tier.Unpin(pinned);
        Assert.Equal((100L, 0L), (tier.Bytes, tier.PinnedBytes));
        Fill(tier, "second", 1_000);

        Assert.DoesNotContain(pinned, tier.Entries);
        Assert.Contains(pinned, _evicted);
        Assert.Equal(100, tier.Bytes);
    }

    [Fact]
    public void Pinned_entries_take_the_room_of_the_others_and_then_more_than_the_budget()
    {
        var tier = NewTier(100);
        Fill(tier, "k", 10);

        tier.Put(Entry("p1", 60), pinned: true);
        Assert.Equal((100L, 60L), (tier.Bytes, tier.PinnedBytes));
        Assert.Equal(6, _evicted.Count);

        tier.Put(Entry("p2", 60), pinned: true);
        Assert.Equal((120L, 120L), (tier.Bytes, tier.PinnedBytes));
        Assert.Equal(10, _evicted.Count);

        Assert.False(tier.Put(Entry("k"), pinned: false));
        Assert.Equal(2, tier.Count);
    }

    [Fact]
    public void An_unpinned_entry_that_does_not_fit_beside_the_pinned_ones_is_refused_before_others_make_room()
    {
        var tier = NewTier(100);
        var other = Entry("other");
        tier.Put(Entry("pinned", 50), pinned: true);
        tier.Put(other, pinned: false);

        Assert.False(tier.Put(Entry("heavy", 51), pinned: false));

        Assert.Same(other, tier.TryGet(other.Key));
        Assert.Empty(_evicted);
    }

    [Fact]
    public void What_is_unpinned_above_the_budget_goes_at_once()
    {
        var tier = NewTier(100);
        var first = Entry("p1", 60);
        var second = Entry("p2", 60);
        tier.Put(first, pinned: true);
        tier.Put(second, pinned: true);

        tier.Unpin(first);

        Assert.Same(first, Assert.Single(_evicted));
        Assert.Equal((60L, 60L), (tier.Bytes, tier.PinnedBytes));
        tier.Unpin(second);
        Assert.Equal((60L, 0L), (tier.Bytes, tier.PinnedBytes));
        Assert.Same(second, tier.TryGet(second.Key));
    }

    [Fact]
    public void With_a_budget_of_zero_an_entry_stays_as_long_as_it_is_pinned()
    {
        var tier = NewTier(0);
        var pinned = Entry("pinned");

        Assert.False(tier.Put(Entry("a"), pinned: false));
        Assert.False(tier.Put(Entry("empty", 1), pinned: false));
        Assert.True(tier.Put(pinned, pinned: true));
        Assert.Same(pinned, tier.TryGet(pinned.Key));

        tier.Unpin(pinned);
        Assert.Null(tier.TryGet(pinned.Key));
        Assert.Equal((0, 0L, 0L), (tier.Count, tier.Bytes, tier.PinnedBytes));
        Assert.Same(pinned, Assert.Single(_evicted));
    }

    [Fact]
    public void A_replaced_version_unpins_nothing()
    {
        var tier = NewTier(100);
        var old = Entry("a");
        var current = Entry("a", 20);
        tier.Put(old, pinned: true);
        tier.Put(current, pinned: true);

        tier.Unpin(old);
        Assert.Equal(20, tier.PinnedBytes);

        tier.Unpin(current);
        tier.Unpin(current);
        Assert.Equal((20L, 0L), (tier.Bytes, tier.PinnedBytes));
    }

    [Fact]
    public void The_oldest_pinned_entry_is_the_one_pinned_for_longest()
    {
        var tier = NewTier(100);
        var first = Entry("first");
        var second = Entry("second");
        var firstAgain = Entry("first");
        Assert.Null(tier.OldestPinned());
        tier.Put(first, pinned: true);
        tier.Put(Entry("clean"), pinned: false);
        tier.Put(second, pinned: true);
        Assert.Same(first, tier.OldestPinned());

        tier.Put(firstAgain, pinned: true);
        Assert.Same(second, tier.OldestPinned());
        tier.Remove(second.Key);
        Assert.Same(firstAgain, tier.OldestPinned());
        tier.Unpin(firstAgain);
        Assert.Null(tier.OldestPinned());
    }

    [Fact]
    public void A_lower_budget_evicts_at_once_but_nothing_pinned()
    {
        var tier = NewTier(100);
        var pinned = Entry("pinned", 40);
        Fill(tier, "k", 6);
        tier.Put(pinned, pinned: true);
        Assert.Empty(_evicted);

        tier.BudgetBytes = 65;
        Assert.Equal((60L, 4), (tier.Bytes, _evicted.Count));

        tier.BudgetBytes = 0;
        Assert.Same(pinned, Assert.Single(tier.Entries));
        Assert.Equal(6, _evicted.Count);
        Assert.Equal(0, tier.BudgetBytes);
    }

    [Fact]
    public void A_higher_budget_is_used_in_full()
    {
        var tier = NewTier(100);
        Fill(tier, "k", 100);
        tier.BudgetBytes = 500;

        Fill(tier, "l", 100);

        Assert.Equal((500L, 50), (tier.Bytes, tier.Count));
        Assert.Equal(150, _evicted.Count);
    }

    [Fact]
    public void The_callback_is_told_once_of_each_eviction_and_may_use_the_tier()
    {
        var seen = new List<CacheEntry>();
        MemoryTier tier = null!;
        tier = new MemoryTier(
            100,
            entry =>
            {
                seen.Add(entry);
                Assert.Null(tier.TryGet(entry.Key));
                Assert.True(OnAnotherThread(() => tier.Remove(Key("nobody")) || tier.OldestPinned() is null));
            },
            entry => entry.Value.Length);

        Fill(tier, "k", 50);

        Assert.Equal(40, seen.Distinct().Count());
        Assert.Equal(40, seen.Count);
        Assert.Empty(seen.Intersect(tier.Entries));
    }

    private static void Fill(MemoryTier tier, string prefix, int count)
    {
        for (int i = 0; i < count; i++)
        {
            tier.Put(Entry($"{prefix}{i}"), pinned: false);
        }
    }

    // A callback under the lock would never come back from here.
    private static bool OnAnotherThread(Func<bool> action)
    {
        bool result = false;
        var thread = new Thread(() => result = action());
        thread.Start();
        return thread.Join(TimeSpan.FromSeconds(30)) && result;
    }
}
