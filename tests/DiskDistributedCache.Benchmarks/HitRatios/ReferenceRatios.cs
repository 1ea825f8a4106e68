namespace DiskDistributedCache.Benchmarks.HitRatios;

/// <summary>
/// Object hit ratios, in percent, of well-known policies on the traces that we measure with: simulated once, bookkeeping (ghosts,
/// sketches) not counted against the size. What the policies are and how they were checked is in <c>docs/benchmarks.md</c>.
/// </summary>
internal sealed record ReferenceRatios(string Trace, CacheSize Size, double[] Percents)
{
    /// <summary>The names of the policies, in the order of the figures. All but the last have no part that adapts.</summary>
    public static IReadOnlyList<string> Policies { get; } =
        ["FIFO", "LRU", "CLOCK", "SIEVE", "S3-FIFO", "W-TinyLFU", "W-TinyLFU adaptive"];

    private static readonly ReferenceRatios[] s_all =
    [
        new("cloudphysics", new(Weighting.Unit, 1), [8.87, 9.78, 9.96, 11.99, 12.47, 11.73, 12.39]),
        new("cloudphysics", new(Weighting.Unit, 10), [15.24, 16.21, 16.28, 17.09, 16.96, 16.67, 16.17]),
        new("cloudphysics", new(Weighting.Unit, 100), [19.46, 19.51, 19.56, 20.93, 24.75, 20.89, 20.03]),
        new("web07", new(Weighting.Unit, 1), [20.72, 21.32, 21.51, 22.13, 22.37, 20.69, 23.80]),
        new("web07", new(Weighting.Unit, 10), [36.32, 39.17, 39.84, 42.20, 43.83, 40.49, 43.10]),
        new("web07", new(Weighting.Unit, 100), [53.12, 55.66, 56.24, 57.93, 58.12, 56.86, 54.70]),
        new("orm-busy", new(Weighting.Unit, 1), [44.21, 41.46, 39.87, 30.18, 30.23, 22.39, 32.60]),
        new("orm-busy", new(Weighting.Unit, 10), [62.74, 63.91, 64.78, 62.60, 65.29, 52.21, 65.58]),
        new("orm-busy", new(Weighting.Unit, 100), [84.76, 85.80, 85.51, 85.97, 86.93, 82.69, 85.05]),
        new("cloudphysics", new(Weighting.Bytes, 1), [13.79, 14.88, 15.02, 16.02, 16.34, 16.11, 15.54]),
        new("cloudphysics", new(Weighting.Bytes, 10), [16.32, 16.61, 16.72, 17.69, 17.71, 17.85, 17.61]),
        new("cloudphysics", new(Weighting.Bytes, 100), [19.25, 19.03, 19.14, 20.97, 26.44, 21.54, 21.18]),
        new("web07", new(Weighting.Bytes, 1), [21.24, 21.88, 22.03, 23.20, 24.56, 21.23, 24.44]),
        new("web07", new(Weighting.Bytes, 10), [36.20, 39.03, 39.70, 42.36, 43.69, 38.81, 42.58]),
        new("web07", new(Weighting.Bytes, 100), [53.08, 55.59, 56.19, 57.93, 58.00, 56.39, 55.14]),
        new("orm-busy", new(Weighting.Bytes, 1), [43.15, 41.69, 40.04, 34.75, 32.74, 28.04, 35.46]),
        new("orm-busy", new(Weighting.Bytes, 10), [64.18, 64.24, 64.96, 67.59, 66.41, 53.37, 64.90]),
        new("orm-busy", new(Weighting.Bytes, 100), [84.83, 85.72, 85.63, 86.02, 86.94, 82.82, 85.28]),
    ];

    public double Lru => Percents[1];

    public (string Policy, double Percent) BestFixed => BestOf(FixedCount);

    public (string Policy, double Percent) Best => BestOf(Percents.Length);

    /// <summary>The policies without a part that adapts.</summary>
    public static int FixedCount => Policies.Count - 1;

    /// <summary>Null where the trace and the size have no figures.</summary>
    public static ReferenceRatios? Find(string trace, CacheSize size) =>
        Array.Find(s_all, row => row.Trace == trace && row.Size == size);

    private (string Policy, double Percent) BestOf(int count)
    {
        double best = Percents[..count].Max();
        return (Policies[Array.IndexOf(Percents, best)], best);
    }
}
