using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Scenarios.Sweeps;

/// <summary>What there was, outside the folder of the store, when so many changes had been made in it.</summary>
internal sealed record CrashMoment(
    int Changes, byte[]? Witness, bool IsRevoked, Truth Acknowledged, Truth Coming, DateTimeOffset Now, string Stage)
{
    /// <summary>Whether something vouches for the store, so that a killed process leaves all that it has acknowledged.</summary>
    public bool IsVouchedFor => Witness is { Length: > 0 } && !IsRevoked;

    /// <summary>
    /// Where the process had found what another crash had left: that one's moment. It knows nothing of what was acknowledged then.
    /// </summary>
    public CrashMoment? Before { get; init; }

    /// <summary>The keys that this process has changed, and acknowledged that, when it has found what another crash had left.</summary>
    public IReadOnlyList<string> Changed { get; init; } = [];

    /// <summary>What is wrong with what the next process reads; null when nothing is.</summary>
    public string? Judge(string key, byte[]? found, long now, bool mustBeThere)
    {
        Truth[] possible = Before is null || Changed.Contains(key, StringComparer.Ordinal)
            ? [Acknowledged, Coming]
            : Changing == key ? [Coming, Before.Acknowledged, Before.Coming] : [Before.Acknowledged, Before.Coming];
        string?[] judgements = Array.ConvertAll(possible, truth => truth.Judge(key, found, now, mustBeThere));
        return judgements.Contains(null) ? null : judgements[0];
    }

    /// <summary>The key that this process is changing, when it has found what another crash had left.</summary>
    public string? Changing { get; init; }
}

/// <summary>
/// The life of a process, call by call: it opens a store that was closed, works, fails once to write and once to sync, is away from its disk
/// for a while, recovers and closes. Before every change on disk, and when a mutation is acknowledged, is noted what the callers know by then
/// and what the folder of witnesses holds.
/// </summary>
internal sealed class CrashRecording : IDisposable
{
    /// <summary>The stage at which a store that owed something is brought back and trusted again.</summary>
    public const string Trusting = "trust";

    private const FileOperation Changing = FileOperation.Open | FileOperation.Write | FileOperation.SetLength | FileOperation.Flush
        | FileOperation.Move | FileOperation.Delete | FileOperation.CreateDirectory | FileOperation.DeleteDirectory;

    private readonly SweepDisk _disk = new();
    private readonly TestClock _time = new();
    private readonly List<CrashMoment> _moments = [];
    private WriteRecording? _recording;
    private CrashMoment? _before;
    private IReadOnlyList<string> _changed = [];
    private string? _changing;

    /// <summary>Whether the process had to find all that was acknowledged before it.</summary>
    public bool MustBeThere { get; private set; } = true;

    /// <summary>What the process had found, where that was no store that was closed in order.</summary>
    public string Found { get; private set; } = "";

    /// <summary>Which run of the operating system the process was in; null for the true one.</summary>
    public Guid? BootId { get; private set; }

    /// <summary>The segment of which a sync failed while it was written; null for none. What the system lost of it has to cost nothing.</summary>
    public string? LostSegment { get; private set; }

    public WriteRecording Writes => _recording!;

    /// <summary>In order; those between which nothing differs are one.</summary>
    public IReadOnlyList<CrashMoment> Moments => _moments;

    public static async Task<CrashRecording> TakeAsync(int seed)
    {
        var recording = new CrashRecording();
        await recording.RecordAsync(seed);
        return recording;
    }

    /// <summary>The life of the process that finds what a crash has left: it opens the store, changes two keys, and closes.</summary>
    public static async Task<CrashRecording> TakeAfterAsync(Crash crash)
    {
        var recording = new CrashRecording();
        await recording.RecordAsync(crash);
        return recording;
    }

    /// <summary>Makes the folder of witnesses hold what was there at a moment.</summary>
    public static void PutWitness(string root, CrashMoment moment)
    {
        Put(SweepDisk.WitnessOf(root), moment.Witness);
        Array.ForEach(SweepDisk.RevocationsOf(root), File.Delete);
        Put(SweepDisk.RevocationOf(root), moment.IsRevoked ? [] : null);
    }

    public void Dispose()
    {
        _recording?.Dispose();
        _disk.Dispose();
    }

    private static void Put(string path, byte[]? content)
    {
        File.Delete(path);
        if (content is not null)
        {
            File.WriteAllBytes(path, content);
        }
    }

    private async Task RecordAsync(int seed)
    {
        string root = _disk.NewRoot();
        await using var first = new SweepProcess(root, _time);
        await first.StartAsync();
        await SweepWorkload.RunAsync(first, seed + 100, steps: 20);
        await first.DisposeAsync();

        await using var process = new SweepProcess(root, _time, before: first);
        Follow(process);
        await process.StartAsync();
        await SweepWorkload.RunAsync(process, seed, steps: 30);
        await OweAndTrustAsync(process);
        await LoseDiskAsync(process, seed);
        process.Stage = "close";
        await process.DisposeAsync();
        Note(process);
        Assert.Empty(process.Violations);
    }

    private async Task RecordAsync(Crash crash)
    {
        string root = _disk.NewRoot();
        crash.Put(root);
        MustBeThere = crash.IsAllThere(root);
        (_before, BootId, Found) = (crash.Moment, crash.BootId, crash.Name);
        _time.SetUtcNow(crash.Moment.Now);
        await using var process = new SweepProcess(root, _time);
        crash.Restart(process);
        Follow(process);
        process.Stage = "recovering";
        await process.StartAsync();
        await ChangeAsync("key 1", () => process.SetAsync("key 1", 600, ["tag 1"]), process);
        await ChangeAsync("key 2", () => process.RemoveAsync("key 2"), process);
        await process.HeartbeatAsync();
        process.Stage = "close";
        await process.DisposeAsync();
        Note(process);
    }

    private async Task ChangeAsync(string key, Func<Task> change, SweepProcess process)
    {
        _changing = key;
        process.Stage = $"changes {key}";
        await change();
        (_changed, _changing) = ([.. _changed, key], null);
        Note(process);
    }

    private void Follow(SweepProcess process)
    {
        _recording = process.Files.RecordWrites(process.Root);
        process.Files.Watch(Changing, _ => Note(process), process.InRoot);
        process.Files.Watch(Changing, _ => Note(process), SweepDisk.ElsewhereOf(process.Root));
        process.Acknowledged += () => Note(process);
        Note(process);
    }

    private async Task OweAndTrustAsync(SweepProcess process)
    {
        process.Files.Fail(FileOperation.Write, ".seg", times: 1);
        process.Stage = "after a failed write";
        await process.SetAsync("key 1", 700);

        // Too early: it is still owed.
        await process.TrustAsync();
        process.Stage = Trusting;

        // The segment that the failed write leaves is followed by one of which the first sync fails, as soon as nothing is owed.
        string left = Directory.EnumerateFiles(process.Root, "*.seg", SearchOption.AllDirectories).Max(StringComparer.Ordinal)!;
        LostSegment = SegmentName.Following(left);
        process.Files.Fail(FileOperation.Flush, LostSegment, times: 1);
        await process.RemoveAsync("key 2");
        await process.SetAsync("key 6", 400);
        await process.SetAsync("key 8", 400);
        await process.HeartbeatAsync();
        await process.TrustAsync();
        await process.TrustAsync();
        process.Stage = "trusted again";
        await process.SetAsync("key 2", 300, ["tag 1"]);
    }

    private static async Task LoseDiskAsync(SweepProcess process, int seed)
    {
        var fault = process.Files.Fail(FileOperation.Any, process.InRoot, error: DiskError.ReadOnlyFileSystem);
        await SweepWorkload.RunAsync(process, seed + 1, steps: 8);
        process.Stage = "away";
        await process.EvictAsync("tag 1");
        await process.SetAsync("key 3", 900);
        fault.Heal();
        process.Wait();
        process.Stage = Trusting;
        await process.HeartbeatAsync();
        await process.RecoverAsync();
        await process.TrustAsync();

        // Once more, where the sync of a segment had failed meanwhile, which is retired only now.
        await process.TrustAsync();
        process.Stage = "after the recovery";
        await process.SetAsync("key 4", 500);
        await process.RemoveAsync("key 5");
    }

    private void Note(SweepProcess process)
    {
        lock (_moments)
        {
            // Lanes note their calls while a caller is told something: what belongs to different moments is looked at again.
            CrashMoment moment;
            do
            {
                moment = Look(process);
            }
            while (moment.Changes != Writes.Changes.Count || moment.Acknowledged != process.Truth || moment.Coming != process.Coming);
            if (_moments is not [.., var last] || !IsSame(last, moment))
            {
                _moments.Add(moment);
            }
        }
    }

    private CrashMoment Look(SweepProcess process)
    {
        // The witness last: it goes before what is owed is acknowledged. Looked at first, it could still be there beside an acknowledgement that came meanwhile.
        var (changes, acknowledged, coming) = (Writes.Changes.Count, process.Truth, process.Coming);
        bool isRevoked = SweepDisk.RevocationsOf(process.Root).Length > 0;
        byte[]? witness = ReadIfThere(SweepDisk.WitnessOf(process.Root));
        return new CrashMoment(changes, witness, isRevoked, acknowledged, coming, _time.GetUtcNow(), process.Stage)
        {
            Before = _before,
            Changed = _changed,
            Changing = _changing,
        };
    }

    private static bool IsSame(CrashMoment one, CrashMoment other) =>
        one.Changes == other.Changes
        && one.Acknowledged == other.Acknowledged
        && one.Coming == other.Coming
        && one.Changed == other.Changed
        && one.Witness.AsSpan().SequenceEqual(other.Witness)
        && one.IsRevoked == other.IsRevoked;

    private static byte[]? ReadIfThere(string path)
    {
        try
        {
            return File.ReadAllBytes(path);
        }
        catch (FileNotFoundException)
        {
            return null;
        }
    }
}
