using System.Globalization;
using DiskDistributedCache.Reliability.Harness;
using DiskDistributedCache.Reliability.Plants;

namespace DiskDistributedCache.Reliability.Families;

/// <summary>
/// The proof of the proof: bugs are planted into a copy of the sources, one at a time, and the other families have to catch each. The
/// families that are expected to do so are run first.
/// </summary>
internal sealed class PlantedBugs(IReadOnlyList<Family> others, IReadOnlyList<string> wanted) : Family
{
    /// <summary>With no bug switched on the copy has to be right: so many cases of each family.</summary>
    private const int ControlCount = 40;

    /// <summary>
    /// Of the families that are expected to catch a bug so many times what the pull-request scale has: a bug that one random case in three
    /// hundred meets is else missed by one run in twenty.
    /// </summary>
    private const int ExpectedTimes = 5;

    private const int MinLimitSeconds = 240;

    private static readonly string[] s_notHere = ["rivals", "soak", "fuzz"];

    private readonly List<Family> _usable = [];

    public override string Name => "plants";

    public override string What => "bugs planted into a copy of the sources, one at a time: the other families have to catch every one";

    public override string Unit => "plants";

    public override Counts Counts => new(PlantTable.All.Count, PlantTable.All.Count, PlantTable.All.Count);

    public override double CaseMilliseconds => 20_000;

    public override async Task RunAsync(FamilyRun run)
    {
        foreach (string misfit in PlantedCopy.Misfits())
        {
            run.Violate(misfit);
        }

        if (run.ViolationCount > 0)
        {
            return;
        }

        if (run.Scale == Scale.Pr)
        {
            run.Skip($"the {PlantTable.All.Count} plants still fit; to build and run them takes minutes, and is part of nightly");
            return;
        }

        using var copy = new PlantedCopy();
        await copy.MakeAsync(run.Stopped);
        await CheckRightAsync(run, copy);
        await PlantAsync(run, copy);
    }

    /// <summary>With all bugs switched off nothing may be caught. What a family catches that does so means nothing: it is left out.</summary>
    private async Task CheckRightAsync(FamilyRun run, PlantedCopy copy)
    {
        foreach (var family in others.Where(family => !s_notHere.Contains(family.Name) && family.Counts.Pr > 0))
        {
            var (result, output) = await copy.RunFamilyAsync(
                family.Name, plant: null, Math.Min(ControlCount, family.Counts.Pr), run.Seed, LimitOf(family), run.Stopped);
            if (result is null or { ViolationCount: > 0 })
            {
                run.Violate($"the copy is not right with no bug switched on, says {family.Name}: {FirstOf(result) ?? output}");
            }
            else if (result.SkippedBecause is null)
            {
                _usable.Add(family);
            }
        }
    }

    private async Task PlantAsync(FamilyRun run, PlantedCopy copy)
    {
        Plant[] plants = [.. PlantTable.All.Where(plant => wanted.Count == 0 || wanted.Contains(plant.Name))];
        run.Count = plants.Length;
        run.Note("| planted | what it breaks | caught by | after | seconds | what was seen |\n|---|---|---|---:|---:|---|");
        foreach (var plant in plants.TakeWhile(_ => !run.IsEnough))
        {
            if (await FindCatcherAsync(run, copy, plant) is { } caught)
            {
                run.Note(string.Create(
                    CultureInfo.InvariantCulture,
                    $"| `{plant.Name}` | {plant.Breaks} | {caught.Family} | {caught.Count:#,0} | {caught.Seconds:0.0} | {Cell(caught.Violations[0].What)} |"));
                Console.Out.WriteLine($"caught   {plant.Name}: by {caught.Family}, after {caught.Count} cases, {caught.Seconds:0.0} s");
            }
            else
            {
                run.Note($"| `{plant.Name}` | {plant.Breaks} | **nothing** | | | |");
                run.Violate($"nothing catches '{plant.Name}': {plant.Breaks}");
            }

            run.Progress();
        }
    }

    private async Task<FamilyResult?> FindCatcherAsync(FamilyRun run, PlantedCopy copy, Plant plant)
    {
        var order = _usable.OrderBy(family => Array.IndexOf(plant.Expected, family.Name) is var at && at < 0 ? int.MaxValue : at);
        foreach (var family in order)
        {
            int count = family.Counts.Pr * (plant.Expected.Contains(family.Name) ? ExpectedTimes : 1);
            var (result, output) = await copy.RunFamilyAsync(family.Name, plant.Name, count, run.Seed, LimitOf(family), run.Stopped);
            if (result is { ViolationCount: > 0 })
            {
                return result;
            }

            if (result is null)
            {
                // It ended in another way than by its own judgement. That is no catch: what a user sees is judged.
                Console.Out.WriteLine($"{plant.Name}: {family.Name} left no result: {output.Trim().Split('\n')[^1]}");
            }
        }

        return null;
    }

    private static TimeSpan LimitOf(Family family) =>
        TimeSpan.FromSeconds(MinLimitSeconds + (10 * family.Counts.Pr * family.CaseMilliseconds / 1000));

    private static string? FirstOf(FamilyResult? result) => result?.Violations.Count > 0 ? result.Violations[0].What : null;

    /// <summary>The beginning, in a form that a cell of a table can hold.</summary>
    private static string Cell(string text)
    {
        const int MaxLength = 100;
        string line = text.Split('\n')[0].Replace("|", "\\|", StringComparison.Ordinal).Trim();
        return line.Length <= MaxLength ? line : line[..MaxLength] + "...";
    }
}
