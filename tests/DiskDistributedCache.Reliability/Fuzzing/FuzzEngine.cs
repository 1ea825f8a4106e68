using System.Diagnostics;
using System.Globalization;
using DiskDistributedCache.Tests.Fuzzing;
using SharpFuzz;

namespace DiskDistributedCache.Reliability.Fuzzing;

/// <summary>What the fuzzer says of one target.</summary>
internal sealed record FuzzFindings(long Executions, long Paths, long Edges, IReadOnlyList<string> Crashes);

/// <summary>
/// AFL++ over a copy of this program in which the library, and nothing else, tells which branches it takes. The copy is started by the
/// fuzzer with the argument <see cref="Argument"/>, and then runs one input after the other in one process.
/// </summary>
internal sealed class FuzzEngine : IDisposable
{
    public const string Argument = "fuzz-target";

    private const string Library = "DiskDistributedCache.dll";

    private readonly string _folder = Directory.CreateTempSubdirectory("diskcache-fuzz-").FullName;

    public FuzzEngine()
    {
        string copy = Path.Combine(_folder, "program");
        foreach (string file in Directory.EnumerateFiles(AppContext.BaseDirectory, "*", SearchOption.AllDirectories))
        {
            string to = Path.Combine(copy, Path.GetRelativePath(AppContext.BaseDirectory, file));
            Directory.CreateDirectory(Path.GetDirectoryName(to)!);
            File.Copy(file, to);
        }

        Fuzzer.Instrument(Path.Combine(copy, Library), _ => true, Options.Value);
    }

    /// <summary>Why nothing can be fuzzed here; null when it can.</summary>
    public static string? WhyNot() =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Any(folder => File.Exists(Path.Combine(folder, "afl-fuzz")))
            ? null
            : "afl-fuzz is not installed (Debian: apt-get install afl++)";

    /// <summary>What the copy does: takes inputs from the fuzzer until that ends.</summary>
    public static void Serve(string target)
    {
        var run = FuzzTargets.All[target];
        Fuzzer.Run(input =>
        {
            using var bytes = new MemoryStream();
            input.CopyTo(bytes);
            run(bytes.ToArray());
        });
    }

    /// <summary>How the copy is started: by itself, or by the host where that is how this process was started.</summary>
    private string[] Program
    {
        get
        {
            string copy = Path.Combine(_folder, "program", "DiskDistributedCache.Reliability");
            string own = Environment.ProcessPath ?? throw new InvalidOperationException("The program has no path.");
            return Path.GetFileNameWithoutExtension(own) == "dotnet" ? [own, copy + ".dll"] : [copy];
        }
    }

    /// <summary>On a machine that is busy the fuzzer now and then sees nothing of the first input, and does not begin: then once more.</summary>
    public async Task<FuzzFindings> RunAsync(string target, TimeSpan duration, CancellationToken stopped)
    {
        const int Attempts = 3;
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                return await RunOnceAsync(target, duration, stopped);
            }
            catch (InvalidOperationException) when (attempt < Attempts)
            {
                string begun = Path.Combine(_folder, target);
                if (Directory.Exists(begun))
                {
                    Directory.Delete(begun, recursive: true);
                }
            }
        }
    }

    private async Task<FuzzFindings> RunOnceAsync(string target, TimeSpan duration, CancellationToken stopped)
    {
        string seeds = Path.Combine(_folder, target + "-seeds");
        string output = Path.Combine(_folder, target);
        WriteSeeds(target, seeds);
        var start = new ProcessStartInfo("afl-fuzz") { RedirectStandardOutput = true, RedirectStandardError = true };
        string[] arguments =
        [
            "-i", seeds, "-o", output, "-t", "5000", "-m", "none", "-V", duration.TotalSeconds.ToString("0", CultureInfo.InvariantCulture),
            "--", .. Program, Argument, target,
        ];
        Array.ForEach(arguments, start.ArgumentList.Add);
        foreach (string setting in (string[])["AFL_SKIP_BIN_CHECK", "AFL_NO_UI", "AFL_SKIP_CPUFREQ", "AFL_NO_AFFINITY", "AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES", "AFL_IGNORE_SEED_PROBLEMS"])
        {
            start.Environment[setting] = "1";
        }

        // A .NET program takes longer to start than a native one.
        start.Environment["AFL_FORKSRV_INIT_TMOUT"] = "60000";
        using var fuzzer = Process.Start(start) ?? throw new InvalidOperationException("afl-fuzz did not start.");
        var said = Task.WhenAll(fuzzer.StandardOutput.ReadToEndAsync(stopped), fuzzer.StandardError.ReadToEndAsync(stopped));
        try
        {
            await fuzzer.WaitForExitAsync(stopped);
        }
        catch (OperationCanceledException)
        {
            fuzzer.Kill(entireProcessTree: true);
            throw;
        }

        return Read(Path.Combine(output, "default"), string.Concat(await said));
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static void WriteSeeds(string target, string folder)
    {
        Directory.CreateDirectory(folder);
        int number = 0;
        foreach (byte[] seed in FuzzSeeds.Of(target))
        {
            File.WriteAllBytes(Path.Combine(folder, $"seed-{number++}"), seed);
        }

        foreach (string file in Directory.EnumerateFiles(Path.Combine(AppContext.BaseDirectory, "Corpus", target)))
        {
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)), overwrite: true);
        }
    }

    private static FuzzFindings Read(string folder, string said)
    {
        string path = Path.Combine(folder, "fuzzer_stats");
        if (!File.Exists(path))
        {
            throw new InvalidOperationException($"afl-fuzz did not run:\n{said[^Math.Min(said.Length, 4000)..]}");
        }

        var stats = File.ReadLines(path)
            .Select(line => line.Split(':', 2, StringSplitOptions.TrimEntries))
            .Where(parts => parts.Length == 2)
            .ToDictionary(parts => parts[0], parts => parts[1]);
        long Number(string name) => long.Parse(stats[name], CultureInfo.InvariantCulture);
        string[] crashes = [.. ((string[])["crashes", "hangs"])
            .Select(kind => Path.Combine(folder, kind))
            .Where(Directory.Exists)
            .SelectMany(Directory.EnumerateFiles)
            .Where(file => Path.GetFileName(file).StartsWith("id", StringComparison.Ordinal))];
        return new FuzzFindings(Number("execs_done"), Number("corpus_count"), Number("edges_found"), crashes);
    }
}
