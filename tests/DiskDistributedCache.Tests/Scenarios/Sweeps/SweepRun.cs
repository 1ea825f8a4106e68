using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Scenarios.Sweeps;

/// <summary>What a run has shown.</summary>
/// <param name="Violations">What went wrong.</param>
/// <param name="IsStruck">Whether the fault struck at all.</param>
/// <param name="IsStruckAgain">Whether the second one did.</param>
/// <param name="LiveCount">Reads, by the process after a recovery, of what had not died.</param>
/// <param name="HitCount">Those of them that were answered.</param>
internal sealed record SweepResult(IReadOnlyList<string> Violations, bool IsStruck, bool IsStruckAgain, int LiveCount, int HitCount);

/// <summary>
/// One run of the I/O-error sweep: a process works while the disk fails, it is killed in the middle of that (in an image; here it
/// goes on), the disk heals, what is new is written, and the process is killed or closed. Each time the next one has to find
/// nothing but the truth, and after the healing all of it.
/// </summary>
internal sealed class SweepRun : IDisposable
{
    private readonly SweepCase _case;
    private readonly SweepDisk _disk = new();
    private readonly TestClock _time = new();
    private readonly List<string> _violations = [];
    private Fault? _first;
    private Fault? _second;
    private int _liveCount;
    private int _hitCount;

    private SweepRun(SweepCase @case) => _case = @case;

    /// <param name="case">What happens.</param>
    /// <param name="whenWrong">Called with what went wrong, and the disk as the last process has left it, while it is still there.</param>
    public static async Task<SweepResult> RunAsync(SweepCase @case, Action<IReadOnlyList<string>, SweepDisk>? whenWrong = null)
    {
        using var run = new SweepRun(@case);
        try
        {
            await run.RunAsync();
        }
        catch (Exception exception)
        {
            run._violations.Add($"threw {exception}");
        }

        if (run._violations.Count > 0)
        {
            whenWrong?.Invoke(run._violations, run._disk);
        }

        return new SweepResult(
            run._violations, run._first is { StruckCount: > 0 }, run._second is { StruckCount: > 0 }, run._liveCount, run._hitCount);
    }

    /// <summary>How many calls there are that a fault of this kind can strike.</summary>
    public static async Task<int> CountCallsAsync(SweepCase @case) => (await CountCallsAsync(@case, [@case.Fault.Operation]))[0];

    /// <summary>How many calls of each of these kinds there are.</summary>
    public static async Task<int[]> CountCallsAsync(SweepCase @case, FileOperation[] operations)
    {
        using var run = new SweepRun(@case);
        string root = await run.PrepareAsync();
        await using var process = await run.BeginAsync(root, countOnly: true);
        await run.WorkAsync(process);
        return Array.ConvertAll(operations, operation => process.Files.CountCalls(operation, run.StruckPath(process)));
    }

    public void Dispose() => _disk.Dispose();

    private async Task RunAsync()
    {
        string root = await PrepareAsync();
        await using var process = await BeginAsync(root, countOnly: false);
        try
        {
            await WorkAsync(process);
            process.Stage = "with the fault";
            string killed = _disk.ImageOf(root);
            await CheckNextAsync(killed, process, "killed with the fault", mustBeThere: false);
            await EndAsync(process);
        }
        finally
        {
            process.Files.Heal();
            _violations.AddRange(process.Violations);
        }
    }

    /// <summary>Each case ends in one of three ways; neighbours end differently.</summary>
    private async Task EndAsync(SweepProcess process)
    {
        if (_case.Call % 3 == 0)
        {
            await process.DisposeAsync();
            await CheckNextAsync(_disk.ImageOf(process.Root), process, "closed with the fault", mustBeThere: false);
            return;
        }

        process.Stage = "healed";
        await process.HealAsync();
        await process.CheckAsync(mustBeThere: true);
        await process.SetAsync("new", 1000);
        if (_case.Call % 3 == 1)
        {
            await process.TrustAsync();
            await CheckNextAsync(_disk.ImageOf(process.Root), process, "killed after recovery", mustBeThere: true);
        }
        else
        {
            await process.DisposeAsync();
            await CheckNextAsync(process.Root, process, "closed after recovery", mustBeThere: true);
        }
    }

    /// <summary>Another process finds the truth, and can go on. Where it must it finds what this one had, and what that set last.</summary>
    private async Task CheckNextAsync(string root, SweepProcess before, string stage, bool mustBeThere)
    {
        await using var next = new SweepProcess(root, _time, _case.IsRoomy, before, mustKeep: mustBeThere) { Stage = stage };
        await next.StartAsync();

        // On a disk that says that it is full the oldest has to go.
        await next.CheckAsync(mustBeThere && !_case.HasFullDisk, mustBeThere ? [] : ["new"]);
        if (mustBeThere && await next.GetAsync("new", mustBeThere: false) is null)
        {
            next.Violate("what was set after the recovery is gone");
        }

        await next.SetAsync("newer", 500);
        await next.GetAsync("newer");
        if (next.Cache.GetStatus() is { Mode: not DiskCacheMode.Normal } status)
        {
            next.Violate($"the next process is {status.Mode}: {status.Reason}");
        }

        _violations.AddRange(next.Violations);
        if (mustBeThere)
        {
            (_liveCount, _hitCount) = (_liveCount + next.LiveCount, _hitCount + next.HitCount);
        }
    }

    /// <summary>The store that the process finds: none, or one with a past.</summary>
    private async Task<string> PrepareAsync()
    {
        string root = _disk.NewRoot();
        if (_case.Stage is SweepStage.OpeningClosed or SweepStage.OpeningKilled)
        {
            await using var first = new SweepProcess(root, _time, _case.IsRoomy);
            await first.StartAsync();
            await SweepWorkload.RunAsync(first, _case.Seed + 100, steps: 20);
            _before = first;
            return _case.Stage == SweepStage.OpeningKilled ? _disk.ImageOf(root) : root;
        }

        return root;
    }

    private SweepProcess? _before;

    private async Task<SweepProcess> BeginAsync(string root, bool countOnly)
    {
        var process = new SweepProcess(root, _time, _case.IsRoomy, _before, threshold: 1 + (_case.Call / 3 % 3 * 4));
        if (_case.Stage is SweepStage.Workload or SweepStage.Recovery or SweepStage.SecondRecovery)
        {
            await process.StartAsync();
        }

        if (_case.Stage is SweepStage.Recovery or SweepStage.SecondRecovery)
        {
            process.Files.Fail(FileOperation.Any, process.InRoot, error: _case.Outage);
            await SweepWorkload.RunAsync(process, _case.Seed, steps: 15);
            process.Files.Heal();
        }

        process.Files.KeepsCalls = countOnly;
        if (!countOnly)
        {
            _first = _case.Fault.Plan(process.Files, StruckPath(process), _case.Call - 1, _case.Times);
            if (_case.Stage != SweepStage.SecondRecovery)
            {
                PlanSecond(process);
            }
        }

        return process;
    }

    private void PlanSecond(SweepProcess process) =>
        _second = _case.Second?.Plan(process.Files, StruckPath(process), _case.SecondCall - 1, _case.SecondTimes);

    private async Task WorkAsync(SweepProcess process)
    {
        switch (_case.Stage)
        {
            case SweepStage.Workload:
                await SweepWorkload.RunAsync(process, _case.Seed);
                break;
            case SweepStage.OpeningClosed or SweepStage.OpeningKilled:
                await process.StartAsync();
                await SweepWorkload.RunAsync(process, _case.Seed, steps: 8);
                break;
            case SweepStage.SecondRecovery:
                await RecoverAsync(process);
                process.Files.Heal();
                PlanSecond(process);
                goto case SweepStage.Recovery;
            case SweepStage.Recovery:
                await RecoverAsync(process);
                await SweepWorkload.RunAsync(process, _case.Seed + 200, steps: 8);
                break;
            case SweepStage.Witness:
                await process.StartAsync();
                await SweepWorkload.RunAsync(process, _case.Seed, steps: 10);
                process.Files.Fail(FileOperation.Write, ".seg");

                // One mutation and no more: with the next one the store says itself that it is suspect.
                await process.ClearAsync();
                break;
        }
    }

    private static async Task RecoverAsync(SweepProcess process)
    {
        process.Wait();
        await process.HeartbeatAsync();
        await process.RecoverAsync();
        await process.TrustAsync();
    }

    private string StruckPath(SweepProcess process) =>
        _case.Stage == SweepStage.Witness ? SweepDisk.ElsewhereOf(process.Root) : process.InRoot;
}
