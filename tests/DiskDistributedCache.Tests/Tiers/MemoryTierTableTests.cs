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

    /// <summary>Full buckets forget, so not everything is remembered; what is remembered is right, and nearly everything is.</summary>
    [Fact]
    public void What_a_ghost_says_is_what_a_list_of_all_evictions_says()
    {
        const int Residents = 200;
        int seed = Random.Shared.Next();
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        var random = new Random(seed);
        var ghosts = new GhostTable();
        var model = new Dictionary<int, (Place Queue, long Stamp)>();
        var evictedBytes = new Dictionary<Place, long> { [Place.Small] = 0, [Place.Main] = 0 };
        int remembered = 0;
        int asked = 0;
        for (int step = 0; step < 20_000; step++)
        {
            // Hashes that differ in few bits, as those of a bad hash would. Now and then there are many more residents, or far fewer.
            int hash = random.Next(400) * 64;
            int residents = step / 2_000 % 3 == 1 ? 20 * Residents : Residents;
            bool isThere = model.Remove(hash, out var expected);
            bool taken = ghosts.TryTake(hash, out var queue, out long distanceBytes);
            Assert.True(isThere || !taken);
            asked += isThere ? 1 : 0;
            remembered += taken ? 1 : 0;
            if (taken)
            {
                Assert.Equal((expected.Queue, evictedBytes[expected.Queue] - expected.Stamp), (queue, distanceBytes));
            }

            var left = random.Next(4) == 0 ? Place.Main : Place.Small;
            int weightBytes = random.Next(1, 40);
            model[hash] = (left, evictedBytes[left] += weightBytes);
            ghosts.Add(hash, left, weightBytes, residents);
        }

        Assert.True(remembered > asked * 9 / 10, $"{remembered} of {asked} were remembered.");
        ghosts.Clear();
        Assert.DoesNotContain(model.Keys, hash => ghosts.TryTake(hash, out _, out _));
    }

    /// <summary>A ghost of the main queue is of use for a quarter of the distance.</summary>
    [Theory]
    [InlineData(0, 1)]
    [InlineData(2, 0)]
    public void A_full_bucket_forgets_who_is_furthest_behind(int evictedFromMainSince, int expectedFromMain)
    {
        const int Hash = 7;
        var ghosts = new GhostTable();
        ghosts.Add(Hash, Place.Main, 1, 0);
        for (int i = 0; i < evictedFromMainSince; i++)
        {
            // In another bucket.
            ghosts.Add(1, Place.Main, 1, 0);
        }

        for (int i = 0; i < 5; i++)
        {
            ghosts.Add(Hash, Place.Small, 1, 0);
        }

        var left = new List<Place>();
        while (ghosts.TryTake(Hash, out var queue, out _))
        {
            left.Add(queue);
        }

        Assert.Equal(5, left.Count);
        Assert.Equal(expectedFromMain, left.Count(place => place == Place.Main));
    }
}
