using System.Diagnostics;

namespace MinimalApi;

/// <summary>A report. <see cref="ComputedAt"/> tells an answer from the cache from one that was made just now.</summary>
internal sealed record Report(
    string Name,
    string Measure,
    DateTimeOffset ComputedAt,
    double ComputeMilliseconds,
    IReadOnlyList<ReportGroup> Groups);

/// <summary>The statistics of one group; the mean comes with the bounds of its 95 % confidence interval.</summary>
internal sealed record ReportGroup(
    string Group,
    int Strikes,
    double Mean,
    double MeanLow,
    double MeanHigh,
    double Median,
    double Percentile90,
    double Maximum);

/// <summary>
/// Grouped statistics over the strike log. Costs are so skewed (most strikes cost nothing, a few cost millions) that no formula
/// gives an honest confidence interval of the mean. So it is found by bootstrap: each group is drawn again, with replacement,
/// 2,000 times. That is the slow work that is worth a cache.
/// </summary>
internal sealed class Reports(StrikeLog log)
{
    private const int ResampleCount = 2_000;
    private const int MinGroupStrikes = 30;

    private static readonly Dictionary<string, Definition> s_definitions = new(StringComparer.Ordinal)
    {
        ["cost-by-operator"] = new("dollars", strike => strike.Operator, strike => strike.CostDollars),
        ["cost-by-phase"] = new("dollars", strike => strike.Phase, strike => strike.CostDollars),
        ["cost-by-size"] = new("dollars", strike => strike.Size, strike => strike.CostDollars),
        ["cost-by-species"] = new("dollars", strike => strike.Species, strike => strike.CostDollars),
        ["speed-by-damage"] = new("knots", strike => strike.Damage, strike => strike.SpeedKnots),
        ["speed-by-phase"] = new("knots", strike => strike.Phase, strike => strike.SpeedKnots),
    };

    public static IReadOnlyCollection<string> Names => s_definitions.Keys;

    /// <summary>Makes a report from the raw log, or returns null when there is none of this name.</summary>
    public Report? Compute(string name)
    {
        if (!s_definitions.TryGetValue(name, out var definition))
        {
            return null;
        }

        var started = Stopwatch.GetTimestamp();
        var groups = log.Read()
            .Where(strike => definition.Measure(strike) is not null)
            .GroupBy(definition.Group, strike => (double)definition.Measure(strike)!.Value)
            .Select(group => Summarize(group.Key, [.. group.Order()]))
            .Where(group => group.Strikes >= MinGroupStrikes)
            .OrderByDescending(group => group.Mean)
            .ToList();
        var elapsed = Stopwatch.GetElapsedTime(started);
        return new Report(name, definition.Unit, DateTimeOffset.UtcNow, Math.Round(elapsed.TotalMilliseconds, 1), groups);
    }

    private static ReportGroup Summarize(string group, double[] sorted)
    {
        var means = ResampledMeans(sorted);
        return new ReportGroup(
            group,
            sorted.Length,
            Math.Round(sorted.Average(), 1),
            Quantile(means, 0.025),
            Quantile(means, 0.975),
            Quantile(sorted, 0.5),
            Quantile(sorted, 0.9),
            sorted[^1]);
    }

    /// <summary>The means of the resamples, in ascending order. The seed is fixed: the same log gives the same bounds.</summary>
    private static double[] ResampledMeans(double[] values)
    {
        var random = new Random(Seed: 1990);
        var means = new double[ResampleCount];
        for (var resample = 0; resample < means.Length; resample++)
        {
            var sum = 0.0;
            for (var draw = 0; draw < values.Length; draw++)
            {
                sum += values[random.Next(values.Length)];
            }

            means[resample] = sum / values.Length;
        }

        Array.Sort(means);
        return means;
    }

    /// <summary>The value at a fraction of the sorted values, between its two neighbours.</summary>
    private static double Quantile(double[] sorted, double fraction)
    {
        var position = fraction * (sorted.Length - 1);
        var below = (int)position;
        var above = Math.Min(below + 1, sorted.Length - 1);
        return Math.Round(sorted[below] + ((position - below) * (sorted[above] - sorted[below])), 1);
    }

    private sealed record Definition(string Unit, Func<Strike, string> Group, Func<Strike, int?> Measure);
}
