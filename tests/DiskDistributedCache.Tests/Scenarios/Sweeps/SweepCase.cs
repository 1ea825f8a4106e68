using System.Collections.Concurrent;
using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Scenarios.Sweeps;

/// <summary>What a fault does to a call, by a name that a failure prints.</summary>
internal sealed record SweepFault(string Name, FileOperation Operation, Func<FaultyFileSystem, string, int, int, Fault> Plan)
{
    public static IReadOnlyList<SweepFault> All { get; } =
    [
        Error("EIO", DiskError.InputOutput),
        Error("ENOSPC", DiskError.NoSpace),
        Error("ENOSPC of a preallocation", DiskError.NoSpaceToPreallocate),
        Error("EROFS", DiskError.ReadOnlyFileSystem),
        Error("EACCES", DiskError.AccessDenied),
        Error("EMFILE", DiskError.TooManyOpenFiles),
        Error("EFBIG", DiskError.FileTooLarge),
        Error("ECANCELED", DiskError.Canceled),
        Error("not found", DiskError.NotFound),
        new("torn write", FileOperation.Write, (files, path, skip, times) => files.Tear(100, path, skip, times)),
        new("short read", FileOperation.Read, (files, path, skip, times) => files.ShortenReads(7, path, skip, times)),
    ];

    public bool IsFullDisk => Name.StartsWith("ENOSPC", StringComparison.Ordinal);

    public static SweepFault Named(string name) => All.First(fault => fault.Name == name);

    private static SweepFault Error(string name, DiskError error) =>
        new(name, FileOperation.Any, (files, path, skip, times) => files.Fail(FileOperation.Any, path, skip, times, error));
}

/// <summary>When the faults begin.</summary>
internal enum SweepStage
{
    /// <summary>While an open cache works.</summary>
    Workload,

    /// <summary>While a store is opened that was closed, and afterwards.</summary>
    OpeningClosed,

    /// <summary>While a store is opened whose process was killed, and afterwards.</summary>
    OpeningKilled,

    /// <summary>While the disk is brought back after an outage, and afterwards.</summary>
    Recovery,

    /// <summary>In the folder of witnesses, from before the opening; the disk of the segments fails in the middle of it.</summary>
    Witness,

    /// <summary>
    /// While the disk is brought back after an outage, and then, when it is well again, while that is tried once more, and afterwards.
    /// </summary>
    SecondRecovery,
}

/// <summary>One run: this fault strikes from the N-th call on, so many times.</summary>
internal sealed record SweepCase(SweepStage Stage, SweepFault Fault, int Seed, int Call, int Times, bool IsRoomy)
{
    /// <summary>Everything for every call, with a hundred thousand runs; otherwise as many as `dotnet test` has time for.</summary>
    public static readonly bool IsFull = Environment.GetEnvironmentVariable("DISKCACHE_TEST_SWEEP") == "full";

    private const int FullScale = 25;
    private const int FullSeeds = 12;

    /// <summary>Another fault, planned at the same time, or for the second recovery; null for none.</summary>
    public SweepFault? Second { get; init; }

    /// <summary>From which call on the other fault strikes, counted by itself.</summary>
    public int SecondCall { get; init; }

    public int SecondTimes { get; init; } = 1;

    /// <summary>What the disk said in the outage before a recovery.</summary>
    public DiskError Outage { get; init; } = DiskError.ReadOnlyFileSystem;

    /// <summary>Whether the disk says at some time that it is full.</summary>
    public bool HasFullDisk => Fault.IsFullDisk || Second is { IsFullDisk: true } || Outage == DiskError.NoSpace;

    public override string ToString() =>
        $"{Stage}, {Fault.Name}, seed {Seed}, call {Call}, {TimesOf(Times)}, {(IsRoomy ? "roomy" : "tight")}"
        + (Second is null ? "" : $", and {Second.Name} at {SecondCall}, {TimesOf(SecondTimes)}")
        + (Outage == DiskError.ReadOnlyFileSystem ? "" : $", after {Outage}");

    /// <summary>The cases of a kind of fault at a stage: all, or as many as asked for, in an order that is the same each time.</summary>
    public static async Task<IReadOnlyList<SweepCase>> ChooseAsync(SweepStage stage, SweepFault fault, int count)
    {
        var cases = new List<SweepCase>();
        for (int seed = 1; seed <= (IsFull ? FullSeeds : 1); seed++)
        {
            foreach (bool isRoomy in (bool[])[true, false])
            {
                int calls = await SweepRun.CountCallsAsync(new SweepCase(stage, fault, seed, 0, 0, isRoomy));
                for (int call = 1; call <= calls; call++)
                {
                    foreach (int times in (int[])[1, 2 + (call % 7), int.MaxValue])
                    {
                        cases.Add(new SweepCase(stage, fault, seed, call, times, isRoomy));
                    }
                }
            }
        }

        var chosen = cases.ToArray();
        new Random(1).Shuffle(chosen);
        return chosen[..Math.Min(chosen.Length, count * (IsFull ? FullScale : 1))];
    }

    private static string TimesOf(int times) => times == int.MaxValue ? "for good" : $"{times} times";

    /// <summary>Runs the cases over two workers. Fails with the first violations, in full.</summary>
    public static async Task SweepAsync(IReadOnlyList<SweepCase> cases)
    {
        var violations = new ConcurrentQueue<string>();
        await Parallel.ForEachAsync(
            cases,
            new ParallelOptions { MaxDegreeOfParallelism = 2 },
            async (@case, _) =>
            {
                foreach (string violation in (await SweepRun.RunAsync(@case)).Violations)
                {
                    violations.Enqueue($"{@case}: {violation}");
                }
            });
        Assert.NotEmpty(cases);
        Assert.True(
            violations.IsEmpty,
            $"{violations.Count} violations in {cases.Count} runs:\n" + string.Join('\n', violations.Order().Take(40)));
    }
}
