using System.Diagnostics;

namespace DiskDistributedCache.Reliability.Coverage;

/// <summary>
/// Runs both test projects and prints which part of the lines and branches of the two libraries they run. The bars: 95 % of the lines, 90 %
/// of the branches, and all of what decodes bytes of the disk, recovers a log, or decides what the disk is used for.
/// </summary>
internal static class CoverageCommand
{
    public const string Word = "coverage";

    private const double LeastLinePercent = 95;
    private const double LeastBranchPercent = 90;

    private const string Usage = """
        usage: coverage [--read] [--missing] [--out DIRECTORY]
          --read     no test is run: prints what the last run has found
          --missing  lists the lines that were not run, and those of which a branch went one way only
          --out      where the runs leave what they find (default artifacts/coverage)
        """;

    private static readonly (string Name, string[] Files)[] s_whole =
    [
        ("record decoder", ["Storage/RecordFormat.cs", "Storage/SegmentFormat.cs", "Storage/Superblock.cs", "Storage/QuarantineFormat.cs"]),
        ("recovery", ["Storage/Recovery.cs", "Storage/SegmentScan.cs"]),
        ("mode changes", ["Health/DiskHealth.cs"]),
    ];

    private static readonly (string Prefix, string Project)[] s_runs =
    [
        ("library", "tests/DiskDistributedCache.Tests"),
        ("aspnetcore", "tests/DiskDistributedCache.AspNetCore.Tests"),
    ];

    /// <returns>The exit code: 0, 1 below a bar or when a test fails, 2 when the arguments are wrong.</returns>
    public static async Task<int> RunAsync(string[] args)
    {
        string directory = Path.Combine("artifacts", "coverage");
        bool mayRun = true;
        bool lists = false;
        for (int i = 1; i < args.Length; i++)
        {
            switch (args[i])
            {
                case "--read":
                    mayRun = false;
                    break;
                case "--missing":
                    lists = true;
                    break;
                case "--out" when i + 1 < args.Length:
                    directory = args[++i];
                    break;
                default:
                    Console.Error.WriteLine(Usage);
                    return 2;
            }
        }

        foreach (var (prefix, project) in mayRun ? s_runs : [])
        {
            if (!await RunTestsAsync(Path.GetFullPath(directory), prefix, project))
            {
                Console.Out.WriteLine($"FAILED  coverage: the tests of {project} failed");
                return 1;
            }
        }

        return Report(directory, lists) ? 0 : 1;
    }

    private static async Task<bool> RunTestsAsync(string directory, string prefix, string project)
    {
        Directory.CreateDirectory(directory);
        foreach (string old in Directory.EnumerateFiles(directory, $"{prefix}.*.json"))
        {
            File.Delete(old);
        }

        using var test = Process.Start("dotnet",
        [
            "test", "--project", project, "--coverlet", "--coverlet-output-format", "json", "--coverlet-file-prefix", prefix,
            "--coverlet-include", "[DiskDistributedCache]*", "--coverlet-include", "[DiskDistributedCache.AspNetCore]*",
            "--results-directory", directory,
        ]);
        await test.WaitForExitAsync();
        return test.ExitCode == 0;
    }

    private static bool Report(string directory, bool lists)
    {
        var sources = new CoveredSources();
        foreach (string file in Directory.Exists(directory) ? Directory.EnumerateFiles(directory, "*.json") : [])
        {
            sources.Add(file);
        }

        Console.Out.WriteLine("| of | lines | branches |\n|---|---:|---:|");
        bool isRight = Row("DiskDistributedCache", InFolder(sources, "src/DiskDistributedCache/"), LeastLinePercent, LeastBranchPercent)
            & Row("DiskDistributedCache.AspNetCore", InFolder(sources, "src/DiskDistributedCache.AspNetCore/"), LeastLinePercent, LeastBranchPercent);
        foreach (var (name, files) in s_whole)
        {
            isRight &= Row(
                $"{name}: {string.Join(", ", files.Select(Path.GetFileName))}",
                [.. files.SelectMany(file => InFolder(sources, $"src/DiskDistributedCache/{file}"))],
                100,
                100,
                files.Length);
        }

        var wholeFiles = s_whole.SelectMany(group => group.Files).Select(file => $"src/DiskDistributedCache/{file}").ToHashSet();
        foreach (var file in sources.Files.Where(file => lists || (wholeFiles.Contains(file.Name) && file.Lines.Percent + file.Branches.Percent < 200)))
        {
            Console.Out.WriteLine($"{file.Name}: not run: {List(file.MissingLines)}; one way only: {List(file.MissingBranches)}");
        }

        Console.Out.WriteLine(isRight ? "passed  coverage" : "FAILED  coverage is below a bar");
        return isRight;
    }

    private static SourceFile[] InFolder(CoveredSources sources, string prefix) =>
        [.. sources.Files.Where(file => file.Name.StartsWith(prefix, StringComparison.Ordinal))];

    private static bool Row(string name, SourceFile[] files, double leastLines, double leastBranches, int leastFiles = 1)
    {
        var lines = files.Aggregate(default(Share), (sum, file) => sum + file.Lines);
        var branches = files.Aggregate(default(Share), (sum, file) => sum + file.Branches);
        bool isRight = files.Length >= leastFiles && lines.Percent >= leastLines && branches.Percent >= leastBranches;
        Console.Out.WriteLine($"| {name} | {lines} | {branches} |{(isRight ? "" : $" below {leastLines} %, {leastBranches} %")}");
        return isRight;
    }

    private static string List(IEnumerable<int> lines) => string.Join(", ", lines) is { Length: > 0 } list ? list : "none";
}
