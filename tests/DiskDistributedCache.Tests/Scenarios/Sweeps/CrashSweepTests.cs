using System.Collections.Concurrent;
using DiskDistributedCache.Storage;
using DiskDistributedCache.Tests.Infrastructure;
using DiskDistributedCache.Tests.Storage;

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
        await SweepAsync(recording, recording.Moments.Select(moment => new Crash(moment, () => recording.Writes.ImageAfter(moment.Changes))
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
            select new Crash(moment, () => recording.Writes.ImageAfter(call, bytes))
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
            select new Crash(moment, () => AfterPowerCut(recording, moment, kept))
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
        await SweepAsync(recording, Enumerable.Range(0, 8).Select(kept => new Crash(last, () => AfterPowerCut(recording, last, kept))
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
                await CheckAsync(crash);
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

    private async Task CheckAsync(Crash crash)
    {
        using var disk = new SweepDisk();
        string root = disk.NewRoot();
        CrashRecording.Put(root, crash.Take(), crash.Moment);
        bool mustBeThere = crash.MustBeThere && !(crash.Moment.Stage == CrashRecording.Trusting && IsSuspect(root));
        await using var next = new SweepProcess(root, StoreHistory.TimeAt(crash.Moment.Now));
        if (crash.BootId is { } bootId)
        {
            next.Files.OverrideText("/proc/sys/kernel/random/boot_id", bootId.ToString());
        }

        await next.StartAsync();
        foreach (string key in SweepProcess.Keys)
        {
            byte[]? found = await next.FindAsync(key);
            long now = next.Cache.Clock.NowTicks;
            if (crash.Moment.Acknowledged.Judge(key, found, now, mustBeThere) is { } violation
                && crash.Moment.Coming.Judge(key, found, now, mustBeThere) is not null)
            {
                _violations.Enqueue($"{crash.Name}: {violation}");
            }
        }

        await next.SetAsync("newer", 500);
        if (await next.FindAsync("newer") is null || next.Cache.GetStatus().Mode != DiskCacheMode.Normal)
        {
            _violations.Enqueue($"{crash.Name}: the next process does not work: {next.Cache.GetStatus().Reason}");
        }
    }

    /// <summary>While trust comes back the proof of health is there before the flag is gone.</summary>
    private static bool IsSuspect(string root)
    {
        byte[] bytes = File.ReadAllBytes(Path.Combine(root, "diskcache-v1", "superblock"));
        return Enumerable.Range(0, Superblock.SlotCount).Any(slot =>
            Superblock.TryRead(bytes.AsSpan(slot * Superblock.SlotBytes, Superblock.SlotBytes), slot) is { IsSuspect: true });
    }

    /// <summary>One end of a process, or of the power.</summary>
    private sealed record Crash(CrashMoment Moment, Func<DiskImage> Take)
    {
        public required string Name { get; init; }

        public bool MustBeThere { get; init; }

        /// <summary>Which run of the operating system comes next; null for the same one.</summary>
        public Guid? BootId { get; init; }
    }
}
