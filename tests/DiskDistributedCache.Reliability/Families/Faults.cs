using DiskDistributedCache.Reliability.Harness;
using DiskDistributedCache.Tests.Scenarios.Sweeps;

namespace DiskDistributedCache.Reliability.Families;

/// <summary>
/// A disk that fails at any call, in every way, once, several times and for good: while a cache works, opens and recovers. The cases are
/// drawn from all there are.
/// </summary>
internal sealed class Faults : Family
{
    public override string Name => "faults";

    public override string What => "a disk that fails at any call, while the cache works, opens and recovers; restarted and read";

    public override string Unit => "runs";

    public override Counts Counts => new(4_000, 100_000, 500_000);

    public override double CaseMilliseconds => 15;

    public override Task RunAsync(FamilyRun run) => run.ForEachCaseAsync(async one =>
    {
        var @case = Draw(one.NewRandom());
        foreach (string violation in await SweepRun.RunAsync(@case))
        {
            one.Violate($"{@case}: {violation}");
        }
    });

    private static SweepCase Draw(Random random)
    {
        var stage = (SweepStage)random.Next(Enum.GetValues<SweepStage>().Length);
        var fault = SweepFault.All[random.Next(SweepFault.All.Count)];
        int times = random.Next(3) switch { 0 => 1, 1 => random.Next(2, 9), _ => int.MaxValue };
        return new SweepCase(stage, fault, Seed: random.Next(1, 1000), Call: random.Next(1, 200), times, IsRoomy: random.Next(2) == 0);
    }
}
