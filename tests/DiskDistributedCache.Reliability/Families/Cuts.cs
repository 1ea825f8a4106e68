using System.Collections.Concurrent;
using DiskDistributedCache.Reliability.Harness;
using DiskDistributedCache.Tests.Infrastructure;
using DiskDistributedCache.Tests.Scenarios.Sweeps;

namespace DiskDistributedCache.Reliability.Families;

/// <summary>
/// What a killed process or a power cut leaves, made from the recorded writes of processes that open, work, owe, lose their disk, recover and
/// close: after any call, in the middle of any write, and while the next process recovers from such an end; and after a power cut any part
/// of what was not synced, in calls, in sectors, with and without the names and lengths.
/// </summary>
internal sealed class Cuts : Family
{
    private const int ImagesOfRecording = 200;
    private const int SecondLives = 4;

    private readonly ConcurrentDictionary<(int Recording, int SecondLife), Lazy<Task<CrashRecording>>> _recordings = new();

    public override string Name => "cuts";

    public override string What => "crash and power-cut images from recorded writes, also of recoveries; opened, read and used";

    public override string Unit => "images";

    public override Counts Counts => new(600, 50_000, 300_000);

    public override double CaseMilliseconds => 5;

    public override async Task RunAsync(FamilyRun run)
    {
        var tally = new Tally();
        await run.ForEachCaseAsync(async one =>
        {
            var random = one.NewRandom();
            int number = (run.Seed * 1000) + (one.Number / ImagesOfRecording);
            var first = await RecordingAsync(number, secondLife: 0, () => CrashRecording.TakeAsync(number));
            var (kind, crash) = random.Next(100) switch
            {
                < 80 => Draw(first, random),
                _ => Draw(await SecondAsync(first, number, 1 + random.Next(SecondLives)), random, "its recovery: "),
            };
            var result = await crash.CheckAsync();
            tally.Count(kind, ("where all had to be there", result.MustBeThere ? 1 : 0), ("keys served", result.HitCount));
            if (result.Violations.Count > 0)
            {
                one.Violate($"recording {number}: {string.Join("; ", result.Violations)}", folder =>
                {
                    crash.Write(folder);
                    first.Writes.ImageAfter(first.Writes.Changes.Count).WriteTo(Path.Combine(folder, "closed"));
                });
            }

            Forget(number - 2);
        });
        run.Note(tally.ToString("end", "images"));
        run.Note($"\n{ImagesOfRecording} images, {SecondLives + 1} recordings of each workload seed.");
    }

    /// <summary>A process that finds what a crash has left, also recorded.</summary>
    private Task<CrashRecording> SecondAsync(CrashRecording first, int number, int secondLife)
    {
        var (_, crash) = Draw(first, new Random((number * SecondLives) + secondLife));
        return RecordingAsync(number, secondLife, () => CrashRecording.TakeAfterAsync(crash));
    }

    private Task<CrashRecording> RecordingAsync(int number, int secondLife, Func<Task<CrashRecording>> take) =>
        _recordings.GetOrAdd((number, secondLife), _ => new Lazy<Task<CrashRecording>>(take)).Value;

    private void Forget(int number)
    {
        for (int life = 0; life <= SecondLives; life++)
        {
            if (_recordings.TryRemove((number, life), out var old) && old.Value.IsCompletedSuccessfully)
            {
                old.Value.Result.Dispose();
            }
        }
    }

    private static (string Kind, Crash Crash) Draw(CrashRecording recording, Random random, string prefix = "")
    {
        var moments = recording.Moments;

        // The beginning and the end, where a store is and becomes clean, as often as all that is between; and often what was closed.
        int which = random.Next(8) switch
        {
            0 or 1 => random.Next(Math.Min(15, moments.Count)),
            2 => moments.Count - 1 - random.Next(Math.Min(15, moments.Count)),
            3 => moments.Count - 1,
            _ => random.Next(moments.Count),
        };
        var moment = moments[which];
        int bytes = recording.Writes.BytesAfter(moment.Changes);
        int end = recording.Writes.Changes.Count;
        int kind = random.Next(100);
        if (kind < 30 && bytes > 0)
        {
            return (prefix + "killed in the middle of a write", InTheMiddle(recording, moment, random.Next(1, bytes + 1)));
        }

        if (kind < 65)
        {
            return (prefix + "killed after a call", new Crash(moment, root => recording.Writes.ImageAfter(moment.Changes).WriteTo(root))
            {
                Name = $"{recording.Found}{prefix}killed after call {moment.Changes} of {end}, {moment.Stage}",
                MustBeThere = recording.MustBeThere && (moment.IsVouchedFor || (moment.Changes == 0 && recording.Found.Length == 0) || moment.Changes == end),
                BootId = recording.BootId,
            });
        }

        int seed = random.Next();
        var (name, image) = PowerCuts.All[random.Next(PowerCuts.All.Count)];
        return ($"{prefix}power cut, {name}", new Crash(moment, root => image(recording.Writes, moment.Changes, seed).WriteTo(root))
        {
            Name = $"{recording.Found}{prefix}power cut, {name}, {seed}, after call {moment.Changes} of {end}, {moment.Stage}",
            BootId = Guid.NewGuid(),
            MustBeThere = recording.MustBeThere && moment == moments[^1] && moment.Changes == end && !HasUnsyncedSegment(recording) && name != PowerCuts.NamesLost,
        });
    }

    /// <summary>
    /// Whether a sealed segment of which a sync has failed was left when the store was closed. What mattered in it is elsewhere, but when the
    /// power takes it away too, the store has a hole. One that was not sealed yet has its facts in its successor, and costs nothing.
    /// </summary>
    private static bool HasUnsyncedSegment(CrashRecording recording)
    {
        using var unsynced = recording.Writes.UnsyncedAfter(recording.Writes.Changes.Count);
        return unsynced.Changes.Any(change => change.Operation == FileOperation.Write
            && change.Path != recording.LostSegment
            && change.Path.EndsWith(".seg", StringComparison.Ordinal));
    }

    private static Crash InTheMiddle(CrashRecording recording, CrashMoment moment, int bytes)
    {
        // The write has begun: its mutation is coming, whatever was noted before at the same place.
        var write = recording.Writes.Changes[moment.Changes];
        moment = recording.Moments.Last(other => other.Changes == moment.Changes);
        return new Crash(moment, root => recording.Writes.ImageAfter(moment.Changes, bytes).WriteTo(root))
        {
            Name = $"{recording.Found}; killed after {bytes} bytes of call {moment.Changes + 1} ({write}), {moment.Stage}",
            BootId = recording.BootId,
            MustBeThere = recording.MustBeThere && moment.IsVouchedFor && !write.Path.EndsWith("superblock", StringComparison.Ordinal),
        };
    }
}

/// <summary>What a power cut leaves of what was written.</summary>
internal static class PowerCuts
{
    public const string NamesLost = "names lost";

    public static IReadOnlyList<(string Name, Func<WriteRecording, int, int, StoreImage> Image)> All { get; } =
    [
        ("nothing unsynced is left", (writes, changes, _) => After(writes, changes, _ => false)),
        ("any of the calls", (writes, changes, seed) => After(writes, changes, Coin(seed))),
        ("any of the calls", (writes, changes, seed) => After(writes, changes, Coin(seed))),
        ("zeros instead of contents", (writes, changes, _) => After(writes, changes, change => change.Operation != FileOperation.Write)),
        ("lengths lost", (writes, changes, _) => After(writes, changes, change => change.Operation != FileOperation.SetLength)),
        ("torn in sectors of 512 bytes", (writes, changes, seed) => Torn(writes, changes, 512, seed)),
        ("torn in sectors of 4 KiB", (writes, changes, seed) => Torn(writes, changes, 4096, seed)),
        (NamesLost, (writes, changes, seed) => After(writes, changes, Coin(seed), areNamesDurableAtOnce: false)),
        (NamesLost, (writes, changes, _) => After(writes, changes, _ => false, areNamesDurableAtOnce: false)),
    ];

    private static Func<DiskChange, bool> Coin(int seed)
    {
        var random = new Random(seed);
        return _ => random.Next(2) == 0;
    }

    private static StoreImage After(WriteRecording writes, int changes, Func<DiskChange, bool> keeps, bool areNamesDurableAtOnce = true)
    {
        using var unsynced = writes.UnsyncedAfter(changes, areNamesDurableAtOnce);
        return StoreImage.Of(unsynced.AfterPowerCut(keeps));
    }

    /// <summary>The lengths of one image with any of the calls, and each sector as it is in that one, with no call, or with all.</summary>
    private static StoreImage Torn(WriteRecording writes, int changes, int sectorBytes, int seed) => After(writes, changes, Coin(seed))
        .MixedWith([After(writes, changes, _ => false), After(writes, changes, _ => true)], sectorBytes, new Random(seed));
}
