namespace DiskDistributedCache.Tests.Scenarios.Sweeps;

/// <summary>
/// Fails the N-th call to the file system, for every N and every error that a disk knows, once, several times, and for good: while a
/// cache works, while it opens, while it recovers, and in the folder of its witness. Through the whole cache, with a clock that only
/// the test moves.
///
/// No caller ever gets an exception, or a value that is wrong, stale, expired or dead; what memory holds is served all the time; the
/// disk tier is back one probe and one recovery after the disk; and what the next process finds is right, whether the one before was
/// closed, or killed while the disk failed, or killed afterwards. A process that is killed while the disk fails may leave nothing.
///
/// Takes some thousand of the cases, always the same ones, and twenty-five times as many where the environment variable
/// DISKCACHE_TEST_SWEEP is <c>full</c>.
/// </summary>
public sealed class IoErrorSweepTests
{
    public static TheoryData<string> Faults => [.. SweepFault.All.Select(fault => fault.Name)];

    /// <summary>A process that has its store never reads its witness.</summary>
    public static TheoryData<string> WitnessFaults =>
        [.. SweepFault.All.Where(fault => fault.Operation != FileOperation.Read).Select(fault => fault.Name)];

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task A_disk_that_fails_at_any_call_of_a_working_cache_costs_no_truth(string fault) =>
        await SweepAsync(SweepStage.Workload, fault, count: 230);

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task A_disk_that_fails_at_any_call_of_the_opening_of_a_closed_store_costs_no_truth(string fault) =>
        await SweepAsync(SweepStage.OpeningClosed, fault, count: 45);

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task A_disk_that_fails_at_any_call_of_the_opening_of_a_killed_store_costs_no_truth(string fault) =>
        await SweepAsync(SweepStage.OpeningKilled, fault, count: 45);

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task A_disk_that_fails_at_any_call_of_a_recovery_costs_no_truth(string fault) =>
        await SweepAsync(SweepStage.Recovery, fault, count: 50);

    [Theory]
    [MemberData(nameof(WitnessFaults))]
    public async Task A_witness_folder_that_fails_at_any_call_costs_no_truth(string fault) =>
        await SweepAsync(SweepStage.Witness, fault, count: 30);

    /// <summary>
    /// What only the large scale found: one of the two slots kept its suspect flag when trust came back, and nobody tried again. Fails
    /// when <c>Trust</c> does not distrust after a heartbeat that failed.
    /// </summary>
    [Theory]
    [InlineData("EIO", 4, 46, true)]
    [InlineData("EIO", 5, 46, false)]
    [InlineData("ENOSPC", 2, 46, false)]
    public async Task A_disk_that_fails_as_trust_comes_back_costs_no_more_than_a_heartbeat(string fault, int seed, int call, bool isRoomy) =>
        await SweepCase.SweepAsync([new SweepCase(SweepStage.Recovery, SweepFault.Named(fault), seed, call, Times: 1, isRoomy)]);

    /// <summary>
    /// What only pairs of faults found: the witness could not be put back as trust came back, and nobody tried again. Fails when a heartbeat
    /// does not restore what is missing.
    /// </summary>
    [Theory]
    [InlineData("ENOSPC", 12, 4, "EIO", 9, 6)]
    [InlineData("not found", 36, 5, "ENOSPC of a preallocation", 8, 1)]
    public async Task A_witness_that_cannot_be_put_back_as_trust_comes_back_costs_no_more_than_a_heartbeat(
        string fault, int seed, int times, string second, int secondCall, int secondTimes) =>
        await SweepCase.SweepAsync(
        [
            new SweepCase(SweepStage.Witness, SweepFault.Named(fault), seed, Call: 1, times, IsRoomy: true)
            {
                Second = SweepFault.Named(second),
                SecondCall = secondCall,
                SecondTimes = secondTimes,
            },
        ]);

    private static async Task SweepAsync(SweepStage stage, string fault, int count)
    {
        var cases = await SweepCase.ChooseAsync(stage, SweepFault.Named(fault), count);
        await SweepCase.SweepAsync(cases);
    }
}
