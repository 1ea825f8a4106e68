using DiskDistributedCache.Entries;
using DiskDistributedCache.Tests.Infrastructure;
using DiskDistributedCache.Tests.Storage;

namespace DiskDistributedCache.Reliability.Families;

/// <summary>Makes damaged images of one store, and says of each what has to be served all the same.</summary>
internal sealed class DamageMaker
{
    private const int ThinnedOut = 64;

    private readonly DamageTable _table;
    private readonly StoreHistory _other;
    private readonly string[] _paths;
    private readonly List<(string Path, int[] Offsets)> _bits;

    public DamageMaker(Ending ending, bool isAligned)
    {
        History = isAligned ? StoreHistory.AlignedEndingAs(ending) : StoreHistory.EndingAs(ending);
        _other = isAligned ? StoreHistory.AlignedEndingAs(ending) : StoreHistory.EndingAs(ending);
        _table = new DamageTable(History);
        _paths = [.. History.Image.Paths.Where(path => History.Image[path].Length > 0)];
        _bits = [.. _paths.Select(path => (path, OffsetsOf(path)))];
        BitCount = _bits.Sum(file => 8 * file.Offsets.Length);
    }

    public StoreHistory History { get; }

    /// <summary>How many bits there are, the thinned out zeros aside.</summary>
    public int BitCount { get; }

    private StoreImage Image => History.Image;

    /// <summary>One bit flipped.</summary>
    public Damage Bit(int number)
    {
        foreach (var (path, offsets) in _bits)
        {
            if (number < 8 * offsets.Length)
            {
                return Flip(path, offsets[number / 8], number % 8);
            }

            number -= 8 * offsets.Length;
        }

        throw new ArgumentOutOfRangeException(nameof(number));
    }

    public (string Kind, Damage Damage) Draw(Random random)
    {
        string path = _paths[random.Next(_paths.Length)];
        int sectorBytes = random.Next(3) == 0 ? 4096 : 512;
        byte[] bytes = Image[path];
        int at = SectorIn(path, sectorBytes, random);
        int length = Math.Min(sectorBytes, bytes.Length - at);
        switch (random.Next(20))
        {
            case < 4:
                return ("one bit", Bit(random.Next(BitCount)));
            case < 6:
                return ("sector zeroed", Overwrite($"{length} bytes zeroed", path, at, new byte[length]));
            case < 8:
                byte[] garbage = new byte[length];
                random.NextBytes(garbage);
                return ("sector of garbage", Overwrite($"{length} bytes of garbage", path, at, garbage));
            case < 12:
                string from = random.Next(2) == 0 ? path : _paths[random.Next(_paths.Length)];
                int there = SectorIn(from, sectorBytes, random);
                return ("sector from elsewhere", Overwrite($"{length} bytes from {from} at {there}", path, at, Slice(Image[from], there, length)));
            case < 14:
                return ("two sectors swapped", Swap(path, at, random, sectorBytes));
            case < 16:
                var earlier = History.Earlier[random.Next(History.Earlier.Count)];
                return earlier.Paths.Contains(path, StringComparer.Ordinal)
                    ? ("sector of an older copy", Overwrite($"{length} older bytes", path, at, Slice(earlier[path], at, length)))
                    : ("one bit", Bit(random.Next(BitCount)));
            case < 17:
                int cut = random.Next(2) == 0 ? random.Next(bytes.Length) : random.Next(Math.Max(1, bytes.AsSpan().LastIndexOfAnyExcept((byte)0)));
                return ("file cut", Of($"{path} cut to {cut}", cut, Image.Cut(path, cut), _table.ServedAfterCut(path, cut)));
            case < 18:
                return ("file missing", Of($"{path} is missing", 0, Image.Without(path), _table.ServedWithout(path)));
            case < 19:
                return ("older file", Replace(path, History.Earlier[random.Next(History.Earlier.Count)], "an older one"));
            default:
                return ("file of another store", OfOtherStore(path));
        }
    }

    private Damage Flip(string path, int offset, int bit) => Of(
        $"{path}, bit {bit} of byte {offset}", offset, Image.Flipped(path, offset, (byte)(1 << bit)), _table.ServedAfterFlip(path, offset));

    private Damage Overwrite(string what, string path, int at, byte[] by)
    {
        byte[] bytes = (byte[])Image[path].Clone();
        by.CopyTo(bytes, at);
        return Of($"{path} at {at}: {what}", at, Image.With(path, bytes), _table.ServedAfterOverwrite(path, bytes));
    }

    private Damage Swap(string path, int at, Random random, int sectorBytes)
    {
        string otherPath = random.Next(2) == 0 ? path : _paths[random.Next(_paths.Length)];
        int other = SectorIn(otherPath, sectorBytes, random);
        int length = Math.Min(sectorBytes, Math.Min(Image[path].Length - at, Image[otherPath].Length - other));
        byte[] first = Slice(Image[path], at, length);
        byte[] second = Slice(Image[otherPath], other, length);
        var image = Image.With(path, Put(Image[path], at, second));
        image = image.With(otherPath, Put(image[otherPath], other, first));
        var served = _table.ServedAfterOverwrite(path, image[path]);
        if (otherPath != path)
        {
            // Twice the damage, for which the table has no row as soon as more than records are hit.
            served = _table.IsInRecords(path, image[path]) && _table.IsInRecords(otherPath, image[otherPath])
                ? served.Intersect(_table.ServedAfterOverwrite(otherPath, image[otherPath])).ToHashSet()
                : new HashSet<CacheKey>();
        }

        return Of($"{path} at {at}: {length} bytes swapped with {otherPath} at {other}", at, image, served);
    }

    private Damage Replace(string path, StoreImage by, string what) => by.Paths.Contains(path, StringComparer.Ordinal)
        ? by[path].AsSpan().SequenceEqual(Image[path])
            ? Of($"{path} is what it was", 0, Image, _table.ServedAfterOverwrite(path, Image[path]))
            : Of($"{path} is {what}", 0, Image.With(path, by[path]), _table.ServedWithout(path))
        : Of($"{path} is missing", 0, Image.Without(path), _table.ServedWithout(path));

    /// <summary>The file of another store with this name; of a segment, that with its number.</summary>
    private Damage OfOtherStore(string path)
    {
        string? source = _other.Image.Paths.FirstOrDefault(other => Path.GetFileName(other) == Path.GetFileName(path) && _other.Image[other].Length > 0);
        byte[] bytes = source is null ? [] : _other.Image[source];
        return Of($"{path} is that of another store", 0, Image.With(path, bytes), _table.ServedWithout(path));
    }

    private Damage Of(string what, int offset, StoreImage image, IReadOnlySet<CacheKey> served)
    {
        var unwritten = _table.BeforeUnwritten(image);
        return new Damage(what, offset, image, unwritten is null ? served : new HashSet<CacheKey>()) { Unwritten = unwritten };
    }

    /// <summary>Mostly one in which there is something.</summary>
    private int SectorIn(string path, int sectorBytes, Random random)
    {
        byte[] bytes = Image[path];
        int used = Math.Min(bytes.Length, bytes.AsSpan().LastIndexOfAnyExcept((byte)0) + 1 + sectorBytes);
        int end = random.Next(8) == 0 ? bytes.Length : used;
        return random.Next((end + sectorBytes - 1) / sectorBytes) * sectorBytes is var at && at < bytes.Length ? at : 0;
    }

    private static byte[] Slice(byte[] bytes, int at, int length)
    {
        byte[] slice = new byte[length];
        if (at < bytes.Length)
        {
            bytes.AsSpan(at, Math.Min(length, bytes.Length - at)).CopyTo(slice);
        }

        return slice;
    }

    private static byte[] Put(byte[] bytes, int at, byte[] by)
    {
        bytes = (byte[])bytes.Clone();
        by.CopyTo(bytes, at);
        return bytes;
    }

    private int[] OffsetsOf(string path)
    {
        byte[] bytes = Image[path];
        bool isSuperblock = path == DamageTable.Superblock;
        int used = isSuperblock ? bytes.Length : bytes.AsSpan().LastIndexOfAnyExcept((byte)0) + 1;
        return [.. Enumerable.Range(0, bytes.Length).Where(at => at < used + 128 || at % ThinnedOut == 0)];
    }
}
