using System.Globalization;

namespace DiskDistributedCache.Benchmarks.HitRatios;

/// <summary>What an object weighs in a replay.</summary>
internal enum Weighting
{
    /// <summary>Every object weighs 1.</summary>
    Unit,

    /// <summary>An object weighs its size; what the cache needs for itself is free.</summary>
    Bytes,

    /// <summary>An object weighs what the memory tier counts: size, key, objects of the entry, and its part of the ghosts.</summary>
    Metered,
}

/// <summary>The size of a cache as a part of the footprint of a trace: of its keys, or of their bytes.</summary>
internal readonly record struct CacheSize(Weighting Weighting, int PerMille)
{
    /// <summary>0.1, 1 and 10 percent.</summary>
    public static IReadOnlyList<int> PerMilles { get; } = [1, 10, 100];

    public string Percent => string.Create(CultureInfo.InvariantCulture, $"{PerMille / 10.0:0.#}%");

    /// <summary>Whole keys, rounded and at least 1, or whole bytes, rounded down.</summary>
    public long WeightOf(Trace trace) => Weighting == Weighting.Unit
        ? Math.Max(1, (((long)trace.KeyCount * PerMille) + 500) / 1000)
        : trace.FootprintBytes * PerMille / 1000;
}
