using DiskDistributedCache.Entries;
using DiskDistributedCache.Tiers;
using Xunit;
using static DiskDistributedCache.Tests.Tiers.MemoryTierTests;

namespace DiskDistributedCache.Tests.Tiers;

public sealed class MemoryTierConcurrencyTests
{
    private const int ThreadCount = 4;
    private const int KeysPerThread = 500;

    [Fact]
    public void The_budget_is_kept_at_every_moment_and_a_read_never_gets_another_keys_entry()
    {
        const long BudgetBytes = 50_000;
        int seed = Seed();
        var tier = new MemoryTier(BudgetBytes, null, entry => entry.Value.Length);

        Parallel(thread =>
        {
            var random = new Random(seed + thread);
            for (int i = 0; i < 50_000; i++)
            {
                // A thread writes to its own keys and reads everyone's.
                var read = Key($"{random.Next(ThreadCount)}-{random.Next(KeysPerThread)}");
                if (tier.TryGet(read) is { } found && !found.Key.Equals(read))
                {
                    return "A read got the entry of another key.";
                }

                string own = $"{thread}-{random.Next(KeysPerThread)}";
                if (random.Next(8) == 0)
                {
                    tier.Remove(Key(own));
                    if (tier.TryGet(Key(own)) is not null)
                    {
                        return "A removed entry was still there.";
                    }
                }
                else
                {
                    var entry = Entry(own, random.Next(1, 200));
                    tier.Put(entry, pinned: false);
                    if (tier.TryGet(entry.Key) is { } current && current != entry)
                    {
                        return "A read got an older version.";
                    }
                }

                if (tier.Bytes > BudgetBytes)
                {
                    return "The budget was exceeded.";
                }
            }

            return null;
        });

        Assert.Equal(tier.Entries.Sum(entry => entry.Value.Length), tier.Bytes);
        Assert.Equal(tier.Entries.Count(), tier.Count);
        Assert.Equal(tier.Count, tier.Entries.Select(entry => entry.Key).Distinct().Count());
    }

    [Fact]
    public void A_pinned_entry_is_found_by_its_writer_at_every_moment()
    {
        const long BudgetBytes = 20_000;
        int seed = Seed();
        var tier = new MemoryTier(BudgetBytes, null, entry => entry.Value.Length);

        Parallel(thread =>
        {
            var random = new Random(seed + thread);
            var pinned = new Queue<CacheEntry>();
            for (int i = 0; i < 20_000; i++)
            {
                var entry = Entry($"{thread}-{i % KeysPerThread}", random.Next(1, 200));
                tier.Put(entry, pinned: true);
                pinned.Enqueue(entry);
                if (pinned.Any(each => tier.TryGet(each.Key) != each))
                {
                    return "A pinned entry was gone.";
                }

                if (pinned.Count > 10)
                {
                    tier.Unpin(pinned.Dequeue());
                }
            }

            while (pinned.TryDequeue(out var last))
            {
                tier.Unpin(last);
            }

            return null;
        });

        Assert.Equal(0, tier.PinnedBytes);
        Assert.InRange(tier.Bytes, 1, BudgetBytes);
        Assert.Equal(tier.Entries.Sum(entry => entry.Value.Length), tier.Bytes);
    }

    [Fact]
    public void An_entry_that_stays_is_found_and_enumerated_while_others_come_and_go()
    {
        int seed = Seed();
        var tier = new MemoryTier(long.MaxValue);
        var staying = Enumerable.Range(0, 100).Select(i => Entry($"staying{i}")).ToArray();
        foreach (var entry in staying)
        {
            tier.Put(entry, pinned: false);
        }

        int writers = ThreadCount - 1;
        Parallel(thread =>
        {
            if (thread == 0)
            {
                var wanted = staying.ToHashSet();
                do
                {
                    if (staying.Any(entry => tier.TryGet(entry.Key) != entry))
                    {
                        return "An entry that stays was not found.";
                    }

                    if (tier.Entries.Count(wanted.Contains) != staying.Length)
                    {
                        return "An entry that stays was not enumerated, or twice.";
                    }
                }
                while (Volatile.Read(ref writers) > 0);
                return null;
            }

            var random = new Random(seed + thread);
            for (int i = 0; i < 30; i++)
            {
                int count = random.Next(1, 3_000);
                for (int n = 0; n < count; n++)
                {
                    tier.Put(Entry($"{thread}-{n}", 0), pinned: false);
                    if (thread == 1)
                    {
                        tier.Put(staying[n % staying.Length], pinned: n % 2 == 0);
                    }
                }

                for (int n = 0; n < count; n++)
                {
                    tier.Remove(Key($"{thread}-{n}"));
                }
            }

            Interlocked.Decrement(ref writers);
            return null;
        });

        Assert.Equal(staying.Length, tier.Count);
    }

    private static int Seed()
    {
        int seed = Random.Shared.Next();
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        return seed;
    }

    private static void Parallel(Func<int, string?> body)
    {
        string?[] failures = new string?[ThreadCount];
        var threads = Enumerable.Range(0, ThreadCount).Select(thread => new Thread(() =>
        {
            try
            {
                failures[thread] = body(thread);
            }
            catch (Exception exception)
            {
                failures[thread] = exception.ToString();
            }
        })).ToArray();
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());
        Assert.All(failures, Assert.Null);
    }
}
