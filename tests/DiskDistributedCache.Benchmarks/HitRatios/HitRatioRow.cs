using System.Globalization;

namespace DiskDistributedCache.Benchmarks.HitRatios;

/// <summary>One trace at one size: the cache under test, LRU of the same size, and what the reference says, where it says something.</summary>
internal sealed record HitRatioRow(Trace Trace, CacheSize Size, HitCount Ours, HitCount Lru)
{
    private const double BarPoints = 1;

    /// <summary>What the columns of <see cref="ToString"/> are.</summary>
    public static string Header { get; } =
        $"{"trace",-14} {"cache",-20} {"ours",6} {"LRU",6} {"diff",6}  {"best fixed",-17} {"best",-25} {"bytes: ours",11} {"LRU",6}";

    public ReferenceRatios? Reference => ReferenceRatios.Find(Trace.Name, Size);

    /// <summary>The bar: no row more than a point below LRU.</summary>
    public bool IsBelowLru => Ours.OfRequests < Lru.OfRequests - BarPoints;

    /// <summary>The aim: within a point of the best policy of the reference.</summary>
    public bool IsBelowBest => Reference is { } reference && Ours.OfRequests < reference.Best.Percent - BarPoints;

    public string Name => $"{Trace.Name} {Size.Weighting.ToString().ToLowerInvariant()} {Size.Percent}";

    public override string ToString()
    {
        string cache = string.Create(CultureInfo.InvariantCulture, $"{Size.Percent,-5} = {Size.WeightOf(Trace)}");
        string bestFixed = Reference is { } reference ? Named(reference.BestFixed) : "-";
        string best = Reference is { } known ? Named(known.Best) : "-";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{Trace.Name,-14} {cache,-20} {Ours.OfRequests,6:0.00} {Lru.OfRequests,6:0.00} {Ours.OfRequests - Lru.OfRequests,6:0.00}  "
            + $"{bestFixed,-17} {best,-25} {Ours.OfBytes,11:0.00} {Lru.OfBytes,6:0.00}");
    }

    private static string Named((string Policy, double Percent) figure) =>
        string.Create(CultureInfo.InvariantCulture, $"{figure.Percent:0.00} {figure.Policy}");
}
