using System.Globalization;
using System.Text;

namespace DiskDistributedCache.Reliability.Harness;

/// <summary>
/// The results of all families as Markdown: the generated part of <c>docs/reliability.md</c>. A family that was run in parts, with several
/// seeds or from several first cases on, has one row, with the sum of them, their seeds and their commits.
/// </summary>
internal static class ReliabilityReport
{
    public static string Make(Scale scale, IReadOnlyList<(Family Family, IReadOnlyList<FamilyResult> Parts)> results)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"## Results of the scale `{scale.ToString().ToLowerInvariant()}`\n\n");
        text.Append("| family | what | cases | violations | seed | time | commit |\n|---|---|---:|---:|---:|---:|---|\n");
        foreach (var (family, parts) in results)
        {
            text.Append(CultureInfo.InvariantCulture, $"| {family.Name} | {family.What} | {Cells(family.Unit, parts)} |\n");
        }

        foreach (string machine in results.SelectMany(one => one.Parts).Select(part => AllButCommit(part.Machine)).Distinct())
        {
            text.Append(CultureInfo.InvariantCulture, $"\nMachine: {machine}.\n");
        }

        foreach (var (family, parts) in results)
        {
            foreach (var part in parts.Where(part => part.Notes.Count > 0))
            {
                string which = parts.Count == 1
                    ? ""
                    : string.Create(CultureInfo.InvariantCulture, $", seed {part.Seed}, {part.Count:#,0} {family.Unit} from case {part.First:#,0} on");
                text.Append(CultureInfo.InvariantCulture, $"\n### {family.Name}{which}\n\n{string.Join('\n', part.Notes)}\n");
            }
        }

        return text.ToString();
    }

    /// <summary>The cases, violations, seeds, time and commits of all parts.</summary>
    private static string Cells(string unit, IReadOnlyList<FamilyResult> parts)
    {
        if (parts.Count == 0)
        {
            return "not run | | | | ";
        }

        FamilyResult[] run = [.. parts.Where(part => part.SkippedBecause is null)];
        if (run.Length == 0)
        {
            return $"skipped: {parts[0].SkippedBecause} | | | | {CommitsOf(parts)}";
        }

        var time = TimeSpan.FromSeconds(Math.Ceiling(run.Sum(part => part.Seconds)));
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{CountOf(run):#,0} {unit} | {run.Sum(part => part.ViolationCount)} | {string.Join(", ", run.Select(part => part.Seed).Distinct())} | {time:h\\:mm\\:ss} | {CommitsOf(run)}");
    }

    /// <summary>Each case once, also where two parts have it.</summary>
    private static long CountOf(IEnumerable<FamilyResult> parts)
    {
        long count = 0;
        foreach (var ofSeed in parts.GroupBy(part => part.Seed))
        {
            long end = 0;
            foreach (var part in ofSeed.OrderBy(part => part.First))
            {
                long partEnd = (long)part.First + part.Count;
                count += Math.Max(0, partEnd - Math.Max(end, part.First));
                end = Math.Max(end, partEnd);
            }
        }

        return count;
    }

    private static string CommitsOf(IEnumerable<FamilyResult> parts) => string.Join(", ", parts.Select(part => part.Machine.Commit).Distinct());

    private static string AllButCommit(Machine machine) =>
        $"{machine.System}, {machine.Runtime}, {machine.Processors} processors, {machine.Date}";
}
