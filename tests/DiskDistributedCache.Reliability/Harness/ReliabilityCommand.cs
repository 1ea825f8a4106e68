using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace DiskDistributedCache.Reliability.Harness;

/// <summary>Runs the wanted families one after the other, and writes the results and the report.</summary>
internal sealed class ReliabilityCommand(ReliabilityArguments arguments, IReadOnlyList<Family> families)
{
    private const int ProgressMilliseconds = 5_000;

    private readonly Machine _machine = Machine.Here();
    private readonly Lock _progressing = new();
    private long _lastProgress = Stopwatch.GetTimestamp();
    private double _secondsOfLaterFamilies;

    /// <returns>The exit code: 0, 1 when anything is wrong, 2 when there is no such family, 130 when stopped: what was done in order until then is a result.</returns>
    public async Task<int> RunAsync()
    {
        string[] unknown = [.. arguments.Only.Except(families.Select(family => family.Name))];
        if (unknown.Length > 0)
        {
            Console.Error.WriteLine($"There is no family '{unknown[0]}': {string.Join(", ", families.Select(family => family.Name))}.");
            return 2;
        }

        if (arguments.OnlyReports)
        {
            Console.Out.Write(Report());
            return 0;
        }

        using var stop = new CancellationTokenSource();
        using var interrupted = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using var terminated = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        Console.Out.WriteLine($"{_machine}, seed {arguments.Seed}");
        bool isRight = await RunAsync([.. families.Where(IsWanted)], stop.Token);
        Directory.CreateDirectory(arguments.Directory);
        string report = Path.Combine(arguments.Directory, $"{arguments.Scale}.md".ToLowerInvariant());
        await File.WriteAllTextAsync(report, Report(), CancellationToken.None);
        Console.Out.WriteLine($"report: {report}");
        return stop.IsCancellationRequested ? 130 : isRight ? 0 : 1;

        void Stop(PosixSignalContext signal)
        {
            signal.Cancel = !stop.IsCancellationRequested;
            stop.Cancel();
        }
    }

    private bool IsWanted(Family family) => arguments.Only.Count == 0 || arguments.Only.Contains(family.Name);

    private async Task<bool> RunAsync(Family[] wanted, CancellationToken stopped)
    {
        bool isRight = true;
        for (int i = 0; i < wanted.Length && !stopped.IsCancellationRequested; i++)
        {
            _secondsOfLaterFamilies = wanted.Skip(i + 1).Sum(EstimatedSeconds);
            var result = await RunAsync(wanted[i], stopped);
            isRight &= result.ViolationCount == 0;
        }

        return isRight;
    }

    private async Task<FamilyResult> RunAsync(Family family, CancellationToken stopped)
    {
        var run = new FamilyRun(family, arguments, Progress, stopped);
        try
        {
            await family.RunAsync(run);
            if (run.Done == 0 && run.SkippedBecause is null && !stopped.IsCancellationRequested)
            {
                run.Violate("no case was run");
            }
        }
        catch (Exception exception) when (!stopped.IsCancellationRequested)
        {
            run.Violate($"threw {exception}");
        }

        var result = FamilyResult.Of(run, _machine);
        bool isWhole = !stopped.IsCancellationRequested;
        if (arguments is { Case: null, Plants: [] } && (isWhole || run is { IsInOrder: true, Done: > 0 }))
        {
            result.Write(arguments.Directory);
            if (!isWhole)
            {
                Console.Out.WriteLine($"stopped: --first {run.First + run.Done} --count {run.Count - run.Done} goes on with {family.Name}");
            }
        }

        Console.Out.WriteLine(Line(family, result));
        return result;
    }

    /// <summary>A line in the form that <c>.ci/run</c> counts.</summary>
    private static string Line(Family family, FamilyResult result) =>
        result.SkippedBecause is { } why
            ? $"skipped  {family.Name}: {why}"
            : result.ViolationCount > 0
                ? $"FAILED  {family.Name}: {result.ViolationCount} violations in {result.Count} {family.Unit} (seed {result.Seed})"
                : string.Create(
                    CultureInfo.InvariantCulture,
                    $"passed  {family.Name}: {result.Count} {family.Unit}, no violation (seed {result.Seed}, {result.Seconds:0.0} s)");

    private double EstimatedSeconds(Family family) => (arguments.Count ?? family.Counts.At(arguments.Scale)) * family.CaseMilliseconds / 1000;

    private void Progress(FamilyRun run)
    {
        lock (_progressing)
        {
            if (Stopwatch.GetElapsedTime(_lastProgress).TotalMilliseconds < ProgressMilliseconds)
            {
                return;
            }

            _lastProgress = Stopwatch.GetTimestamp();
            double rest = run.Elapsed.TotalSeconds / Math.Max(1, run.Done) * Math.Max(0, run.Count - run.Done);
            var left = TimeSpan.FromSeconds(rest + _secondsOfLaterFamilies);
            Console.Error.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{run.Family.Name}: {run.Done} of {run.Count} {run.Family.Unit}, {run.ViolationCount} violations; about {left:hh\\:mm\\:ss} left"));
        }
    }

    private string Report() => ReliabilityReport.Make(
        arguments.Scale,
        [.. families.Select(family => (family, FamilyResult.ReadAll(arguments.Directory, family.Name, arguments.Scale)))]);
}
