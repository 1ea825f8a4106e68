using System.Globalization;
using System.Text;

namespace DiskDistributedCache.Reliability.Harness;

/// <summary>Counts cases by kind, and figures of them, for a table in the report.</summary>
internal sealed class Tally
{
    private const string Cases = "";

    private readonly SortedDictionary<string, SortedDictionary<string, long>> _kinds = new(StringComparer.Ordinal);
    private readonly Lock _lock = new();

    /// <summary>One more case of a kind.</summary>
    public void Count(string kind, params ReadOnlySpan<(string Name, long Value)> figures)
    {
        lock (_lock)
        {
            if (!_kinds.TryGetValue(kind, out var counts))
            {
                _kinds[kind] = counts = new(StringComparer.Ordinal);
            }

            counts[Cases] = counts.GetValueOrDefault(Cases) + 1;
            foreach (var (name, value) in figures)
            {
                counts[name] = counts.GetValueOrDefault(name) + value;
            }
        }
    }

    /// <summary>The sum of a figure over all kinds.</summary>
    public long SumOf(string figure)
    {
        lock (_lock)
        {
            return _kinds.Values.Sum(counts => counts.GetValueOrDefault(figure));
        }
    }

    /// <summary>A table in Markdown, a line for each kind.</summary>
    public string ToString(string kindName, string casesName)
    {
        lock (_lock)
        {
            string[] figures = [.. _kinds.Values.SelectMany(counts => counts.Keys).Distinct().Order(StringComparer.Ordinal)];
            var text = new StringBuilder();
            text.Append(CultureInfo.InvariantCulture, $"| {kindName} | {string.Join(" | ", figures.Select(name => name == Cases ? casesName : name))} |\n");
            text.Append(CultureInfo.InvariantCulture, $"|---|{string.Concat(figures.Select(_ => "---:|"))}\n");
            foreach (var (kind, counts) in _kinds)
            {
                text.Append(CultureInfo.InvariantCulture, $"| {kind} | {string.Join(" | ", figures.Select(name => counts.GetValueOrDefault(name).ToString("#,0", CultureInfo.InvariantCulture)))} |\n");
            }

            return text.ToString().TrimEnd();
        }
    }
}
