using System.Globalization;
using DiskDistributedCache.Reliability.Harness;
using DiskDistributedCache.Reliability.Processes;

namespace DiskDistributedCache.Reliability.Families;

/// <summary>
/// Processes that are killed, one after the other on one folder: each opens what the last one left, reads all of it, works with several
/// threads and is killed at a moment that nobody chose. Some are killed while they open, several in a row; some stand still
/// first, while another process comes and goes; and some owe what they acknowledged, because their disk broke.
///
/// Of the others, whatever was acknowledged has to be there, in a store that has room for all of it.
/// </summary>
internal sealed class Kills : Family
{
    private const int KillsOfFolder = 10;

    public override string Name => "kills";

    public override string What => "a process under load by 4 threads killed at any moment, also while it opens or after it stood still; restarted and read";

    public override string Unit => "kills";

    public override Counts Counts => new(30, 1_000, 10_000);

    public override double CaseMilliseconds => 280;

    public override async Task RunAsync(FamilyRun run)
    {
        if (!OperatingSystem.IsLinux() || !Directory.Exists(WorkerFolder.WitnessParent))
        {
            run.Skip("kills and what survives them are those of Linux");
            return;
        }

        var figures = new Figures();
        await run.ForEachChainAsync(KillsOfFolder, (chain, count) => RunAsync(run, chain, count, figures));
        figures.Report(run);
    }

    private static async Task RunAsync(FamilyRun run, Case chain, int count, Figures figures)
    {
        var random = chain.NewRandom();
        using var folder = new WorkerFolder($"kills-{chain.Number}");
        bool isRoomy = random.Next(2) == 0;
        bool isWarmDue = false;
        for (int i = 0; i < count && !run.IsEnough; i++)
        {
            int kill = chain.Number + i;
            bool isWhileOpening = kill % 20 == 19 || (kill % 20 == 18 && random.Next(2) == 0);
            bool breaks = kill % 4 == 2;
            await using var victim = Victim.Start(folder.NewArguments(random.Next(), isRoomy, breaks));
            int[] removed = isWhileOpening
                ? await KillWhileOpeningAsync(victim, random, figures)
                : await KillUnderLoadAsync(chain, folder, victim, random, isPaused: kill % 10 == 5, breaks, isRoomy);
            var told = await victim.EndAsync();
            var judgement = folder.Judge(victim, told, isWarmDue);
            Array.ForEach(removed, folder.Truth.RemovedByOther);
            figures.Add(judgement, told, isWarmDue, isWhileOpening);
            if (judgement.Text is { } text)
            {
                chain.Violate($"kill {kill}, {(isRoomy ? "roomy" : "tight")}: {text}", folder.Keep);
                return;
            }

            folder.TakeImage();
            isWarmDue = isRoomy && !breaks && removed.Length == 0 && folder.Truth.BytesSet < WorkerArguments.RoomyBytes
                && (isWarmDue || told.Any(one => one.Kind == WorkerEventKind.Opened));
            run.Progress();
        }
    }

    private static async Task<int[]> KillWhileOpeningAsync(Victim victim, Random random, Figures figures)
    {
        await victim.ReachesAsync(WorkerEventKind.Started);
        await Task.Delay(random.Next(1 + figures.OpeningMilliseconds));
        victim.Kill();
        return [];
    }

    /// <returns>What another process removed meanwhile. If it did, the store may be empty afterwards.</returns>
    private static async Task<int[]> KillUnderLoadAsync(
        Case chain, WorkerFolder folder, Victim victim, Random random, bool isPaused, bool breaks, bool isRoomy)
    {
        if (!await victim.ReachesAsync(WorkerEventKind.Checked))
        {
            chain.Violate("a worker did not get as far as its load", folder.Keep);
            return [];
        }

        await Task.Delay(random.Next(1, 300));
        if (breaks)
        {
            victim.BreakDisk();
            await Task.Delay(random.Next(1, 300));
        }

        if (!isPaused)
        {
            victim.Kill();
            return [];
        }

        victim.Pause();
        int[] removed = random.Next(2) == 0 ? [.. Enumerable.Range(0, WorkerArguments.KeyCount).Where(key => key % 3 == 0)] : [];
        await VisitAsync(chain, folder.NewArguments(0, isRoomy), removed);
        if (removed.Length == 0)
        {
            victim.Continue();
            await Task.Delay(random.Next(50));
        }

        await victim.EndAsync();
        return removed;
    }

    /// <summary>
    /// Another process on the folder of one that stands still: it has nothing, because the other has the store. What it removes stays
    /// removed: it may well be the only one of the two that lives on.
    /// </summary>
    private static async Task VisitAsync(Case chain, WorkerArguments arguments, int[] removed)
    {
        await using var cache = new DiskCache(arguments.ToOptions());
        for (int key = 0; key < WorkerArguments.KeyCount; key++)
        {
            if (await cache.GetAsync(WorkerArguments.NameOf(key)) is not null)
            {
                chain.Violate($"a process that does not have the store read key {key}");
            }
        }

        foreach (int key in removed)
        {
            await cache.RemoveAsync(WorkerArguments.NameOf(key));
        }
    }

    /// <summary>What is told of all kills together.</summary>
    private sealed class Figures
    {
        private const int FewKills = 10;

        private readonly Lock _lock = new();
        private readonly int[] _due = new int[2];
        private readonly int[] _hits = new int[2];
        private int _kills;
        private int _whileOpening;
        private int _opened;
        private long _events;
        private int _openingMilliseconds = 60;

        /// <summary>How long it takes from the start of a process to its open store.</summary>
        public int OpeningMilliseconds => Volatile.Read(ref _openingMilliseconds);

        public void Add(Judgement judgement, IReadOnlyList<WorkerEvent> told, bool isWarmDue, bool isWhileOpening)
        {
            lock (_lock)
            {
                _kills++;
                _whileOpening += isWhileOpening ? 1 : 0;
                _due[isWarmDue ? 1 : 0] += judgement.Due;
                _hits[isWarmDue ? 1 : 0] += judgement.DueHits;
                _events += told.Count;
                var opened = told.FirstOrDefault(one => one.Kind == WorkerEventKind.Opened);
                if (opened.Kind == WorkerEventKind.Opened)
                {
                    _opened++;
                    int milliseconds = (int)((opened.Began - told[0].Began) / TimeSpan.TicksPerMillisecond);
                    Volatile.Write(ref _openingMilliseconds, ((_openingMilliseconds * 7) + milliseconds) / 8);
                }
            }
        }

        public void Report(FamilyRun run)
        {
            run.Note(string.Create(
                CultureInfo.InvariantCulture,
                $"- {_kills:#,0} kills, {_whileOpening} of them aimed at the opening ({_kills - _opened} before it was done); {_events:#,0} events were reported."));
            run.Note($"- Found after the kill, of what was acknowledged and lives for ever: {Ratio(1)} where all of it had to be there, {Ratio(0)} where segments were reclaimed, something was owed, or another process had come by.");
            if (_kills >= FewKills && _hits[0] + _hits[1] == 0)
            {
                run.Violate("nothing was ever found after a kill");
            }
        }

        private string Ratio(int which) => _due[which] == 0
            ? "none was due"
            : string.Create(CultureInfo.InvariantCulture, $"{100.0 * _hits[which] / _due[which]:0.0} % of {_due[which]:#,0}");
    }
}
