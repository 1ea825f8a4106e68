using System.Diagnostics;
using System.Globalization;
using DiskDistributedCache.Reliability.Harness;

namespace DiskDistributedCache.Reliability.Plants;

/// <summary>
/// A copy of the sources with every bug in it, built once; which bug is switched on is said to each process that is started. So the
/// sources themselves know nothing of it.
/// </summary>
internal sealed class PlantedCopy : IDisposable
{
    /// <summary>The variable that switches a bug on.</summary>
    public const string Variable = "PLANT";

    private const string Product = "src/DiskDistributedCache";
    private const string Program = "tests/DiskDistributedCache.Reliability";
    private const string Planted = $$"""
        namespace DiskDistributedCache;

        internal static class Planted
        {
            private static readonly string? s_name = System.Environment.GetEnvironmentVariable("{{Variable}}");

            public static bool Is(string name) => s_name == name;
        }
        """;

    private static readonly TimeSpan s_buildTime = TimeSpan.FromMinutes(20);

    private readonly string _root = Directory.CreateTempSubdirectory("diskcache-plants-").FullName;

    /// <summary>What keeps the plants from fitting into the sources as they are, a line for each.</summary>
    public static IReadOnlyList<string> Misfits()
    {
        var misfits = new List<string>();
        string root = FindRoot();
        foreach (var plant in PlantTable.All)
        {
            try
            {
                foreach (var edit in plant.Edits)
                {
                    edit.Apply(File.ReadAllText(Path.Combine(root, Product, edit.File)), plant.Name);
                }
            }
            catch (Exception exception) when (exception is InvalidOperationException or IOException)
            {
                misfits.Add(exception.Message);
            }
        }

        return misfits;
    }

    /// <summary>Makes the copy, plants the bugs and builds.</summary>
    /// <exception cref="InvalidOperationException">A plant does not fit, or the copy does not build.</exception>
    public async Task MakeAsync(CancellationToken stopped)
    {
        string root = FindRoot();
        foreach (string file in Directory.EnumerateFiles(root).Where(IsOfTheBuild))
        {
            File.Copy(file, Path.Combine(_root, Path.GetFileName(file)));
        }

        CopyFolder(root, "src");
        CopyFolder(root, "tests");
        foreach (var plant in PlantTable.All)
        {
            foreach (var edit in plant.Edits)
            {
                string path = Path.Combine(_root, Product, edit.File);
                await File.WriteAllTextAsync(path, edit.Apply(await File.ReadAllTextAsync(path, stopped), plant.Name), stopped);
            }
        }

        await File.WriteAllTextAsync(Path.Combine(_root, Product, "Planted.cs"), Planted, stopped);
        string[] build =
        [
            "build", "-c", "Release", "-v", "quiet", "--nologo", "-p:RunAnalyzers=false", "-p:EnforceCodeStyleInBuild=false",
            "-p:TreatWarningsAsErrors=false", "-nodeReuse:false", Program,
        ];
        var (exit, output) = await RunAsync(build, plant: null, s_buildTime, stopped);
        if (exit != 0)
        {
            throw new InvalidOperationException($"The copy with the planted bugs does not build:\n{output}");
        }
    }

    /// <summary>Runs a family with a bug switched on, or with none.</summary>
    /// <param name="family">Its name.</param>
    /// <param name="plant">The bug, or null.</param>
    /// <param name="count">The number of cases.</param>
    /// <param name="seed">The seed of the run.</param>
    /// <param name="limit">The longest that it may take.</param>
    /// <param name="stopped">Ends the process.</param>
    /// <returns>The result, or what it printed where it left none.</returns>
    public async Task<(FamilyResult? Result, string Output)> RunFamilyAsync(
        string family, string? plant, int count, int seed, TimeSpan limit, CancellationToken stopped)
    {
        string results = Path.Combine(_root, "results", plant ?? "none");
        string[] arguments =
        [
            Path.Combine(_root, Program, "bin", "Release", "net10.0", "DiskDistributedCache.Reliability.dll"),
            "--scale", "pr", "--only", family, "--stop-at-first", "--seed", seed.ToString(CultureInfo.InvariantCulture), "--out", results,
            "--count", count.ToString(CultureInfo.InvariantCulture),
        ];
        var (_, output) = await RunAsync(arguments, plant, limit, stopped);
        return (FamilyResult.ReadAll(results, family, Scale.Pr) is [var result, ..] ? result : null, output);
    }

    public void Dispose()
    {
        try
        {
            Directory.Delete(_root, recursive: true);
        }
        catch (IOException)
        {
            // A folder of temporary files that stays is not worth a failure.
        }
    }

    private async Task<(int Exit, string Output)> RunAsync(string[] arguments, string? plant, TimeSpan limit, CancellationToken stopped)
    {
        var start = new ProcessStartInfo("dotnet", arguments)
        {
            WorkingDirectory = _root,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment.Remove(Variable);
        start.Environment["DOTNET_CLI_UI_LANGUAGE"] = "en";
        if (plant is not null)
        {
            start.Environment[Variable] = plant;
        }

        using var process = Process.Start(start) ?? throw new InvalidOperationException("dotnet did not start.");
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(stopped);
        ended.CancelAfter(limit);
        try
        {
            var output = process.StandardOutput.ReadToEndAsync(ended.Token);
            var errors = process.StandardError.ReadToEndAsync(ended.Token);
            await process.WaitForExitAsync(ended.Token);
            return (process.ExitCode, await output + await errors);
        }
        catch (OperationCanceledException) when (!stopped.IsCancellationRequested)
        {
            return (-1, $"It did not end within {limit.TotalSeconds:0} s.");
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill(entireProcessTree: true);
            }
        }
    }

    private void CopyFolder(string root, string folder)
    {
        foreach (string path in Directory.EnumerateFiles(Path.Combine(root, folder), "*", SearchOption.AllDirectories))
        {
            string relative = Path.GetRelativePath(root, path);
            if (!relative.Split(Path.DirectorySeparatorChar).Any(part => part is "bin" or "obj" or "artifacts"))
            {
                string copy = Path.Combine(_root, relative);
                Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
                File.Copy(path, copy);
            }
        }
    }

    private static bool IsOfTheBuild(string path) =>
        Path.GetFileName(path) is "global.json" or "BannedSymbols.txt" or ".editorconfig" or "DiskDistributedCache.sln" or "nuget.config"
        || Path.GetExtension(path) is ".props" or ".targets";

    /// <summary>The folder of the solution that this program was built in.</summary>
    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "DiskDistributedCache.sln")))
            {
                return folder.FullName;
            }
        }

        throw new InvalidOperationException("The sources of this program cannot be found.");
    }
}
