using System.Globalization;
using DiskDistributedCache.Reliability.Disks;
using DiskDistributedCache.Reliability.Harness;
using DiskDistributedCache.Reliability.Processes;

namespace DiskDistributedCache.Reliability.Families;

/// <summary>
/// A real file system under a process at work is shut down without the flush of anything, mounted again and read by the next process:
/// what was not synced is lost, in the order in which a file system loses it. The witnesses are lost too, and the operating
/// system has another number; in some cases it has not, as if somebody had only forced the file system down.
///
/// Whatever is read has to be right. What a process closed before the cut has to be there.
/// </summary>
internal sealed class Power : Family
{
    private const int CutsOfDisk = 10;
    private const int DiskMib = 96;

    private static readonly string[] s_journals = ["data=ordered", "data=writeback", "data=journal"];

    public override string Name => "power";

    public override string What => "ext4 shut down under a process at work, while it opens, or after it has closed; mounted again and read";

    public override string Unit => "cuts";

    public override Counts Counts => new(3, 1_000, 10_000);

    public override double CaseMilliseconds => 520;

    public override async Task RunAsync(FamilyRun run)
    {
        if (PrivateMounts.Lack is { } lack)
        {
            run.Skip(lack);
            return;
        }

        try
        {
            await BootId.CoverAsync();
            await using var disk = await MountedDisk.Ext4Async(null, DiskMib, s_journals[0]);
            disk.CutPower(losesJournal: true);
        }
        catch (Exception exception) when (exception is InvalidOperationException or System.ComponentModel.Win32Exception)
        {
            run.Skip($"no ext4 may be mounted or shut down here ({exception.Message.ReplaceLineEndings(" ").Trim()})");
            return;
        }

        var figures = new Figures();
        await run.ForEachChainAsync(CutsOfDisk, (chain, count) => RunAsync(run, chain, count, figures));
        figures.Report(run);
    }

    private static async Task RunAsync(FamilyRun run, Case chain, int count, Figures figures)
    {
        var random = chain.NewRandom();
        string journal = s_journals[chain.Number / CutsOfDisk % s_journals.Length];
        await using var disk = await MountedDisk.Ext4Async(null, DiskMib, journal);
        using var folder = new WorkerFolder($"power-{chain.Number}", Directory.CreateDirectory(Path.Combine(disk.Folder, "cache")).FullName);
        SyncNames(disk);
        var last = PowerCut.UnderLoad;
        for (int i = 0; i < count && !run.IsEnough; i++)
        {
            // The first is of the usual kind, and so that the second has something to find.
            var cut = i == 0 ? PowerCut.AfterClose : Draw(random);
            bool isWarmDue = last == PowerCut.AfterClose && cut != PowerCut.WhileOpening && folder.Truth.BytesSet < WorkerArguments.RoomyBytes;
            await using var victim = Victim.Start(folder.NewArguments(random.Next(), isRoomy: true));
            string? trouble = await RunAsync(victim, disk, cut, random);
            var judgement = folder.Judge(victim, await victim.EndAsync(), isWarmDue);
            figures.Add(cut, isWarmDue, judgement);
            await disk.UnmountAsync();
            if (random.Next(5) > 0)
            {
                BootId.Change();
                Array.ForEach(Directory.GetFiles(folder.Witnesses), File.Delete);
            }

            await disk.MountAsync();
            if ((trouble ?? judgement.Text) is { } text)
            {
                chain.Violate($"cut {chain.Number + i} ({cut} after {last}), {journal}: {text}", folder.Keep);
                return;
            }

            folder.TakeImage();
            last = cut;
            run.Progress();
        }
    }

    private static PowerCut Draw(Random random) => random.Next(10) switch
    {
        < 4 => PowerCut.UnderLoad,
        < 8 => PowerCut.AfterClose,
        8 => PowerCut.AfterKill,
        _ => PowerCut.WhileOpening,
    };

    private static async Task<string?> RunAsync(Victim victim, MountedDisk disk, PowerCut cut, Random random)
    {
        bool losesJournal = random.Next(3) > 0;
        if (cut == PowerCut.WhileOpening)
        {
            await victim.ReachesAsync(WorkerEventKind.Started);
            await Task.Delay(random.Next(120));
            disk.CutPower(losesJournal);
            return null;
        }

        if (!await victim.ReachesAsync(WorkerEventKind.Checked))
        {
            return "a worker did not get as far as its load";
        }

        await Task.Delay(random.Next(1, 300));
        switch (cut)
        {
            case PowerCut.AfterClose:
                victim.AskToClose();
                if (!await victim.ReachesAsync(WorkerEventKind.Closed))
                {
                    return "a worker did not close";
                }

                break;
            case PowerCut.AfterKill:
                await victim.EndAsync();
                break;
        }

        disk.CutPower(losesJournal);
        await Task.Delay(cut == PowerCut.UnderLoad ? random.Next(30) : 0);
        return null;
    }

    /// <summary>The folder itself is not what the cuts are about: a cache that has lost it begins anew.</summary>
    private static void SyncNames(MountedDisk disk)
    {
        using var file = File.Create(Path.Combine(disk.Folder, "there"));
        file.Flush(flushToDisk: true);
    }

    private enum PowerCut
    {
        UnderLoad,
        AfterClose,
        AfterKill,
        WhileOpening,
    }

    private sealed class Figures
    {
        private const int MuchDue = 100;

        private readonly Lock _lock = new();
        private readonly int[] _cuts = new int[Enum.GetValues<PowerCut>().Length];
        private int _due;
        private int _hits;
        private int _othersDue;
        private int _othersHits;

        public void Add(PowerCut cut, bool isWarmDue, Judgement judgement)
        {
            lock (_lock)
            {
                _cuts[(int)cut]++;
                if (isWarmDue)
                {
                    _due += judgement.Due;
                    _hits += judgement.DueHits;
                }
                else
                {
                    _othersDue += judgement.Due;
                    _othersHits += judgement.DueHits;
                }
            }
        }

        public void Report(FamilyRun run)
        {
            run.Note($"- {string.Join(", ", Enum.GetValues<PowerCut>().Select(cut => $"{_cuts[(int)cut]} {Words(cut)}"))}.");
            run.Note($"- Found after the cut, of what was acknowledged and lives for ever: {Ratio(_hits, _due)} where it was closed before, {Ratio(_othersHits, _othersDue)} elsewhere.");
            if (_due >= MuchDue && _hits == 0)
            {
                run.Violate("nothing was ever found after a close and a cut");
            }
        }

        private static string Words(PowerCut cut) => cut switch
        {
            PowerCut.UnderLoad => "under load",
            PowerCut.AfterClose => "after a close",
            PowerCut.AfterKill => "after a kill",
            _ => "while opening",
        };

        private static string Ratio(int hits, int due) => due == 0
            ? "none was due"
            : string.Create(CultureInfo.InvariantCulture, $"{100.0 * hits / due:0.0} % of {due:#,0}");
    }
}
