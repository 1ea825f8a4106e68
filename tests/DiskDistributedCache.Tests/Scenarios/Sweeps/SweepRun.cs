using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Scenarios.Sweeps;

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

    private SweepRun(SweepCase @case) => _case = @case;

    /// <summary>What went wrong.</summary>
    public static async Task<IReadOnlyList<string>> RunAsync(SweepCase @case)
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

        return run._violations;
    }

    /// <summary>How many calls there are that a fault of this kind can strike.</summary>
    public static async Task<int> CountCallsAsync(SweepCase @case)
    {
        using var run = new SweepRun(@case);
        string root = await run.PrepareAsync();
        await using var process = await run.BeginAsync(root, countOnly: true);
        await run.WorkAsync(process);
        return process.Files.CountCalls(@case.Fault.Operation, run.StruckPath(process));
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
        await next.CheckAsync(mustBeThere && !_case.Fault.IsFullDisk, mustBeThere ? [] : ["new"]);
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
            _first = first;
            return _case.Stage == SweepStage.OpeningKilled ? _disk.ImageOf(root) : root;
        }

        return root;
    }

    private SweepProcess? _first;

    private async Task<SweepProcess> BeginAsync(string root, bool countOnly)
    {
        var process = new SweepProcess(root, _time, _case.IsRoomy, _first, threshold: 1 + (_case.Call / 3 % 3 * 4));
        if (_case.Stage is SweepStage.Workload or SweepStage.Recovery)
        {
            await process.StartAsync();
        }

        if (_case.Stage == SweepStage.Recovery)
        {
            process.Files.Fail(FileOperation.Any, process.InRoot, error: DiskError.ReadOnlyFileSystem);
            await SweepWorkload.RunAsync(process, _case.Seed, steps: 15);
            process.Files.Heal();
        }

        process.Files.KeepsCalls = countOnly;
        if (!countOnly)
        {
            _case.Fault.Plan(process.Files, StruckPath(process), _case.Call - 1, _case.Times);
        }

        return process;
    }

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
            case SweepStage.Recovery:
                process.Wait();
                await process.HeartbeatAsync();
                await process.RecoverAsync();
                await process.TrustAsync();
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

    private string StruckPath(SweepProcess process) =>
        _case.Stage == SweepStage.Witness ? SweepDisk.ElsewhereOf(process.Root) : process.InRoot;
}
