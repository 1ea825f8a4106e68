using System.Collections.Concurrent;
using DiskDistributedCache.Reliability.Harness;
using DiskDistributedCache.Tests.Scenarios.Sweeps;

namespace DiskDistributedCache.Reliability.Families;

/// <summary>
/// A disk that fails at any call, in every way, once, several times and for good: while a cache works, opens and recovers; twice, so that the
/// second fault strikes while the first is dealt with; and while the disk is brought back, and while that is tried once more.
///
/// The calls of each stage and workload are counted in a run without faults, and the cases drawn from those.
/// </summary>
internal sealed class Faults : Family
{
    private const int MaxDistance = 12;

    private static readonly FileOperation[] s_operations = [.. SweepFault.All.Select(fault => fault.Operation).Distinct()];
    private static readonly DiskError[] s_outages =
        [DiskError.ReadOnlyFileSystem, DiskError.InputOutput, DiskError.NoSpace, DiskError.AccessDenied, DiskError.TooManyOpenFiles];

    private readonly ConcurrentDictionary<(SweepStage Stage, int Seed, bool IsRoomy), Lazy<Task<int[]>>> _counts = new();

    public override string Name => "faults";

    public override string What => "a disk that fails at any call, once, twice and while it is brought back; the cache goes on, is restarted and read";

    public override string Unit => "runs";

    public override Counts Counts => new(1_200, 100_000, 500_000);

    public override double CaseMilliseconds => 12;

    public override async Task RunAsync(FamilyRun run)
    {
        var tally = new Tally();
        int seeds = run.Scale == Scale.Pr ? 3 : 50;
        await run.ForEachCaseAsync(async one =>
        {
            var @case = await DrawAsync(one.NewRandom(), seeds);
            var result = await SweepRun.RunAsync(
                @case, (violations, disk) => one.Violate($"{@case}: {string.Join("; ", violations)}", disk.CopyTo));
            tally.Count(
                $"{@case.Stage}, {(@case.Second is null ? "one fault" : "two faults")}",
                ("struck", result.IsStruck ? 1 : 0),
                ("struck by both", result.IsStruckAgain && result.IsStruck ? 1 : 0),
                ("values alive after the restart", result.LiveCount),
                ("values served", result.HitCount));
        });
        run.Note(tally.ToString("stage", "runs"));
    }

    private async Task<SweepCase> DrawAsync(Random random, int seeds)
    {
        var (stage, isPair) = random.Next(100) switch
        {
            < 18 => (SweepStage.Workload, false),
            < 38 => (SweepStage.Workload, true),
            < 44 => (SweepStage.OpeningClosed, false),
            < 50 => (SweepStage.OpeningClosed, true),
            < 56 => (SweepStage.OpeningKilled, false),
            < 62 => (SweepStage.OpeningKilled, true),
            < 70 => (SweepStage.Recovery, false),
            < 80 => (SweepStage.Recovery, true),
            < 94 => (SweepStage.SecondRecovery, true),
            < 97 => (SweepStage.Witness, false),
            _ => (SweepStage.Witness, true),
        };
        int seed = random.Next(1, seeds + 1);
        bool isRoomy = random.Next(2) == 0;
        var (fault, call) = await DrawAsync(random, stage, seed, isRoomy);
        var @case = new SweepCase(stage, fault, seed, call, Times(random), isRoomy);
        if (stage is SweepStage.Recovery or SweepStage.SecondRecovery)
        {
            @case = @case with { Outage = s_outages[random.Next(s_outages.Length)] };
        }

        if (!isPair)
        {
            return @case;
        }

        var (second, secondCall) = await DrawAsync(random, stage, seed, isRoomy);
        bool isNear = stage != SweepStage.SecondRecovery && second.Operation == fault.Operation && random.Next(4) > 0;
        return @case with
        {
            Times = random.Next(3) > 0 ? 1 : random.Next(2, 6),
            Second = second,
            SecondCall = isNear ? call + random.Next(1, MaxDistance) : secondCall,
            SecondTimes = Times(random),
        };
    }

    private async Task<(SweepFault Fault, int Call)> DrawAsync(Random random, SweepStage stage, int seed, bool isRoomy)
    {
        int[] counts = await CountsOf(stage == SweepStage.SecondRecovery ? SweepStage.Recovery : stage, seed, isRoomy);
        while (true)
        {
            var fault = SweepFault.All[random.Next(SweepFault.All.Count)];
            int count = counts[Array.IndexOf(s_operations, fault.Operation)];
            if (count > 0)
            {
                return (fault, random.Next(1, count + 1));
            }
        }
    }

    private Task<int[]> CountsOf(SweepStage stage, int seed, bool isRoomy) => _counts.GetOrAdd(
        (stage, seed, isRoomy),
        key => new Lazy<Task<int[]>>(() => SweepRun.CountCallsAsync(new SweepCase(key.Stage, SweepFault.All[0], key.Seed, 0, 0, key.IsRoomy), s_operations)))
        .Value;

    private static int Times(Random random) => random.Next(3) switch { 0 => 1, 1 => random.Next(2, 9), _ => int.MaxValue };
}
