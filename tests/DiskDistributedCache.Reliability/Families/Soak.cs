using System.Globalization;
using DiskDistributedCache.Reliability.Disks;
using DiskDistributedCache.Reliability.Harness;
using DiskDistributedCache.Reliability.Soaking;

namespace DiskDistributedCache.Reliability.Families;

/// <summary>
/// One cache for a long time: reads, writes and removals of keys that are asked for as unevenly as in life, with lifetimes and tags, on a
/// disk whose faults come and go. Every read is judged, and nothing may grow: handles, threads, memory, bytes on disk.
/// </summary>
internal sealed class Soak : Family
{
    public override string Name => "soak";

    public override string What => "mixed load for a long time while faults of the disk come and go; nothing may grow";

    public override string Unit => "seconds";

    public override Counts Counts => new(10, 30 * 60, 4 * 60 * 60);

    public override double CaseMilliseconds => 1_000;

    public override async Task RunAsync(FamilyRun run)
    {
        int unobserved = 0;
        EventHandler<UnobservedTaskExceptionEventArgs> count = (_, _) => Interlocked.Increment(ref unobserved);
        TaskScheduler.UnobservedTaskException += count;
        string folder = Directory.CreateTempSubdirectory("diskcache-soak-").FullName;
        try
        {
            await RunAsync(run, folder);
            Gauges.Collect();
            if (unobserved > 0)
            {
                run.Violate($"{unobserved} exceptions of tasks were observed by nobody");
            }
        }
        finally
        {
            TaskScheduler.UnobservedTaskException -= count;
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task RunAsync(FamilyRun run, string folder)
    {
        var files = new FaultyFileSystem { KeepsCalls = false };
        var options = SoakLoad.OptionsFor(folder);
        var gauges = new Gauges(folder);
        using var weather = new FaultWeather(files, run.Seed);
        using var trail = new EventTrail();
        var cache = new DiskCache(options, files, loggerFactory: trail);
        var load = new SoakLoad(run.Seed, trail);
        using (var end = new CancellationTokenSource())
        {
            var work = load.Start(cache, end.Token);
            for (int second = 0; second < run.Count && !run.IsEnough && work.TrueForAll(thread => !thread.IsCompleted); second++)
            {
                await weather.PassAsync(TimeSpan.FromSeconds(1));
                gauges.Read(cache);
                run.Progress();
            }

            await end.CancelAsync();
            await Task.WhenAll(work);
        }

        weather.End();
        await cache.DisposeAsync();
        Judge(run, load, "while it ran", Keep);
        if (gauges.Growth is { } growth)
        {
            run.Violate(growth);
        }

        run.Note(string.Create(CultureInfo.InvariantCulture, $"- {load}; faults were on for {weather.ShareOn:0} % of the time ({weather}); modes seen: {gauges.Modes}."));
        run.Note($"- {gauges}.");

        await using var again = new DiskCache(options, files, loggerFactory: trail);
        load.ReadAll(again);
        Judge(run, load, "after a restart", Keep);
        if (load.Hits == 0)
        {
            run.Violate("nothing was ever found");
        }

        void Keep(string to)
        {
            trail.Keep(to);
            FolderCopy.AsFarAsPossible(folder, to);
        }
    }

    private static void Judge(FamilyRun run, SoakLoad load, string when, Action<string> keep)
    {
        if (load.Wrong is { } wrong)
        {
            run.Violate($"{when}: {wrong}", keepImage: keep);
        }
    }
}
