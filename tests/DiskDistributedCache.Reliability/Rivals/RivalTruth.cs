using System.Globalization;

namespace DiskDistributedCache.Reliability.Rivals;

/// <summary>
/// Which values a read of each key may return: the last that was acknowledged, and those that were begun since and not. Version 0 is
/// no value.
/// </summary>
internal sealed class RivalTruth(Dictionary<string, List<int>> allowed)
{
    private const int MinBytes = 100;
    private const int MaxBytes = 3000;

    public Dictionary<string, List<int>> Allowed => allowed;

    public static string Key(int number) => string.Create(CultureInfo.InvariantCulture, $"key {number}");

    public static byte[] Value(string key, int version)
    {
        uint seed = (uint)version * 2654435761;
        foreach (char letter in key)
        {
            seed = (seed ^ letter) * 16777619;
        }

        var random = new Random((int)(seed & int.MaxValue));
        byte[] value = new byte[random.Next(MinBytes, MaxBytes)];
        random.NextBytes(value);
        return value;
    }

    public void Begin(string key, int version)
    {
        if (!allowed.TryGetValue(key, out var versions))
        {
            allowed[key] = versions = [0];
        }

        versions.Add(version);
    }

    public void Acknowledge(string key, int version) => allowed[key] = [version];

    /// <summary>Begins a mutation and acknowledges it unless the cache throws, of which the result tells.</summary>
    public async Task<bool> MutateAsync(Contender cache, string key, int version)
    {
        Begin(key, version);
        try
        {
            await (version == 0 ? cache.RemoveAsync(key) : cache.SetAsync(key, Value(key, version)));
            Acknowledge(key, version);
            return true;
        }
        catch (Exception)
        {
            // What any cache throws is counted.
            return false;
        }
    }

    /// <summary>Reads every key.</summary>
    public async Task<RivalReads> ReadAsync(Contender cache)
    {
        var reads = new RivalReads();
        foreach (var (key, versions) in allowed)
        {
            try
            {
                byte[]? found = await cache.GetAsync(key);
                bool isRight = found is null || versions.Any(version => version != 0 && found.AsSpan().SequenceEqual(Value(key, version)));
                reads.Wrong += isRight ? 0 : 1;
                reads.Hits += isRight && found is not null ? 1 : 0;
            }
            catch (Exception)
            {
                // As above.
                reads.Threw++;
            }

            reads.Wanted += versions.Contains(0) ? 0 : 1;
        }

        return reads;
    }
}

/// <summary>What reading all keys came to.</summary>
internal sealed class RivalReads
{
    /// <summary>Keys that have a value for certain.</summary>
    public int Wanted { get; set; }

    public int Hits { get; set; }

    /// <summary>Values that nobody set, or that were overwritten or removed.</summary>
    public int Wrong { get; set; }

    public int Threw { get; set; }
}
