using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace DiskDistributedCache.Reliability.Harness;

/// <summary>What one run of a family found: a file of its own, so that families may be run one by one and reported together.</summary>
internal sealed record FamilyResult(
    string Family,
    Scale Scale,
    int Seed,
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
        run.Done,
        run.SkippedBecause,
        run.Elapsed.TotalSeconds,
        run.ViolationCount,
        [.. run.Violations],
        [.. run.Notes],
        machine);

    public static FamilyResult? Read(string directory, string family, Scale scale)
    {
        string path = PathOf(directory, family, scale);
        return File.Exists(path) ? JsonSerializer.Deserialize<FamilyResult>(File.ReadAllText(path), s_json) : null;
    }

    public void Write(string directory)
    {
        Directory.CreateDirectory(directory);
        File.WriteAllText(PathOf(directory, Family, Scale), JsonSerializer.Serialize(this, s_json));
    }

    private static string PathOf(string directory, string family, Scale scale) =>
        Path.Combine(directory, string.Create(CultureInfo.InvariantCulture, $"{scale}-{family}.json").ToLowerInvariant());
}
