using System.Globalization;
using System.Text;
using Microsoft.Extensions.Caching.Distributed;

namespace DiskDistributedCache.RealDisks;

/// <summary>
/// What a cache has acknowledged: per key the version that is current, or none. Each value names its key and version and is of its own
/// pattern, so whatever a read returns is either the current version bit for bit, or a lie. A miss is always allowed.
///
/// Used by one caller at a time, with keys that nobody else changes.
/// </summary>
internal sealed class Ledger(DiskCache cache, string prefix = "")
{
    private const int Gone = 0;
    private static readonly DistributedCacheEntryOptions s_noLimit = new();

    private readonly Dictionary<string, int> _current = [];
    private readonly DiskCache _cache = cache;
    private int _lastVersion;

    public int Hits { get; private set; }

    public int Lies { get; private set; }

    public int Reads { get; private set; }

    public string? FirstLie { get; private set; }

    public async Task SetAsync(string key, int bytes, params string[] tags)
    {
        int version = ++_lastVersion;
        await _cache.SetAsync(prefix + key, ValueOf(prefix + key, version, bytes), s_noLimit, tags, CancellationToken.None);
        _current[key] = version;
    }

    public void Set(string key, int bytes)
    {
        int version = ++_lastVersion;
        _cache.Set(prefix + key, ValueOf(prefix + key, version, bytes), s_noLimit);
        _current[key] = version;
    }

    public async Task RemoveAsync(string key)
    {
        await _cache.RemoveAsync(prefix + key);
        _current[key] = Gone;
    }

    public void Remove(string key)
    {
        _cache.Remove(prefix + key);
        _current[key] = Gone;
    }

    public async Task EvictAsync(string tag, IEnumerable<string> keys)
    {
        await _cache.EvictByTagAsync(tag);
        foreach (string key in keys)
        {
            _current[key] = Gone;
        }
    }

    public async Task<bool> ReadAsync(string key) => Judge(key, await _cache.GetAsync(prefix + key));

    public bool Read(string key) => Judge(key, _cache.Get(prefix + key));

    public async Task ReadAllAsync()
    {
        foreach (string key in _current.Keys.ToList())
        {
            await ReadAsync(key);
        }
    }

    /// <summary>Starts the counts anew.</summary>
    public void Recount() => (Hits, Reads) = (0, 0);

    public int LiveCount => _current.Values.Count(version => version != Gone);

    /// <summary>For another process: written by the one that is going to be killed.</summary>
    public void Save(string file) => File.WriteAllLines(file, _current.Select(pair => $"{pair.Value} {pair.Key}"));

    /// <summary>The same for a process that cannot write files: lines that begin with a digit.</summary>
    public void Print() => _current.ToList().ForEach(pair => Console.WriteLine($"{pair.Value} {pair.Key}"));

    public static Ledger Load(DiskCache cache, string file, string prefix = "")
    {
        var ledger = new Ledger(cache, prefix);
        foreach (string[] parts in File.ReadAllLines(file).Select(line => line.Split(' ', 2)))
        {
            int version = int.Parse(parts[0], CultureInfo.InvariantCulture);
            ledger._current[parts[1]] = version;
            ledger._lastVersion = Math.Max(ledger._lastVersion, version);
        }

        return ledger;
    }

    private bool Judge(string key, byte[]? value)
    {
        Reads++;
        if (value is null)
        {
            return false;
        }

        Hits++;
        int version = _current.GetValueOrDefault(key, Gone);
        if (version == Gone || !value.AsSpan().SequenceEqual(ValueOf(prefix + key, version, value.Length)))
        {
            Lies++;
            string found = Encoding.UTF8.GetString(value.AsSpan(0, Math.Min(value.Length, 24)));
            FirstLie ??= $"{prefix + key} is at version {version}, found '{found}'";
        }

        return true;
    }

    private static byte[] ValueOf(string key, int version, int bytes)
    {
        byte[] value = new byte[bytes];
        for (int at = 0; at < bytes; at++)
        {
            value[at] = (byte)((at * 31) + (at >> 8) + (version * 17));
        }

        byte[] head = Encoding.UTF8.GetBytes($"{key} version {version} of {bytes} ");
        head.AsSpan(0, Math.Min(head.Length, bytes)).CopyTo(value);
        return value;
    }
}
