using System.Text;
using DiskDistributedCache.Entries;
using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Storage;

/// <summary>How the process ended that had the store last.</summary>
internal enum Ending
{
    /// <summary>Closed in order.</summary>
    Clean,

    /// <summary>Killed after its last mutation was acknowledged, some of them behind its last heartbeat.</summary>
    Killed,

    /// <summary>Killed after it had opened the store and before it changed anything.</summary>
    KilledIdle,

    /// <summary>Killed after a few mutations and before its first heartbeat.</summary>
    KilledEarly,
}

/// <summary>
/// A small store with a past: five processes, one of them killed, one with a torn write, two key spaces, and every way in which a
/// value dies. What it has to remember fits on a screen, and is in <see cref="Model"/>.
/// </summary>
internal sealed class StoreHistory
{
    private static readonly DateTimeOffset s_begin = new(2030, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private readonly FaultyFileSystem _fileSystem = new();
    private readonly TestClock _time = TimeAt(s_begin);
    private readonly List<(long Sequence, CacheModel Model)> _models = [];
    private readonly List<StoreImage> _earlier = [];

    private StoreHistory(Ending ending, bool isAligned = false)
    {
        Ending = ending;
        using var directory = new ScratchDirectory();
        if (isAligned)
        {
            Run(directory.Path, FirstAlignedProcess, close: true);
            Run(directory.Path, LastAlignedProcess, close: ending == Ending.Clean);
        }
        else
        {
            RunAll(directory, ending);
        }

        Image = _earlier[^1];
        WitnessFolder.Vouch(directory.Path);
        Witness = ending == Ending.Clean ? null : WitnessFolder.Read(directory.Path);
        WitnessFolder.Put(directory.Path, null);
        Now = _time.GetUtcNow();
    }

    private void RunAll(ScratchDirectory directory, Ending ending)
    {
        Run(directory.Path, FirstProcess, close: true);
        Run(directory.Path, KilledProcess, close: false);
        Run(directory.Path, ProcessWithTornWrite, close: true);
        Run(directory.Path, FourthProcess, close: true);
        Run(directory.Path, LastProcess, close: ending != Ending.Killed);
        if (ending == Ending.KilledIdle)
        {
            Run(directory.Path, _ => { }, close: false);
        }
        else if (ending == Ending.KilledEarly)
        {
            Run(directory.Path, EarlyKilledProcess, close: false);
        }
    }

    public static CacheKey A { get; } = Data("a");

    public Ending Ending { get; }

    public StoreImage Image { get; }

    public CacheModel Model { get; private set; } = new();

    /// <summary>What vouches for the store; null after a clean close.</summary>
    public byte[]? Witness { get; }

    /// <summary>The same store at some moments before.</summary>
    public IReadOnlyList<StoreImage> Earlier => _earlier[..^1];

    public DateTimeOffset Now { get; }

    public static StoreHistory EndingAs(Ending ending) => new(ending);

    /// <summary>A store whose records begin at sectors of 512 bytes, so that one can be put whole in the place of others.</summary>
    public static StoreHistory AlignedEndingAs(Ending ending) => new(ending, isAligned: true);

    /// <summary>What had been acknowledged before the mutation with this number.</summary>
    public CacheModel ModelBefore(long sequence) =>
        _models.Where(known => known.Sequence < sequence).OrderBy(known => known.Sequence).Select(known => known.Model).LastOrDefault(new CacheModel());

    public static TestClock TimeAt(DateTimeOffset now)
    {
        var time = new TestClock();
        time.SetUtcNow(now);
        return time;
    }

    public static CacheKey Data(string key) => new(KeySpace.Data, key);

    public static CacheKey Output(string key) => new(KeySpace.Output, key);

    public static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    private void Run(string directory, Action<StoreSession> work, bool close)
    {
        using var session = new StoreSession(directory, _time, Model, _fileSystem);
        session.Appended += (sequence, model) =>
        {
            _models.Add((sequence, model));
            if (_models.Count % 5 == 0)
            {
                _earlier.Add(StoreImage.Take(directory));
            }
        };
        work(session);
        Model = session.Acknowledged;
        if (close)
        {
            session.Close();
        }

        _earlier.Add(StoreImage.Take(directory));
    }

    private void FirstProcess(StoreSession cache)
    {
        cache.Set(Data("cleared"), Bytes("must not come back"));
        cache.Set(Data("cleared-too"), Bytes("must not come back"), ["old"]);
        cache.EvictByTag("old");
        cache.Clear();
        cache.Set(A, Bytes("a1"));
        cache.Set(Data("b"), Bytes("b1"), ["t1", "t2"]);
        cache.Set(Data("c"), Bytes("c1"));
        cache.Set(Output("a"), Bytes("response a1"), ["t2"]);
        cache.Set(Data("expires"), Bytes("for an hour"), absolute: TimeSpan.FromHours(1));
        cache.Set(Data("slides"), Bytes("two hours each"), sliding: TimeSpan.FromHours(2));
        cache.Set(Data("slid-out"), Bytes("an hour unused"), sliding: TimeSpan.FromHours(1));
        cache.Set(Data("h"), Bytes("h1"));
        cache.Set(Data("k"), Bytes("k1"), ["t3"]);
        cache.Set(Data("stays"), Bytes("from the first process"));
    }

    private void KilledProcess(StoreSession cache)
    {
        cache.Set(A, Bytes("a2"));
        cache.Remove(Data("c"));
        cache.Store.Heartbeat();
        cache.Set(Output("b"), Bytes("response b1"), ["t1"]);
        _time.Advance(TimeSpan.FromMinutes(45));
        cache.Touch(Data("slides"), TimeSpan.FromHours(2));
        cache.Set(Data("p"), Bytes("p1"));
    }

    private void ProcessWithTornWrite(StoreSession cache)
    {
        cache.EvictByTag("t1");
        cache.Set(Data("g"), Bytes("g1"), ["t1"]);
        _fileSystem.Tear(keptBytes: 80, ".seg", times: 1);
        cache.Set(Data("m"), Bytes("m1, which was torn at first"));
        cache.Remove(Data("h"));
        cache.Set(Data("c"), Bytes("c3"));
    }

    private void FourthProcess(StoreSession cache)
    {
        cache.Set(Data("empty"), []);
        cache.Set(Data("\ud800 lone"), Bytes(new string('q', 100)));
        cache.Remove(Data("absent"));
        _time.Advance(TimeSpan.FromMinutes(45));
    }

    private void LastProcess(StoreSession cache)
    {
        cache.Set(A, Bytes("a3"));
        cache.Set(Data("r"), Bytes("r1"));
        cache.Store.Heartbeat();
        cache.EvictByTag("t3");
        cache.Set(Data("n"), Bytes("n1"), ["t3"]);
        cache.Remove(Data("r"));
        cache.Set(Data("s"), Bytes("s1"));
        cache.Set(Data("s"), Bytes("s2"));
        cache.Touch(Data("slides"), TimeSpan.FromHours(2));
        cache.Set(Data("u"), Bytes("u1"), ["t4", "t5"], sliding: TimeSpan.FromMinutes(10));
        cache.EvictByTag("t6");
        cache.Set(Data("v"), Bytes("v1"));
    }

    private static void FirstAlignedProcess(StoreSession cache)
    {
        cache.Set(A, AlignedBytes(384, A, 1));
        foreach (string key in (string[])["b", "c", "d", "e", "f", "g", "h"])
        {
            cache.Set(Data(key), AlignedBytes(512, Data(key), 1));
        }
    }

    /// <summary>Sectors with one value, and such with a removal and a value, or a clear of a tag and a value.</summary>
    private static void LastAlignedProcess(StoreSession cache)
    {
        cache.Set(A, AlignedBytes(384, A, 2));
        cache.Store.Heartbeat();
        for (int round = 2; round < 5; round++)
        {
            cache.Set(Data("b"), AlignedBytes(512, Data("b"), round));
            cache.Set(Data("c"), AlignedBytes(512, Data("c"), round));
            cache.Remove(Data("b"));
            cache.Set(Data("d"), AlignedBytes(512 - 104, Data("d"), round));
            cache.Remove(Data("c"));
            cache.Set(Data("e"), AlignedBytes(512 - 104, Data("e"), round));
            cache.Set(Data("f"), AlignedBytes(512, Data("f"), round));
        }

        cache.Remove(Data("g"));
    }

    /// <summary>A value with which the record of a key without tags has so many bytes.</summary>
    private static byte[] AlignedBytes(int recordBytes, CacheKey key, int number)
    {
        byte[] value = new byte[recordBytes - 104 - (2 * key.Text.Length)];
        value.AsSpan().Fill((byte)((number * 16) + key.Text[0]));
        return value;
    }

    private void EarlyKilledProcess(StoreSession cache)
    {
        cache.Set(A, Bytes("a4"));
        cache.Remove(Data("stays"));
        cache.EvictByTag("t3");
        cache.Set(Data("w"), Bytes("w1"));
    }
}
