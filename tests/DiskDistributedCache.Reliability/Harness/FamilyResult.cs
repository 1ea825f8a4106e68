using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace DiskDistributedCache.Reliability.Harness;

/// <summary>
/// What one run of a family found: a file of its own, so that families may be run one by one, and each in parts, and reported together.
/// </summary>
internal sealed record FamilyResult(
    string Family,
    Scale Scale,
    int Seed,
    int First,
    int Count,
    string? SkippedBecause,
    double Seconds,
    int ViolationCount,
    IReadOnlyList<Violation> Violations,
    IReadOnlyList<string> Notes,
    Machine Machine)
{
    private static readonly JsonSerializerOptions s_json = new() { WriteIndented = true, Converters = { new JsonStringEnumConverter() } };

    public static FamilyResult Of(FamilyRun run, Machine machine) => new(
        run.Family.Name,
        run.Scale,
        run.Seed,
        run.First,
        run.Done,
        run.SkippedBecause,
        run.Elapsed.TotalSeconds,
        run.ViolationCount,
        [.. run.Violations],
        [.. run.Notes],
        machine);

    /// <summary>The parts of a family that were run, by seed and first case.</summary>
    public static IReadOnlyList<FamilyResult> ReadAll(string directory, string family, Scale scale)
    {
        string[] paths = Directory.Exists(directory) ? Directory.GetFiles(directory, $"{scale}-{family}-*.json".ToLowerInvariant()) : [];
        return [.. paths
            .Select(path => JsonSerializer.Deserialize<FamilyResult>(File.ReadAllText(path), s_json))
            .OfType<FamilyResult>()
            .OrderBy(part => part.Seed)
            .ThenBy(part => part.First)];
    }

    public void Write(string directory)
    {
        Directory.CreateDirectory(directory);
        string name = string.Create(CultureInfo.InvariantCulture, $"{Scale}-{Family}-{Seed}-{First}.json").ToLowerInvariant();
        File.WriteAllText(Path.Combine(directory, name), JsonSerializer.Serialize(this, s_json));
    }
}
