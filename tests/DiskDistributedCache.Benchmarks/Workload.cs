using System.Globalization;

namespace DiskDistributedCache.Benchmarks;

/// <summary>
/// The keys and values that every contestant of a comparison gets: entry <c>n</c> has the key <c>user:00000n:profile</c> and one
/// of 256 values of pseudo-random bytes. Everything comes from a fixed seed, so that two runs do the same work.
/// </summary>
internal sealed class Workload
{
    public const double ZipfExponent = 0.99;

    private const int Seed = 20_260_101;
    private const int DistinctValues = 256;
    private const int ComparedBytes = 8;
    private const int ZipfDraws = 1 << 18;

    private readonly string[] _keys;
    private readonly byte[][] _values = new byte[DistinctValues][];
    private readonly int[] _order;

    public Workload(int entries, int valueBytes)
    {
        ValueBytes = valueBytes;
        _keys = [.. Enumerable.Range(0, entries).Select(KeyOf)];
        var random = new Random(Seed);
        for (int i = 0; i < DistinctValues; i++)
        {
            random.NextBytes(_values[i] = new byte[valueBytes]);
        }

        _order = [.. Enumerable.Range(0, entries)];
        random.Shuffle(_order);
    }

    public int Entries => _keys.Length;

    public int ValueBytes { get; }

    public static string KeyOf(int entry) => string.Create(CultureInfo.InvariantCulture, $"user:{entry:D6}:profile");

    public string Key(int entry) => _keys[entry];

    public byte[] Value(int entry) => _values[entry % DistinctValues];

    /// <summary>Fails when <paramref name="value"/> has not the length, the first and the last bytes of the entry's value.</summary>
    /// <exception cref="InvalidDataException">It is another value.</exception>
    public void Check(int entry, ReadOnlySpan<byte> value)
    {
        ReadOnlySpan<byte> expected = Value(entry);
        if (value.Length != expected.Length
            || !value[..ComparedBytes].SequenceEqual(expected[..ComparedBytes])
            || !value[^ComparedBytes..].SequenceEqual(expected[^ComparedBytes..]))
        {
            throw new InvalidDataException($"A read of '{Key(entry)}' returned something else than what was stored.");
        }
    }

    /// <summary>
    /// One walk for many callers. A store that never makes its callers wait lets one of them do all the work: with a part of its own it
    /// would overwrite the same few entries again and again.
    /// </summary>
    public SharedWalk WalkForAll() => new(_order);

    /// <summary>
    /// A walk for each caller through entries drawn by Zipf's law: the n-th most popular one has a share that falls with the power of n that is
    /// usual for caches. Callers meet at the popular ones.
    /// </summary>
    public EntryWalk[] ZipfWalksFor(int callers)
    {
        double[] shares = new double[_order.Length];
        for (int rank = 0; rank < shares.Length; rank++)
        {
            shares[rank] = (rank == 0 ? 0 : shares[rank - 1]) + Math.Pow(rank + 1, -ZipfExponent);
        }

        return [.. Enumerable.Range(0, callers).Select(caller => new EntryWalk(Draw(new Random(Seed + caller)), 0, ZipfDraws))];

        int[] Draw(Random random) => [.. Enumerable.Range(0, ZipfDraws).Select(_ =>
        {
            int rank = Array.BinarySearch(shares, random.NextDouble() * shares[^1]);
            return _order[rank < 0 ? ~rank : rank];
        })];
    }

    /// <summary>A walk for each caller, in one shuffled order, no two callers on the same entry.</summary>
    public EntryWalk[] WalksFor(int callers) =>
        [.. Enumerable.Range(0, callers).Select(caller => new EntryWalk(
            _order,
            (int)((long)_order.Length * caller / callers),
            (int)((long)_order.Length * (caller + 1) / callers)))];
}

/// <summary>Goes through all shuffled entries, round and round, for any number of callers.</summary>
internal sealed class SharedWalk(int[] order)
{
    private long _walked = -1;

    public int Next() => order[(int)(Interlocked.Increment(ref _walked) % order.Length)];
}

/// <summary>Goes through one caller's part of the shuffled entries, round and round. One thread at a time.</summary>
internal sealed class EntryWalk(int[] order, int first, int end)
{
    private int _walked;

    public int Next()
    {
        int entry = order[first + _walked];
        _walked = first + _walked + 1 == end ? 0 : _walked + 1;
        return entry;
    }
}
