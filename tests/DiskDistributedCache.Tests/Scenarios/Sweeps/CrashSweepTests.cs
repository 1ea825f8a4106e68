using System.Collections.Concurrent;

namespace DiskDistributedCache.Tests.Scenarios.Sweeps;

/// <summary>
/// Ends the process at every call that changes the disk, and the power with it: while it opens, works, owes, takes its trust back,
/// loses its disk, recovers and closes. The next process over what is left opens and finds what was acknowledged, with or without
/// the mutation that was under way; nothing at all is right too where a power cut, or something owed, has taken the proof away.
///
/// The last calls, which make the store clean, are cut at every byte; in the padding of a slot, which is all zeros, at every 64th. All
/// bytes, and more seeds, where the environment variable DISKCACHE_TEST_SWEEP is <c>full</c>.
/// </summary>
public sealed class CrashSweepTests
{
    private const int LastCalls = 8;

    private readonly ConcurrentQueue<string> _violations = new();

    public static TheoryData<int> Seeds => [.. Enumerable.Range(1, SweepCase.IsFull ? 20 : 1)];

    [Theory]
    [MemberData(nameof(Seeds))]
    public async Task A_process_killed_after_any_call_leaves_all_that_it_acknowledged_and_does_not_owe(int seed)
    {
        using var recording = await CrashRecording.TakeAsync(seed);
        int end = recording.Writes.Changes.Count;
        await SweepAsync(recording, recording.Moments.Select(moment => new Crash(moment, root => recording.Writes.ImageAfter(moment.Changes).WriteTo(root))
        {
            Name = $"seed {seed}, killed after call {moment.Changes} of {end}, {moment.Stage}",
            MustBeThere = moment.IsVouchedFor || moment.Changes == 0 || moment.Changes == end,
        }));
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public async Task A_process_killed_in_the_middle_of_any_of_the_last_writes_leaves_all_that_it_acknowledged(int seed)
    {
        using var recording = await CrashRecording.TakeAsync(seed);
        var changes = recording.Writes.Changes;
        var crashes =
            from call in Enumerable.Range(changes.Count - LastCalls, LastCalls)
            let moment = recording.Moments.Last(moment => moment.Changes == call)
            from bytes in Enumerable.Range(1, recording.Writes.BytesAfter(call))
            where SweepCase.IsFull || bytes % 4096 < 128 || bytes % 4096 > 4080 || bytes % 64 == 0
            select new Crash(moment, root => recording.Writes.ImageAfter(call, bytes).WriteTo(root))
            {
                Name = $"seed {seed}, killed after {bytes} bytes of call {call + 1} ({changes[call]})",
                MustBeThere = !changes[call].Path.EndsWith("superblock", StringComparison.Ordinal),
            };
        await SweepAsync(recording, crashes);
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public async Task A_power_cut_after_any_call_leaves_the_truth_or_nothing(int seed)
    {
        using var recording = await CrashRecording.TakeAsync(seed);
        var crashes =
            from moment in recording.Moments
            from kept in SweepCase.IsFull ? Enumerable.Range(0, 8) : [0, moment.Changes]
            select new Crash(moment, root => AfterPowerCut(recording, moment, kept).WriteTo(root))
            {
                Name = $"seed {seed}, power cut {kept} after call {moment.Changes}, {moment.Stage}",
                BootId = Guid.NewGuid(),
            };
        await SweepAsync(recording, crashes);
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public async Task A_store_that_was_closed_is_all_there_after_a_power_cut(int seed)
    {
        using var recording = await CrashRecording.TakeAsync(seed);
        var last = recording.Moments[^1];
        await SweepAsync(recording, Enumerable.Range(0, 8).Select(kept => new Crash(last, root => AfterPowerCut(recording, last, kept).WriteTo(root))
        {
            Name = $"seed {seed}, power cut {kept} after the close",
            BootId = Guid.NewGuid(),
            MustBeThere = true,
        }));
    }

    private static DiskImage AfterPowerCut(CrashRecording recording, CrashMoment moment, int kept)
    {
        using var unsynced = recording.Writes.UnsyncedAfter(moment.Changes);
        return kept == 0 ? unsynced.AfterPowerCut() : unsynced.AfterPowerCut(seed: kept);
    }

    private async Task SweepAsync(CrashRecording recording, IEnumerable<Crash> crashes)
    {
        int count = 0;
        await Parallel.ForEachAsync(crashes, new ParallelOptions { MaxDegreeOfParallelism = 2 }, async (crash, _) =>
        {
            Interlocked.Increment(ref count);
            try
            {
                foreach (string violation in (await crash.CheckAsync()).Violations)
                {
                    _violations.Enqueue(violation);
                }
            }
            catch (Exception exception)
            {
                _violations.Enqueue($"{crash.Name}: threw {exception}");
            }
        });
        Assert.True(count > 0 && recording.Writes.Changes.Count > LastCalls);
        Assert.True(
            _violations.IsEmpty, $"{_violations.Count} violations in {count} crashes:\n" + string.Join('\n', _violations.Order().Take(40)));
    }
}
