using System.Globalization;
using System.IO.Enumeration;
using System.Text;

namespace DiskDistributedCache.Benchmarks;

/// <summary>
/// Makes the tables of <c>docs/benchmarks.md</c> of saved output. Every result is in one of them, whether it is flattering or not, with
/// the bars that it has to reach.
/// </summary>
internal static class ResultTables
{
    private static readonly (string Title, string Pattern)[] s_groups =
    [
        ("Gets of the disk tier", "disk-get-*"),
        ("Sets of the disk tier", "disk-set-*"),
        ("Memory tier", "mem-*"),
        ("Allocations", "alloc *"),
        ("Index", "*index*"),
        ("Start", "reopen-*"),
        ("Reclaim", "reclaim-*"),
        ("A disk that fails", "fallback-*"),
        ("HTTP", "http-*"),
        ("Compression", "compression-*"),
        ("Growth", "growth-*"),
        ("Others", "*"),
    ];

    public static string Write(IReadOnlyList<ResultLine> results)
    {
        var text = new StringBuilder();
        foreach (var group in results.Where(line => line.Kind != "growth").GroupBy(GroupOf).OrderBy(group => group.Key))
        {
            text.Append(CultureInfo.InvariantCulture, $"### {s_groups[group.Key].Title}\n\n");
            WriteComparisons(text, [.. group.Where(IsComparison)]);
            WriteFigures(text, [.. group.Where(line => !IsComparison(line))]);
        }

        WriteGrowth(text, [.. results.Where(line => line.Kind == "growth" && line["at"] is not null)]);
        return text.ToString();
    }

    /// <summary>The first that fits. What is allocated is told by the kind of the line, everything else by its name.</summary>
    private static int GroupOf(ResultLine line) => Array.FindIndex(s_groups, group =>
        line.Kind == "alloc" ? group.Pattern == "alloc *" : FileSystemName.MatchesSimpleExpression(group.Pattern, line.Name, ignoreCase: false));

    private static bool IsComparison(ResultLine line) => line["ratio"] is not null && line["ours"] is not null && line["other"] is not null;

    private static void WriteComparisons(StringBuilder text, ResultLine[] lines)
    {
        if (lines.Length == 0)
        {
            return;
        }

        text.Append("| claim | ours, µs | other, µs | ratio | bar | |\n|---|---:|---:|---:|---|---|\n");
        foreach (var line in lines)
        {
            text.Append(
                CultureInfo.InvariantCulture,
                $"| `{line.Name}` | {line["ours"]:0.000} | {line["other"]:0.000} | {line["ratio"]:0.00} | {BarsOf(line)} | {VerdictOf(line)} |\n");
        }

        text.Append('\n');
    }

    private static void WriteFigures(StringBuilder text, ResultLine[] lines)
    {
        if (lines.Length == 0)
        {
            return;
        }

        text.Append("| claim | figures | bar | |\n|---|---|---|---|\n");
        foreach (var line in lines)
        {
            string figures = string.Join(", ", line.Figures.Select(figure => $"{figure.Key} {figure.Value}"));
            text.Append(CultureInfo.InvariantCulture, $"| `{line.Name}` | {figures} | {BarsOf(line)} | {VerdictOf(line)} |\n");
        }

        text.Append('\n');
    }

    /// <summary>A table for the entries and one for the callers: a row for each number, a column for each operation.</summary>
    private static void WriteGrowth(StringBuilder text, ResultLine[] lines)
    {
        foreach (var table in lines.GroupBy(line => line.Name.Split("by-")[^1]))
        {
            string[] names = [.. table.Select(line => line.Name).Distinct()];
            text.Append(CultureInfo.InvariantCulture, $"### Microseconds by {table.Key}\n\n");
            text.Append(CultureInfo.InvariantCulture, $"| {table.Key} | {string.Join(" | ", names)} |\n|---:|{string.Concat(names.Select(_ => "---:|"))}\n");
            foreach (var row in table.GroupBy(line => line["at"]!.Value).OrderBy(row => row.Key))
            {
                var times = names.Select(name => row.FirstOrDefault(line => line.Name == name)?["us"])
                    .Select(time => time?.ToString("0.00", CultureInfo.InvariantCulture) ?? "");
                text.Append(CultureInfo.InvariantCulture, $"| {row.Key:#,0} | {string.Join(" | ", times)} |\n");
            }

            text.Append('\n');
        }
    }

    private static string BarsOf(ResultLine line) =>
        string.Join(", ", Bars.Of(line).Select(one => one.Bar.ToString().Replace(">=", " ≥ ", StringComparison.Ordinal).Replace("<=", " ≤ ", StringComparison.Ordinal)));

    private static string VerdictOf(ResultLine line) => string.Join(", ", Bars.Of(line).Select(one => one.IsMet ? "met" : "**missed**"));
}
