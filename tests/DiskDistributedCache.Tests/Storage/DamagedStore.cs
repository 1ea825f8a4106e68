using System.Collections.Concurrent;
using DiskDistributedCache.Entries;
using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Storage;

/// <summary>One damaged store: what was done to it, and what has to be served all the same.</summary>
internal sealed record Damage(string What, int Offset, StoreImage Image, IReadOnlySet<CacheKey> Served);

/// <summary>
/// Opens damaged stores again and again and compares every read with the model: a value that is not the acknowledged one is a lie,
/// a miss of something that the damage table does not give away is a failure as well.
/// </summary>
internal static class DamagedStore
{
    /// <summary>Everything for every damage, and every bit; otherwise neighbouring offsets share the work.</summary>
    public static readonly bool IsFull = Environment.GetEnvironmentVariable("DISKCACHE_TEST_SWEEP") == "full";

    private static readonly CacheKey s_new = StoreHistory.Data("new");

    /// <summary>Every damage in turn, over two workers. Fails with the first violations, in full.</summary>
    public static void Sweep(StoreHistory history, IEnumerable<Damage> damages)
    {
        var violations = new ConcurrentQueue<string>();
        int count = 0;
        Parallel.ForEach(
            Partitioner.Create(damages, EnumerablePartitionerOptions.NoBuffering),
            new ParallelOptions { MaxDegreeOfParallelism = 2 },
            () => new ScratchDirectory(),
            (damage, _, directory) =>
            {
                Interlocked.Increment(ref count);
                foreach (string violation in Check(directory.Path, history, damage))
                {
                    violations.Enqueue($"{history.Ending}: {damage.What}: {violation}");
                }

                return directory;
            },
            directory => directory.Dispose());
        Assert.True(count > 0);
        Assert.True(
            violations.IsEmpty,
            $"{violations.Count} violations in {count} stores:\n" + string.Join('\n', violations.Order().Take(40)));
    }

    private static List<string> Check(string directory, StoreHistory history, Damage damage)
    {
        var violations = new List<string>();
        try
        {
            if (IsFull || damage.Offset % 2 == 0)
            {
                ReadOnly(directory, history, damage, violations);
            }

            if (IsFull || damage.Offset % 2 != 0)
            {
                Mutated(directory, history, damage, closes: damage.Offset % 4 < 2, violations);
            }
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            violations.Add($"does not open: {exception}");
        }

        return violations;
    }

    /// <summary>Reads twice, closes, reads after a restart, and once more after a kill.</summary>
    private static void ReadOnly(string directory, StoreHistory history, Damage damage, List<string> violations)
    {
        damage.Image.WriteTo(directory);
        using (var first = new StoreSession(directory, StoreHistory.TimeAt(history.Now), history.Model))
        {
            Read(first, damage.Served, "at first", violations);
            Read(first, damage.Served, "the second time", violations);
            first.Close();
        }

        using (var second = new StoreSession(directory, StoreHistory.TimeAt(history.Now), history.Model))
        {
            Read(second, damage.Served, "after a restart", violations);
        }

        using var third = new StoreSession(directory, StoreHistory.TimeAt(history.Now), history.Model);
        Read(third, damage.Served, "after a restart and a kill", violations);
    }

    /// <summary>Changes the damaged store before anything was read, and reads after a restart.</summary>
    private static void Mutated(string directory, StoreHistory history, Damage damage, bool closes, List<string> violations)
    {
        damage.Image.WriteTo(directory);
        CacheModel model;
        using (var first = new StoreSession(directory, StoreHistory.TimeAt(history.Now), history.Model))
        {
            first.Set(s_new, StoreHistory.Bytes("new1"));
            first.Remove(StoreHistory.A);
            model = first.Acknowledged;
            if (closes)
            {
                first.Close();
            }
        }

        var served = damage.Served.Where(key => !key.Equals(StoreHistory.A)).Append(s_new).ToHashSet();
        using var second = new StoreSession(directory, StoreHistory.TimeAt(history.Now), model);
        Read(second, served, closes ? "after a change and a restart" : "after a change and a kill", violations);
    }

    private static void Read(StoreSession session, IReadOnlySet<CacheKey> served, string when, List<string> violations)
    {
        foreach (var key in session.Acknowledged.EveryKey)
        {
            byte[]? expected = session.Acknowledged.ValueOf(key, session.NowTicks);
            byte[]? found = session.Get(key);
            if (found is not null && (expected is null || !found.AsSpan().SequenceEqual(expected)))
            {
                violations.Add($"{when}, '{key.Space}:{key.Text}' LIES");
            }
            else if (found is null && served.Contains(key))
            {
                violations.Add($"{when}, '{key.Space}:{key.Text}' is forgotten");
            }
        }
    }
}
