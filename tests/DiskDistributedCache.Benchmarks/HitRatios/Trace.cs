using System.Globalization;
using System.IO.Compression;

namespace DiskDistributedCache.Benchmarks.HitRatios;

/// <summary>
/// A recorded sequence of requests. The file has one request a line: a key and the size of its object in bytes, both decimal, with
/// a space between them; a key has the same size wherever it occurs. A file whose name ends in <c>.gz</c> is compressed.
/// Keys are numbered from 0 in the order of their first requests.
/// </summary>
internal sealed class Trace
{
    private readonly List<int> _requests = [];
    private readonly List<long> _keys = [];
    private readonly List<int> _sizes = [];

    private Trace(string name)
    {
        Name = name;
    }

    /// <summary>The name of the file up to the first dot.</summary>
    public string Name { get; }

    /// <summary>The numbers of the keys, in the order in which they were requested.</summary>
    public IReadOnlyList<int> Requests => _requests;

    public int KeyCount => _keys.Count;

    /// <summary>The sizes of all objects, each counted once.</summary>
    public long FootprintBytes { get; private set; }

    public static Trace Read(string path)
    {
        using var file = File.OpenRead(path);
        string name = Path.GetFileName(path).Split('.')[0];
        if (!path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase))
        {
            return Read(name, file);
        }

        using var unpacked = new GZipStream(file, CompressionMode.Decompress);
        return Read(name, unpacked);
    }

    /// <exception cref="InvalidDataException">A line is not a request, or gives a key another size than before.</exception>
    public static Trace Read(string name, Stream text)
    {
        var trace = new Trace(name);
        var numbers = new Dictionary<long, int>();
        using var reader = new StreamReader(text);
        while (reader.ReadLine() is { } line)
        {
            trace.Add(line, numbers);
        }

        return trace._requests.Count > 0 ? trace : throw new InvalidDataException($"The trace '{name}' has no requests.");
    }

    /// <summary>The key as text, as an application would ask for it.</summary>
    public string KeyOf(int number) => _keys[number].ToString(CultureInfo.InvariantCulture);

    public int SizeOf(int number) => _sizes[number];

    private void Add(string line, Dictionary<long, int> numbers)
    {
        var (key, size) = Parse(line);
        if (!numbers.TryGetValue(key, out int number))
        {
            number = _keys.Count;
            numbers.Add(key, number);
            _keys.Add(key);
            _sizes.Add(size);
            FootprintBytes += size;
        }
        else if (_sizes[number] != size)
        {
            throw Malformed(line, $"the key had {_sizes[number]} bytes before");
        }

        _requests.Add(number);
    }

    private (long Key, int Size) Parse(string line)
    {
        int space = line.IndexOf(' ', StringComparison.Ordinal);
        return space > 0
            && long.TryParse(line.AsSpan(0, space), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long key)
            && int.TryParse(line.AsSpan(space + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int size)
            && size > 0
            ? (key, size)
            : throw Malformed(line, "a request is a key and a size above 0, with a space between them");
    }

    private InvalidDataException Malformed(string line, string reason) =>
        new($"Line {_requests.Count + 1} of the trace '{Name}' is '{line}': {reason}.");
}
