using DiskDistributedCache.Entries;
using DiskDistributedCache.Tiers;
using Xunit;
using static DiskDistributedCache.Tests.Tiers.MemoryTierTests;

namespace DiskDistributedCache.Tests.Tiers;

public sealed class MemoryTierTableTests
{
    [Theory]
    [InlineData(int.MaxValue)]
    [InlineData(50)]
    [InlineData(1)]
    public void The_table_finds_what_a_dictionary_finds_whatever_the_hashes_collide(int hashCount)
    {
        int seed = Random.Shared.Next();
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        var random = new Random(seed);
        var table = new ResidentTable();
        var model = new Dictionary<string, Resident>();
        for (int step = 0; step < 20_000; step++)
        {
            string text = $"k{random.Next(100)}";
            int hash = text.GetHashCode(StringComparison.Ordinal) % hashCount;
            var found = table.Find(Key(text), hash);
            Assert.Same(model.GetValueOrDefault(text), found);
            if (found is null)
            {
                model[text] = new Resident(Entry(text), hash) { Place = Place.Small };
                table.Add(model[text]);
            }
            else if (random.Next(3) > 0)
            {
                found.Place = Place.None;
                table.Remove(found);
                model.Remove(text);
            }

            Assert.Equal(model.Count, table.Count);
        }

        Assert.Equal(model.Values.ToHashSet(), table.Residents.ToHashSet());
    }

    [Fact]
    public void A_resident_on_its_way_between_two_queues_has_not_left_the_tier()
    {
        var resident = new Resident(Entry("a"), 1);
        var table = new ResidentTable();
        var queue = new ResidentQueue(Place.Small);
        queue.Add(resident);
        table.Add(resident);

        queue.Remove(resident);

        Assert.Same(resident, Assert.Single(table.Residents));
    }

    [Fact]
    public void The_ghost_knows_what_a_list_of_all_evictions_knows()
    {
        const long LimitBytes = 500;
        const int LimitCount = 200;
        int seed = Random.Shared.Next();
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        var random = new Random(seed);
        var ghost = new GhostQueue();
        var model = new List<(int Hash, long Stamp)>();
        long evictedBytes = 0;
        for (int step = 0; step < 20_000; step++)
        {
            int hash = random.Next(2_000) * 64;
            int at = model.FindLastIndex(each => each.Hash == hash);
            bool taken = ghost.TryTake(hash, out long distanceBytes);
            Assert.Equal(at >= 0, taken);
            if (taken)
            {
                Assert.Equal(evictedBytes - model[at].Stamp, distanceBytes);
                model.RemoveAt(at);
            }

            // Light and heavy phases, so that now the count limits and now the weight.
            int weightBytes = random.Next(1, step / 2_000 % 2 == 0 ? 3 : 40);
            evictedBytes += weightBytes;
            while (model.Count > 0 && (evictedBytes - model[0].Stamp > LimitBytes || model.Count >= LimitCount))
            {
                model.RemoveAt(0);
            }

            model.Add((hash, evictedBytes));
            ghost.Add(hash, weightBytes, LimitBytes, LimitCount);
        }
    }
}
