using DiskDistributedCache.Entries;
using DiskDistributedCache.Storage;
using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Storage;

/// <summary>
/// Kills the process before every call that changes something on disk: while segments fill up, are sealed and begun, while the oldest
/// are reclaimed, or recycled on a full disk, with what was read in them appended again, and while a clear erases. What is found afterwards is what was
/// acknowledged, with or without the mutation that was under way, and everything that the index had on disk is served.
/// </summary>
public sealed class CrashPointTests
{
    private const int MutationCount = 500;
    private const int KeyCount = 60;
    private const int MinFree = 64 << 10;

    private static readonly StoreSettings s_settings = StoreSession.SmallSettings with { MaxDiskBytes = 1 << 20 };

    private static readonly FileOperation[] s_changes =
        [FileOperation.Open, FileOperation.Write, FileOperation.SetLength, FileOperation.Move, FileOperation.Delete];

    private readonly List<string> _violations = [];
    private int _count;

    [Theory]
    [InlineData(1, false)]
    [InlineData(2, false)]
    [InlineData(3, true)]
    [InlineData(4, true)]
    public void A_process_killed_between_any_two_calls_leaves_a_right_store(int seed, bool isDiskFull)
    {
        using var directory = new ScratchDirectory();
        using var copy = new ScratchDirectory();
        var fileSystem = new FaultyFileSystem();
        var time = new TestClock();
        var settings = isDiskFull ? s_settings with { MaxDiskBytes = 16 << 20, MinFreeDiskBytes = MinFree } : s_settings;
        if (isDiskFull)
        {
            _ = new SmallDisk(fileSystem, () => Path.Combine(directory.Path, "diskcache-v1"), MinFree + (512 << 10));
        }

        using var session = new StoreSession(directory.Path, time, new CacheModel(), fileSystem, settings);
        string what = "start";
        foreach (var operation in s_changes)
        {
            fileSystem.Watch(operation, call =>
            {
                // Of the appends every fourth: their images differ least.
                if (operation != FileOperation.Write || _count++ % 4 == 0)
                {
                    StoreImage.Take(directory.Path).WriteTo(copy.Path);
                    Check(copy.Path, time, session, $"seed {seed}, {what}, before {call}");
                }
            });
        }

        var random = new Random(seed);
        for (int i = 0; i < MutationCount && _violations.Count < 10; i++)
        {
            time.Advance(TimeSpan.FromSeconds(1));
            what = $"mutation {i}";
            Mutate(session, random, i);
            session.Get(KeyAt(random));
        }

        what = "close";
        session.Close();
        Assert.True(_violations.Count == 0, string.Join('\n', _violations));
        Assert.True((isDiskFull ? session.Store.RecycledSegments : session.Store.ErasedSegments) > 10);
    }

    private static CacheKey KeyAt(Random random) => new((KeySpace)random.Next(2), $"key {random.Next(KeyCount)}");

    private static void Mutate(StoreSession session, Random random, int number)
    {
        string[] tags = [$"tag {random.Next(8)}", $"tag {random.Next(8)} too"];
        switch (random.Next(100))
        {
            case 0 when number > MutationCount / 2:
                session.Clear();
                break;
            case < 12:
                session.Remove(KeyAt(random));
                break;
            case < 18:
                session.EvictByTag(tags[0]);
                break;
            case < 30:
                session.Set(KeyAt(random), Value(random, number), tags, absolute: TimeSpan.FromSeconds(random.Next(1, 100)));
                break;
            default:
                session.Set(KeyAt(random), Value(random, number), tags);
                break;
        }
    }

    private static byte[] Value(Random random, int number)
    {
        byte[] value = new byte[random.Next(100) == 0 ? 100_000 : random.Next(4, 9000)];
        BitConverter.TryWriteBytes(value, number);
        random.NextBytes(value.AsSpan(4));
        return value;
    }

    private void Check(string directory, TestClock time, StoreSession killed, string when)
    {
        using var session = new StoreSession(directory, StoreHistory.TimeAt(time.GetUtcNow()), killed.Acknowledged, null, s_settings);
        foreach (var key in killed.InFlight.EveryKey)
        {
            byte[]? found = session.Get(key);
            bool isRight = found is null || new[] { killed.Acknowledged, killed.InFlight }.Any(model =>
                model.ValueOf(key, session.NowTicks) is { } expected && found.AsSpan().SequenceEqual(expected));
            bool mustBeServed = killed.Store.Index.TryGet(killed.Store.HashOf(key), out var where)
                && !where.IsPending
                && killed.InFlight.ValueOf(key, killed.NowTicks) is not null
                && killed.Acknowledged.ValueOf(key, killed.NowTicks) is not null;
            if (!isRight || (found is null && mustBeServed))
            {
                _violations.Add($"{when}: '{key.Space}:{key.Text}' {(isRight ? "is forgotten" : "LIES")}");
            }
        }
    }
}
