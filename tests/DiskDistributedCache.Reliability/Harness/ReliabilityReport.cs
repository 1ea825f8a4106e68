using System.Globalization;
using System.Text;

namespace DiskDistributedCache.Reliability.Harness;

/// <summary>The results of all families as Markdown: the generated part of <c>docs/reliability.md</c>.</summary>
internal static class ReliabilityReport
{
    public static string Make(Scale scale, IReadOnlyList<(Family Family, FamilyResult? Result)> results)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"## Results of the scale `{scale.ToString().ToLowerInvariant()}`\n\n");
        text.Append("| family | what | cases | violations | seed | time | commit |\n|---|---|---:|---:|---:|---:|---|\n");
        foreach (var (family, result) in results)
        {
            text.Append(CultureInfo.InvariantCulture, $"| {family.Name} | {family.What} | {Cells(family, result)} |\n");
        }

        foreach (string machine in results.Select(one => one.Result?.Machine).OfType<Machine>().Select(AllButCommit).Distinct())
        {
            text.Append(CultureInfo.InvariantCulture, $"\nMachine: {machine}.\n");
        }

        foreach (var (family, result) in results)
        {
            if (result is { Notes.Count: > 0 })
            {
                text.Append(CultureInfo.InvariantCulture, $"\n### {family.Name}\n\n{string.Join('\n', result.Notes)}\n");
            }
        }

        return text.ToString();
    }

    private static string AllButCommit(Machine machine) =>
        $"{machine.System}, {machine.Runtime}, {machine.Processors} processors, {machine.Date}";

    private static string Cells(Family family, FamilyResult? result) => result switch
    {
        null => "not run | | | | ",
        { SkippedBecause: { } why } => $"skipped: {why} | | | | {result.Machine.Commit}",
        _ => string.Create(
            CultureInfo.InvariantCulture,
            $"{result.Count:#,0} {family.Unit} | {result.ViolationCount} | {result.Seed} | {TimeSpan.FromSeconds(Math.Ceiling(result.Seconds)):h\\:mm\\:ss} | {result.Machine.Commit}"),
    };
}
