using System.Globalization;
using DiskDistributedCache.Tests.Infrastructure;
using DiskDistributedCache.Tests.Scenarios.Sweeps;
using Microsoft.Extensions.Caching.Distributed;

namespace DiskDistributedCache.Tests.Scenarios.Models;

/// <summary>What a run of a sequence has found.</summary>
/// <param name="Violations">What was wrong.</param>
/// <param name="LiveReads">Reads of keys that had a value which had surely not expired.</param>
/// <param name="Hits">How many of them got it.</param>
/// <param name="MustHits">How many of the reads had to.</param>
/// <param name="LateReads">Reads that the disk held back while something changed.</param>
internal sealed record ModelResult(IReadOnlyList<string> Violations, int LiveReads, int Hits, int MustHits, int LateReads);

/// <summary>
/// Runs a sequence: one process after another over a folder, with what their callers have been told, and a clock whose wall clock
/// may jump. Ends with the disk healed and two more processes, of which each has to have what the one before had.
/// </summary>
internal sealed class ModelRun : IDisposable
{
    private const int MaxViolations = 10;

    private static readonly string[] s_tags = ["red", "grün", "\ud800", "\ud801"];

    private readonly SweepDisk _disk = new();
    private readonly List<string> _violations = [];
    private int _liveReads;
    private int _hits;
    private int _mustHits;
    private string _step = "";
    private bool _isStoreStruck;
    private bool _isElsewhereStruck;

    private ModelRun(ModelSettings settings)
    {
        Settings = settings;
        Protector = settings.IsProtected ? new TestProtector() : null;
        Process = new ModelProcess(this, _disk.NewRoot(), []);
    }

    /// <summary>An empty one, two that a wrong encoding takes for the same, one that is retained, and others.</summary>
    public static IReadOnlyList<string> Keys { get; } = ["a", "b", "c", "", "\ud800 lone", "\ud801 lone", "kept 1", "kept 2"];

    public ModelSettings Settings { get; }

    public TestProtector? Protector { get; }

    public TestClock Time { get; } = new();

    /// <summary>The latest time that any of the processes has seen: what had expired by then was dropped, also for a later one whose clock knows less.</summary>
    public long LatestTicks { get; private set; }

    /// <summary>What has been acknowledged.</summary>
    public Truth Truth { get; set; } = Truth.Nothing;

    /// <summary>The tags that were evicted, in order; null where everything was cleared.</summary>
    public List<string?> Evictions { get; } = [];

    public int LateReads { get; set; }

    private ModelProcess Process { get; set; }

    public bool IsRetained(string key) => Settings.Retains && key.StartsWith("kept", StringComparison.Ordinal);

    /// <param name="sequence">What happens.</param>
    /// <param name="whenWrong">Called with what went wrong, and the disk as the last process has left it, while it is still there.</param>
    public static async Task<ModelResult> RunAsync(ModelSequence sequence, Func<IReadOnlyList<string>, SweepDisk, Task>? whenWrong = null)
    {
        using var run = new ModelRun(sequence.Settings);
        try
        {
            await run.Process.StartAsync();
            for (int i = 0; i < sequence.Steps.Count && run._violations.Count == 0; i++)
            {
                run._step = string.Create(CultureInfo.InvariantCulture, $"step {i + 1}, {sequence.Steps[i]}");
                await run.StepAsync(sequence.Steps[i]);
            }

            await run.EndAsync();
        }
        catch (Exception exception)
        {
            run.Violate($"threw {exception}");
        }
        finally
        {
            run.Process.Files.Heal();
            await run.Process.DisposeAsync();
        }

        if (run._violations.Count > 0 && whenWrong is not null)
        {
            await whenWrong(run._violations, run._disk);
        }

        return new ModelResult(run._violations, run._liveReads, run._hits, run._mustHits, run.LateReads);
    }

    /// <summary>A process has seen this time.</summary>
    public void Saw(long ticks) => LatestTicks = Math.Max(LatestTicks, ticks);

    public void Violate(string what)
    {
        if (_violations.Count < MaxViolations)
        {
            _violations.Add($"{_step}: {what}");
        }
    }

    public void Count(bool isSurelyAlive, bool isHit, bool mustBeThere)
    {
        _liveReads += isSurelyAlive ? 1 : 0;
        _hits += isSurelyAlive && isHit ? 1 : 0;
        _mustHits += isSurelyAlive && mustBeThere ? 1 : 0;
    }

    public void Dispose() => _disk.Dispose();

    private Task StepAsync(ModelStep step)
    {
        string key = Keys[step.Key];
        return step.Act switch
        {
            ModelAct.Get => Process.GetAsync(key, 3 * (step.Number % 2)),
            ModelAct.TryGet => Process.GetAsync(key, 1 + (step.Number % 2)),
            ModelAct.GetMany => Process.GetManyAsync([.. KeysFrom(step)]),
            ModelAct.GetLate => Process.GetLateAsync(key, () => ChangeAsync(step)),
            ModelAct.GetLater => GetLaterAsync(step),
            ModelAct.SetLate => Process.SetLateAsync(key, LengthOf(step), TagsOf(step), () => ChangeAsync(step)),
            ModelAct.TurnOver => TurnOverAsync(step),
            ModelAct.List => Process.ListAsync(),
            ModelAct.Refresh => Process.RefreshAsync(key, step.Number % 2 == 0),
            ModelAct.Remove => Process.RemoveAsync(key, step.Number % 2 == 0),
            ModelAct.Evict => Process.EvictAsync(TagOf(step)),
            ModelAct.Clear => Process.ClearAsync(),
            ModelAct.SetMany => Process.SetManyAsync([.. KeysFrom(step).Where(one => !IsRetained(one))], LengthOf(step), [TagOf(step)], OptionsOf(step)),
            ModelAct.TakeTicket => TakeTicket(),
            ModelAct.SetWithTicket => Process.SetWithTicketAsync(key, LengthOf(step), TagsOf(step), step.Number),
            ModelAct.SetTooLarge => Process.SetTooLargeAsync(key),
            ModelAct.Set or ModelAct.SetForever or ModelAct.SetUntil or ModelAct.SetSliding => SetAsync(step),
            _ => HappenAsync(step),
        };
    }

    private async Task HappenAsync(ModelStep step)
    {
        switch (step.Act)
        {
            case ModelAct.Advance:
                Time.Advance(TimeSpan.FromSeconds(step.Number % 3 == 0 ? step.Number / 10 : step.Number % 60));
                break;
            case ModelAct.SetWallClock:
                Time.WallClockError += TimeSpan.FromSeconds((step.Number % 1000) - 600);
                break;
            case ModelAct.Close:
                await CloseAsync();
                break;
            case ModelAct.Kill:
                await KillAsync();
                break;
            case ModelAct.KillWhenTrusted:
                await Process.StepAsync(ModelAct.Drain);
                await Process.StepAsync(ModelAct.Trust);
                await KillAsync();
                break;
            case ModelAct.GoBack:
                await GoBackAsync(step.Number);
                break;
            case ModelAct.Fail:
                Fail(step);
                break;
            case ModelAct.Heal:
                await HealAsync();
                break;
            default:
                await Process.StepAsync(step.Act);
                break;
        }
    }

    /// <summary>The end of every run: well again, closed, and killed.</summary>
    private async Task EndAsync()
    {
        _step = "at the end, healed";
        await HealAsync();
        await Process.CheckAsync();
        _step = "at the end, closed";
        await CloseAsync();
        await Process.CheckAsync();
        await Process.ListAsync();
        _step = "at the end, killed";
        await Process.StepAsync(ModelAct.Trust);
        await KillAsync();
        await Process.CheckAsync();
    }

    private Task SetAsync(ModelStep step)
    {
        var options = step.Act switch
        {
            ModelAct.Set => OptionsOf(step),
            ModelAct.SetUntil => new DistributedCacheEntryOptions { AbsoluteExpiration = Time.GetUtcNow() + TimeSpan.FromSeconds(1 + (step.Number % 400)) },
            ModelAct.SetSliding => new DistributedCacheEntryOptions
            {
                SlidingExpiration = TimeSpan.FromSeconds(10 + (step.Number % 100)),
                AbsoluteExpirationRelativeToNow = step.Number % 5 == 0 ? TimeSpan.FromSeconds(200) : null,
            },
            _ => new DistributedCacheEntryOptions(),
        };
        return Process.SetAsync(Keys[step.Key], LengthOf(step), TagsOf(step), options, step.Number % 3);
    }

    private Task GetLaterAsync(ModelStep step)
    {
        Time.Advance(TimeSpan.FromSeconds(1 + (step.Number % 20)));
        return Process.GetAsync(Keys[step.Key], step.Number % 4);
    }

    /// <summary>
    /// Values of which each has a segment of its own, and memory has none, until most of the log is new. What goes is one value that was read,
    /// and has to be brought along, and one that is newer, and has to be where it is retained.
    /// </summary>
    private async Task TurnOverAsync(ModelStep step)
    {
        const string LargeKey = "c";
        const int LargeBytes = 95_000;
        if (Settings.IsRoomy)
        {
            return;
        }

        string read = Keys[step.Key is 2 or > 5 ? 1 : step.Key];
        await Process.SetAsync(read, 300, [], new DistributedCacheEntryOptions(), form: 2);
        await Process.SetAsync(Keys[6 + (step.Number % 2)], 200, [], new DistributedCacheEntryOptions(), form: 2);
        await Process.GetAsync(read, form: 3);
        for (int i = 0; i < 10 + (step.Number % 4); i++)
        {
            await Process.SetAsync(LargeKey, LargeBytes, [], new DistributedCacheEntryOptions(), form: 2);
        }
    }

    private Task ChangeAsync(ModelStep step) => (step.Number % 5) switch
    {
        0 => Process.RemoveAsync(Keys[step.Key], isSync: false),
        1 => Process.EvictAsync(TagOf(step)),
        2 => Process.ClearAsync(),
        _ => Process.SetAsync(Keys[step.Key], LengthOf(step), TagsOf(step), new DistributedCacheEntryOptions(), form: 2),
    };

    private Task TakeTicket()
    {
        Process.Tickets.Add((Process.Cache.TakeTicket(), Evictions.Count));
        return Task.CompletedTask;
    }

    private void Fail(ModelStep step)
    {
        var files = Process.Files;
        int skip = step.Key;
        int times = (step.Number % 3) switch { 0 => 1, 1 => 4, _ => int.MaxValue };
        int kind = step.Number / 3 % (SweepFault.All.Count + 8);
        bool loses = true;
        bool isElsewhere = kind < SweepFault.All.Count && step.Number % 7 == 0;
        _isElsewhereStruck |= isElsewhere;
        _isStoreStruck |= !isElsewhere;
        if (kind < SweepFault.All.Count)
        {
            var fault = SweepFault.All[kind];
            fault.Plan(files, isElsewhere ? SweepDisk.ElsewhereOf(Process.Root) : Process.Root + Path.DirectorySeparatorChar, skip, times);
            loses = fault.IsFullDisk;
        }
        else if (kind == SweepFault.All.Count)
        {
            files.FreeBytes = step.Number * 10;
        }
        else if (kind == SweepFault.All.Count + 1)
        {
            files.FlipReads(step.Number, TierScene.Segments, skip, times);
        }
        else if (kind == SweepFault.All.Count + 2)
        {
            files.FlipWrites(step.Number, TierScene.Segments, skip, times);
        }
        else if (kind == SweepFault.All.Count + 3)
        {
            files.Drop(FileOperation.Flush, skip: skip, times: times);
        }
        else if (kind == SweepFault.All.Count + 4)
        {
            Protector?.Away = () => new IOException("The key ring is away.");
        }
        else
        {
            Rot(step.Number);
        }

        Process.Strike(loses);
    }

    /// <summary>
    /// Where neither the store nor the folder of witnesses can be written, nothing is left that could say so to the next process: no process
    /// ends before one of them is well again.
    /// </summary>
    private async Task HealBeforeEndAsync()
    {
        if (_isStoreStruck && _isElsewhereStruck)
        {
            await HealAsync();
        }
    }

    private async Task HealAsync()
    {
        await Process.HealAsync();
        _isStoreStruck = _isElsewhereStruck = false;
    }

    /// <summary>A bit of a segment is not what it was, somewhere among the records or in the footer.</summary>
    private void Rot(int number)
    {
        string[] segments = [.. Directory.EnumerateFiles(Process.Root, "*" + TierScene.Segments, SearchOption.AllDirectories).Order(StringComparer.Ordinal)];
        if (segments.Length == 0)
        {
            return;
        }

        try
        {
            Rot(segments[number % segments.Length], number);
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            // What an older store has left is erased in the background.
        }
    }

    private static void Rot(string segment, int number)
    {
        using var file = File.OpenHandle(segment, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        byte[] bytes = new byte[RandomAccess.GetLength(file)];
        int usedBytes = bytes.AsSpan(0, RandomAccess.Read(file, bytes, 0)).LastIndexOfAnyExcept((byte)0) + 1;
        if (usedBytes > 0)
        {
            int at = (int)((long)number * usedBytes / (ModelStep.MaxNumber + 1));
            bytes[at] ^= (byte)(1 << (number % 8));
            RandomAccess.Write(file, bytes.AsSpan(at, 1), at);
        }
    }

    /// <summary>
    /// The store has seen the time, and then the wall clock is set back, by less than the hour that costs everything: the next process goes on
    /// from the time that the store has seen. Later the wall clock is set right.
    /// </summary>
    private async Task GoBackAsync(int number)
    {
        var back = TimeSpan.FromSeconds(1 + (number % 3000));
        await Process.StepAsync(ModelAct.Heartbeat);
        Time.WallClockError -= back;
        await (number % 2 == 0 ? CloseAsync() : KillAsync());
        await Process.CheckAsync();
        Time.WallClockError += back;
    }

    /// <summary>Closed with a fault it may hold the folder a little longer: the next one gets a copy.</summary>
    private async Task CloseAsync()
    {
        await HealBeforeEndAsync();
        var closed = Process;
        string[] kept = KeptInOrder();
        long now = closed.Cache.Clock.NowTicks;
        Saw(now);
        bool isInOrder = closed is { IsStruck: false, IsBack: true };
        await closed.DisposeAsync();
        Truth = isInOrder ? Truth.Bury(now) : Truth;
        await GoOnAsync(closed.IsStruck ? _disk.ImageOf(closed.Root) : closed.Root, kept, now);
    }

    private async Task KillAsync()
    {
        await HealBeforeEndAsync();
        var killed = Process;
        string[] kept = KeptInOrder();
        string image = _disk.ImageOf(killed.Root);
        long now = killed.Cache.Clock.NowTicks;
        Saw(now);
        killed.HealDisk();
        await killed.DisposeAsync();
        await GoOnAsync(image, kept, now);
    }

    private string[] KeptInOrder() => Process.IsBack && !Process.IsStruck ? [.. Process.Kept] : [];

    private async Task GoOnAsync(string root, string[] mustKeep, long before)
    {
        Process = new ModelProcess(this, root, mustKeep);
        _isStoreStruck = _isElsewhereStruck = false;
        if (Protector is { Away: not null })
        {
            Process.Strike(loses: true);
        }

        await Process.StartAsync();
        if (Process.Cache.Clock.NowTicks < before)
        {
            // What had expired for the one before, and was dropped, may seem alive once more to a clock that knows less.
            Process.ExpectNothing();
        }
    }

    private static IEnumerable<string> KeysFrom(ModelStep step) =>
        Enumerable.Range(step.Key, 1 + (step.Number % 4)).Select(at => Keys[at % Keys.Count]);

    private int LengthOf(ModelStep step) => IsRetained(Keys[step.Key]) ? step.Number % 500
        : Settings.IsRoomy ? step.Number % 3000
        : step.Number % 5 == 0 ? 100_000 - step.Number : step.Number * 3;

    private static string TagOf(ModelStep step) => s_tags[step.Number / 7 % s_tags.Length];

    private static string[] TagsOf(ModelStep step)
    {
        string second = s_tags[step.Number / 30 % s_tags.Length];
        return (step.Number % 4) switch
        {
            0 => [],
            1 when second != TagOf(step) => [TagOf(step), second],
            _ => [TagOf(step)],
        };
    }

    private static DistributedCacheEntryOptions OptionsOf(ModelStep step) => step.Number % 4 == 0
        ? new DistributedCacheEntryOptions { AbsoluteExpirationRelativeToNow = TimeSpan.FromSeconds(1 + (step.Number % 500)) }
        : new DistributedCacheEntryOptions();
}
