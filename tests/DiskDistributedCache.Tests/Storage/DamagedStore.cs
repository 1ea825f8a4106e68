using System.Collections.Concurrent;
using DiskDistributedCache.Entries;
using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Storage;

/// <summary>One damaged store: what was done to it, and what has to be served all the same.</summary>
internal sealed record Damage(string What, int Offset, StoreImage Image, IReadOnlySet<CacheKey> Served)
{
    /// <summary>
    /// What the callers knew before the last records were written, where the damage looks exactly as if they had never been; else null. What may
    /// be returned then is that as well.
    /// </summary>
    public CacheModel? Unwritten { get; init; }
}

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

    /// <summary>Opens a damaged store once, with the witness that its process has left, and reads everything.</summary>
    public static List<string> CheckOnce(string directory, StoreHistory history, Damage damage, ref int hitCount)
    {
        var violations = new List<string>();
        try
        {
            damage.Image.WriteTo(directory);
            WitnessFolder.Put(directory, history.Witness);
            using var session = new StoreSession(directory, StoreHistory.TimeAt(history.Now), history.Model, vouches: false);
            hitCount += Read(session, damage.Served, damage.Unwritten, "at first", violations);
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            violations.Add($"does not open: {exception}");
        }

        return violations;
    }

    /// <summary>Opens a damaged store several times, and reads it, or changes it first: the offset says which.</summary>
    public static List<string> Check(string directory, StoreHistory history, Damage damage)
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
            Read(first, damage.Served, damage.Unwritten, "at first", violations);
            Read(first, damage.Served, damage.Unwritten, "the second time", violations);
            first.Close();
        }

        using (var second = new StoreSession(directory, StoreHistory.TimeAt(history.Now), history.Model))
        {
            Read(second, damage.Served, damage.Unwritten, "after a restart", violations);
        }

        using var third = new StoreSession(directory, StoreHistory.TimeAt(history.Now), history.Model);
        Read(third, damage.Served, damage.Unwritten, "after a restart and a kill", violations);
    }

    /// <summary>Changes the damaged store before anything was read, and reads after a restart.</summary>
    private static void Mutated(string directory, StoreHistory history, Damage damage, bool closes, List<string> violations)
    {
        damage.Image.WriteTo(directory);
        CacheModel model;
        var unwritten = damage.Unwritten?.Copy();
        unwritten?.Set(s_new, StoreHistory.Bytes("new1"), [], Expiry.Never);
        unwritten?.Remove(StoreHistory.A);
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
        Read(second, served, unwritten, closes ? "after a change and a restart" : "after a change and a kill", violations);
    }

    private static int Read(
        StoreSession session, IReadOnlySet<CacheKey> served, CacheModel? unwritten, string when, List<string> violations)
    {
        int hitCount = 0;
        foreach (var key in session.Acknowledged.EveryKey)
        {
            byte[]? found = session.Get(key);
            hitCount += found is null ? 0 : 1;
            if (found is not null && !IsRight(session.Acknowledged) && (unwritten is null || !IsRight(unwritten)))
            {
                violations.Add($"{when}, '{key.Space}:{key.Text}' LIES");
            }
            else if (found is null && served.Contains(key))
            {
                violations.Add($"{when}, '{key.Space}:{key.Text}' is forgotten");
            }

            bool IsRight(CacheModel model) =>
                model.ValueOf(key, session.NowTicks) is { } expected && found.AsSpan().SequenceEqual(expected);
        }

        return hitCount;
    }
}
