using DiskDistributedCache.Entries;
using DiskDistributedCache.Tiers;
using Xunit;
using static DiskDistributedCache.Tests.Tiers.MemoryTierTests;

namespace DiskDistributedCache.Tests.Tiers;

[CollectionDefinition(nameof(MemoryTierWeightTests), DisableParallelization = true)]
public sealed class ProcessMemoryGroup;

/// <summary>Measures the memory of the process, so nothing else may run meanwhile.</summary>
[Collection(nameof(MemoryTierWeightTests))]
public sealed class MemoryTierWeightTests
{
    [Fact]
    public void The_weight_counts_value_key_and_tags()
    {
        long empty = MemoryTier.WeightOf(new CacheEntry(Key(""), default, [], Expiry.None, 0));

        Assert.Equal(MemoryTier.OverheadBytes, empty);
        Assert.Equal(empty + 100, MemoryTier.WeightOf(new CacheEntry(Key(""), new byte[100], [], Expiry.None, 0)));
        Assert.Equal(empty + 6, MemoryTier.WeightOf(new CacheEntry(Key("abc"), default, [], Expiry.None, 0)));
        Assert.Equal(
            empty + 200_000 + (4 * MemoryTier.PieceOverheadBytes),
            MemoryTier.WeightOf(new CacheEntry(Key(""), EntryValue.CopyOf(new byte[200_000]), [], Expiry.None, 0)));
        Assert.Equal(
            empty + (2 * MemoryTier.TagOverheadBytes) + 6,
            MemoryTier.WeightOf(new CacheEntry(Key(""), default, ["a", "bc"], Expiry.None, 0)));
    }

    // The lengths of table and ghosts are powers of two, so the share of an entry depends on how many there are.
    [Theory]
    [InlineData(66_000, 0)]
    [InlineData(100_000, 0)]
    [InlineData(130_000, 0)]
    [InlineData(100_000, 1)]
    [InlineData(100_000, 4)]
    public void The_overhead_of_an_entry_is_what_it_takes_in_memory(int count, int tagCount)
    {
        const int KeyLength = 10;
        long overheadBytes = MemoryTier.OverheadBytes + (tagCount * MemoryTier.TagOverheadBytes);
        long weightBytes = overheadBytes + (2 * KeyLength) + (tagCount * 2 * KeyLength);
        long before = GC.GetTotalMemory(forceFullCollection: true);
        var tier = new MemoryTier(count * weightBytes);

        // Three generations, so that table and ghosts have their final size; a third of the entries moves on to main.
        for (int i = 0; i < 3 * count; i++)
        {
            string text = i.ToString("D10", null);
            string[] tags = Enumerable.Range(0, tagCount).Select(_ => new string(text.AsSpan())).ToArray();
            tier.Put(new CacheEntry(Key(text), new byte[8], tags, Expiry.None, Expiry.Never), pinned: false);
            if (i % 3 == 0)
            {
                tier.TryGet(Key(text));
                tier.TryGet(Key(text));
            }
        }

        double measuredBytes = GC.GetTotalMemory(forceFullCollection: true) - before;
        double measuredOverhead = (measuredBytes / tier.Count) - (weightBytes - overheadBytes) - 8;
        TestContext.Current.TestOutputHelper?.WriteLine($"measured {measuredOverhead:F1}, counted {overheadBytes}");
        Assert.InRange(measuredOverhead, 0.75 * overheadBytes, 1.25 * overheadBytes);
        GC.KeepAlive(tier);
    }
}
