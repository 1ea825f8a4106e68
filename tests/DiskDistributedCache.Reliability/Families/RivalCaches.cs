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

    private static readonly string[] s_troubles = ["damaged files", "killed under load", "full disk"];

    private readonly Dictionary<string, Lazy<Task<RivalTemplate>>> _templates = Contender.Names.ToDictionary(
        name => name, name => new Lazy<Task<RivalTemplate>>(() => RivalTemplate.MakeAsync(name, EntryCount)));

    private readonly Dictionary<(string Trouble, string Contender), RivalFigures> _figures = s_troubles
        .SelectMany(trouble => Contender.Names.Select(name => (trouble, name)))
        .ToDictionary(pair => pair, _ => new RivalFigures());

    private readonly SemaphoreSlim _oneFullDisk = new(1);

    public override string Name => "rivals";

    public override string What => "the same damage, full disks and kills for NeoSmart.Caching.Sqlite, FusionCache over it and this cache";

    public override string Unit => "images of each";

    public override Counts Counts => new(10, 2_000, 5_000);

    public override double CaseMilliseconds => 400;

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
            foreach (var template in _templates.Values.Where(template => template.IsValueCreated))
            {
                (await template.Value).Dispose();
            }
        }

        run.Note("Counted are images: in how many at least one read was wrong or stale, a caller got an exception, and so on.");
        run.Note("");
        run.Note("| trouble | cache | images | wrong or stale | exception to the caller | cannot be opened | cannot be used afterwards | all forgotten | kept |\n|---|---|---:|---:|---:|---:|---:|---:|---:|");
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
        await JudgeAsync(one, name, figures, folder.Path, template.Truth, hasThrown: false, what);
    }

    private async Task KillAsync(Case one, string name, RivalFigures figures)
    {
        using var folder = new RivalFolder();
        var truth = new RivalTruth();
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
        while (await worker.StandardOutput.ReadLineAsync() is { } line)
        {
            killing ??= KillLaterAsync(worker, one.NewRandom().Next(50, 500));
            switch (line.Split(' '))
            {
                case ["begun", var key, var version]:
                    truth.Begin(RivalTruth.Key(Number(key)), Number(version));
                    break;
                case ["done", var key, var version]:
                    truth.Acknowledge(RivalTruth.Key(Number(key)), Number(version));
                    break;
            }
        }

        await (killing ?? Task.CompletedTask);
        await JudgeAsync(one, name, figures, folder.Path, truth, hasThrown: killing is null, "killed");
    }

    private static async Task KillLaterAsync(Process worker, int milliseconds)
    {
        await Task.Delay(milliseconds);
        worker.Kill();
        await worker.WaitForExitAsync();
    }

    /// <summary>Others take every byte while the cache is used, and give them back; then the process ends and the next one begins.</summary>
    private async Task FillAsync(Case one, string name, RivalFigures figures)
    {
        await _oneFullDisk.WaitAsync();
        try
        {
            await using var disk = await MountedDisk.InMemoryAsync("size=160m");
            string folder = Directory.CreateDirectory(Path.Combine(disk.Folder, "cache")).FullName;
            var truth = new RivalTruth();
            bool hasThrown = false;
            await using (var cache = await Contender.OpenAsync(name, folder))
            {
                hasThrown |= !await MutateAllAsync(truth, cache, version: 1);
                string ballast = Path.Combine(disk.Folder, "ballast");
                RivalFolder.FillDisk(ballast);
                hasThrown |= !await MutateAllAsync(truth, cache, version: 2);
                var reads = await truth.ReadAsync(cache);
                hasThrown |= reads.Threw > 0;
                if (name == Contender.Ours && reads.Wrong > 0)
                {
                    one.Violate($"{reads.Wrong} wrong values on a full disk");
                }

                File.Delete(ballast);
            }

            await JudgeAsync(one, name, figures, folder, truth, hasThrown, "full disk");
        }
        finally
        {
            _oneFullDisk.Release();
        }
    }

    private static async Task<bool> MutateAllAsync(RivalTruth truth, Contender cache, int version)
    {
        bool isDone = true;
        for (int key = 0; key < EntryCount; key++)
        {
            isDone &= await truth.MutateAsync(cache, RivalTruth.Key(key), version == 2 && key % 10 == 0 ? 0 : version);
        }

        return isDone;
    }

    private static async Task JudgeAsync(
        Case one, string name, RivalFigures figures, string folder, RivalTruth truth, bool hasThrown, string what)
    {
        Contender cache;
        try
        {
            cache = await Contender.OpenAsync(name, folder);
        }
        catch (Exception exception)
        {
            figures.NotOpened();
            ViolateIfOurs($"could not be opened: {exception.Message}");
            return;
        }

        try
        {
            var reads = await truth.ReadAsync(cache);
            var after = new RivalTruth();
            bool isUsable = await after.MutateAsync(cache, "afterwards", 7) && (await after.ReadAsync(cache)).Hits == 1;
            figures.Opened(reads, hasThrown, isUsable);
            if (reads.Wrong > 0 || reads.Threw > 0 || hasThrown)
            {
                ViolateIfOurs($"{reads.Wrong} wrong values, {reads.Threw} exceptions at reads{(hasThrown ? ", others before" : "")}");
            }
        }
        finally
        {
            await DisposeAsync(cache);
        }

        void ViolateIfOurs(string violation)
        {
            if (name == Contender.Ours)
            {
                one.Violate($"{what}: {violation}", image => RivalFolder.Copy(folder, image));
            }
        }
    }

    private static async Task DisposeAsync(Contender cache)
    {
        try
        {
            await cache.DisposeAsync();
        }
        catch (Exception)
        {
            // What it answered is counted; how it ends is not.
        }
    }

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);
}
