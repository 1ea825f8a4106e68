using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using DiskDistributedCache.Reliability.Disks;
using DiskDistributedCache.Reliability.Harness;
using DiskDistributedCache.Reliability.Rivals;

namespace DiskDistributedCache.Reliability.Families;

/// <summary>
/// The same trouble for other persistent caches and for ours, with the settings that each one's documentation shows: files damaged in
/// the same way at the same places, a disk that others fill to the last byte, a process that is killed. Ours must not be wrong, nor throw; of the others
/// it is counted.
/// </summary>
internal sealed class RivalCaches : Family
{
    private const int EntryCount = 200;
    private const int KillEvery = 20;
    private const int FullEvery = 100;
    private const int DoneBeforeKill = 100;
    private const int MaxKillMilliseconds = 500;

    private static readonly string[] s_troubles = ["damaged files", "killed under load", "full disk"];

    private readonly Dictionary<string, Lazy<Task<RivalTemplate>>> _templates = Contender.Names.ToDictionary(
        name => name, name => new Lazy<Task<RivalTemplate>>(() => RivalTemplate.MakeAsync(name, EntryCount)));

    private readonly Dictionary<(string Trouble, string Contender), RivalFigures> _figures = s_troubles
        .SelectMany(trouble => Contender.Names.Select(name => (trouble, name)))
        .ToDictionary(pair => pair, _ => new RivalFigures());

    private readonly Dictionary<string, ConcurrentBag<RivalJudge>> _judges =
        Contender.Names.ToDictionary(name => name, _ => new ConcurrentBag<RivalJudge>());

    private static readonly SemaphoreSlim s_oneFullDisk = new(1);

    public override string Name => "rivals";

    public override string What => "the same damage, full disks and kills for NeoSmart.Caching.Sqlite, FusionCache over it and this cache";

    public override string Unit => "images of each";

    public override Counts Counts => new(10, 2_000, 5_000);

    public override double CaseMilliseconds => 220;

    public override async Task RunAsync(FamilyRun run)
    {
        try
        {
            await run.ForEachCaseAsync(one => Array.IndexOf(s_troubles, TroubleOf(one.Number)) switch
            {
                0 => ForEachAsync(one, DamageAsync),
                1 => ForEachAsync(one, KillAsync),
                _ => PrivateMounts.Lack is null ? ForEachAsync(one, FillAsync) : Task.CompletedTask,
            });
        }
        finally
        {
            foreach (var judge in _judges.Values.SelectMany(judges => judges))
            {
                judge.Dispose();
            }

            foreach (var template in _templates.Values.Where(template => template.IsValueCreated))
            {
                (await template.Value).Dispose();
            }
        }

        run.Note("Counted are images: in how many at least one read was wrong or stale, a caller got an exception, and so on.");
        run.Note("");
        run.Note("| trouble | cache | images | wrong or stale | exception to the caller | process ended | cannot be opened | cannot be used afterwards | all forgotten | kept |\n|---|---|---:|---:|---:|---:|---:|---:|---:|---:|");
        foreach (var ((trouble, contender), figures) in _figures)
        {
            if (figures.Row(trouble, contender) is { } row)
            {
                run.Note(row);
            }
        }

        if (PrivateMounts.Lack is { } lack)
        {
            run.Note($"\nNo full disk: {lack}.");
        }
    }

    private static string TroubleOf(int number) =>
        s_troubles[number % FullEvery == 1 ? 2 : number % KillEvery == 0 ? 1 : 0];

    private async Task ForEachAsync(Case one, Func<Case, string, RivalFigures, Task> trouble)
    {
        foreach (string name in Contender.Names)
        {
            await trouble(one, name, _figures[(TroubleOf(one.Number), name)]);
        }
    }

    /// <summary>The same kind of damage at the same part of all bytes of the folder.</summary>
    private async Task DamageAsync(Case one, string name, RivalFigures figures)
    {
        var template = await _templates[name].Value;
        using var folder = new RivalFolder();
        template.CopyTo(folder.Path);
        string what = folder.Damage(one.NewRandom());
        await JudgeAsync(one, name, figures, folder.Path, template.Truth, before: null, what);
    }

    private async Task KillAsync(Case one, string name, RivalFigures figures)
    {
        using var folder = new RivalFolder();
        var truth = new RivalTruth([]);
        var start = new ProcessStartInfo("dotnet")
        {
            RedirectStandardOutput = true,
            ArgumentList =
            {
                typeof(RivalCaches).Assembly.Location, RivalWorker.Word, name, folder.Path, one.Seed.ToString(CultureInfo.InvariantCulture),
            },
        };
        using var worker = Process.Start(start) ?? throw new InvalidOperationException("dotnet did not start.");
        Task? killing = null;
        int doneCount = 0;
        while (await worker.StandardOutput.ReadLineAsync() is { } line)
        {
            switch (line.Split(' '))
            {
                case ["begun", var key, var version]:
                    truth.Begin(RivalTruth.Key(Number(key)), Number(version));
                    break;
                case ["done", var key, var version]:
                    truth.Acknowledge(RivalTruth.Key(Number(key)), Number(version));
                    if (++doneCount == DoneBeforeKill)
                    {
                        killing = KillLaterAsync(worker, one.NewRandom().Next(MaxKillMilliseconds));
                    }

                    break;
            }
        }

        await (killing ?? Task.CompletedTask);
        await JudgeAsync(one, name, figures, folder.Path, truth, before: null, "killed");
    }

    private static async Task KillLaterAsync(Process worker, int milliseconds)
    {
        await Task.Delay(milliseconds);
        worker.Kill();
        await worker.WaitForExitAsync();
    }

    private async Task FillAsync(Case one, string name, RivalFigures figures)
    {
        await s_oneFullDisk.WaitAsync();
        try
        {
            await using var disk = await MountedDisk.InMemoryAsync("size=160m");
            string folder = Directory.CreateDirectory(Path.Combine(disk.Folder, "cache")).FullName;
            var question = new RivalQuestion(folder, Path.Combine(disk.Folder, "ballast"), []);
            if (await RivalJudge.AskAsync(_judges[name], name, question) is not { } answer)
            {
                EndedProcess(one, name, figures, "full disk");
                return;
            }

            ViolateIfOurs(one, name, answer, "while the disk was full", folder);
            await JudgeAsync(one, name, figures, folder, new RivalTruth(answer.Allowed), answer, "after the disk was full");
        }
        finally
        {
            s_oneFullDisk.Release();
        }
    }

    private async Task JudgeAsync(
        Case one, string name, RivalFigures figures, string folder, RivalTruth truth, RivalAnswer? before, string what)
    {
        var answer = await RivalJudge.AskAsync(_judges[name], name, new RivalQuestion(folder, null, truth.Allowed));
        if (answer is null)
        {
            EndedProcess(one, name, figures, what);
            return;
        }

        if (!answer.IsOpened)
        {
            figures.NotOpened();
        }
        else
        {
            answer.Reads.Wrong += before?.Reads.Wrong ?? 0;
            figures.Opened(answer.Reads, answer.HasThrown || before is { HasThrown: true }, answer.IsUsable);
        }

        ViolateIfOurs(one, name, answer, what, folder);
    }

    private static void EndedProcess(Case one, string name, RivalFigures figures, string what)
    {
        figures.EndedProcess();
        if (name == Contender.Ours)
        {
            one.Violate($"{what}: the process ended");
        }
    }

    private static void ViolateIfOurs(Case one, string name, RivalAnswer answer, string what, string folder)
    {
        if (name == Contender.Ours && (!answer.IsOpened || answer.HasThrown || answer.Reads.Wrong > 0 || !answer.IsUsable))
        {
            one.Violate(
                $"{what}: {(answer.IsOpened ? "" : $"could not be opened ({answer.Problem}), ")}{answer.Reads.Wrong} wrong values, "
                    + $"{(answer.HasThrown ? "an exception" : "no exception")}, {(answer.IsUsable ? "usable" : "not usable")} afterwards",
                image => RivalFolder.Copy(folder, image));
        }
    }

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);
}
