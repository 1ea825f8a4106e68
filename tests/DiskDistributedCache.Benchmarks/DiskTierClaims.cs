using DiskDistributedCache.Benchmarks.Contestants;

namespace DiskDistributedCache.Benchmarks;

/// <summary>
/// Gets and sets of the disk tier beside other ways to keep values on a disk. All stores of one value size hold the same
/// entries; gets come first, then every set overwrites an entry that is there.
/// </summary>
internal sealed class DiskTierClaims : ClaimFamily
{
    private const int CheckedEntriesStep = 97;
    private const int CheckedReads = 5;
    private const int ManyCallers = 64;
    private const string Gzip = "file-gzip";
    private const int LargeValueBytes = 64 * 1024;

    private static readonly Sizing[] s_sizings =
    [
        new("1k", 1024, scale => scale.EntriesOf1KiB),
        new("16k", 16 * 1024, scale => scale.EntriesOf16KiB),
        new("128k", 128 * 1024, scale => scale.EntriesOf128KiB),
    ];

    private static readonly string[] s_stores = ["neosmart", "file", Gzip, "rocksdb", "faster", "redis"];

    private static readonly Setting[] s_settings =
    [
        new("get", "1t", 1, [.. s_stores, "raw"]),
        new("get", "2t", 2, [.. s_stores, "raw"]),
        new("set", "1t", 1, [.. s_stores, "raw"]),
        new("set", "2t", 2, [.. s_stores, "raw"]),
        new("set", "64c", 64, [.. s_stores, "raw-batch"]),
    ];

    public override IEnumerable<string> Names =>
        from sizing in s_sizings from setting in s_settings from rival in setting.Rivals select NameOf(sizing, setting, rival);

    public override async Task RunAsync(ClaimRun run)
    {
        foreach (var sizing in s_sizings)
        {
            Setting[] wanted =
            [
                .. from setting in s_settings
                   let rivals = setting.Rivals.Where(rival => IsWanted(run, sizing, setting, rival)).ToArray()
                   where rivals.Length > 0
                   select setting with { Rivals = rivals },
            ];
            if (wanted.Length > 0)
            {
                await MeasureAsync(run, sizing, wanted);
            }
        }
    }

    private static bool IsWanted(ClaimRun run, Sizing sizing, Setting setting, string rival) =>
        run.Wants(NameOf(sizing, setting, rival)) && (rival != Gzip || run.Scale.HasGzip || run.IsSelective);

    private static async Task MeasureAsync(ClaimRun run, Sizing sizing, Setting[] settings)
    {
        string directory = run.NewDirectory("disk-" + sizing.Name);
        var workload = new Workload(sizing.Entries(run.Scale), sizing.ValueBytes);
        var contestants = new List<Contestant>();
        try
        {
            foreach (string name in settings.SelectMany(setting => setting.Rivals).Distinct().Prepend("ours"))
            {
                var contestant = await OpenAsync(name, workload, Directory.CreateDirectory(Path.Combine(directory, name)).FullName);
                if (contestant is null)
                {
                    run.Progress($"{name} is skipped: it is not installed");
                    continue;
                }

                contestants.Add(contestant);
                run.Progress($"filling {name} with {workload.Entries} entries of {sizing.Name}");
                await contestant.FillAsync();
                await CheckAsync(contestant, workload);
            }

            foreach (var setting in settings)
            {
                Contestant[] taking = [.. contestants.Where(one => one.Name == "ours" || setting.Rivals.Contains(one.Name))];
                if (taking.Length > 1)
                {
                    await MeasureAsync(run, sizing, setting, workload, taking);
                }
            }

            foreach (var contestant in contestants)
            {
                await CheckAsync(contestant, workload);
                contestant.CheckAfterwards(run);
            }
        }
        finally
        {
            foreach (var contestant in contestants)
            {
                await contestant.DisposeAsync();
            }

            Directory.Delete(directory, recursive: true);
        }
    }

    private static async Task MeasureAsync(ClaimRun run, Sizing sizing, Setting setting, Workload workload, Contestant[] taking)
    {
        Turn[] turns = [.. taking.Select(contestant => TurnOf(run, setting, workload, contestant))];
        double[] times = await new Comparison(run, $"disk-{setting.Operation}-{sizing.Name}-{setting.Name}").RunAsync(turns);
        for (int i = 1; i < taking.Length; i++)
        {
            run.Claim(NameOf(sizing, setting, taking[i].Name), times[0], times[i]);
        }
    }

    private static Turn TurnOf(ClaimRun run, Setting setting, Workload workload, Contestant contestant)
    {
        int callers = contestant.CallersFor(setting.Callers);
        int handful = workload.ValueBytes > LargeValueBytes ? 1 : Turn.DefaultHandful;
        var walks = workload.WalksFor(callers);
        if (setting.Operation == "get")
        {
            return new Turn(contestant.Name, callers, stints => FanOut.CallersAsync(callers, caller =>
                GetAsync(contestant, stints[caller], walks[caller], workload)))
            { Handful = handful };
        }

        var all = workload.WalkForAll();
        return new Turn(contestant.Name, callers, stints => FanOut.CallersAsync(callers, caller =>
            SetAsync(contestant, stints[caller], callers < ManyCallers ? walks[caller].Next : all.Next)))
        {
            Handful = handful,
            MaxOperations = Math.Max(run.Scale.MaxTurnBytes / workload.ValueBytes, 2 * setting.Callers),
        };
    }

    private static async Task GetAsync(Contestant contestant, Stint stint, EntryWalk walk, Workload workload)
    {
        long missed = 0;
        while (stint.GoesOn())
        {
            int entry = walk.Next();
            var value = await contestant.GetAsync(stint.Caller, entry);
            if (value.IsEmpty)
            {
                missed++;
            }
            else
            {
                workload.Check(entry, value.Span);
            }
        }

        // A cache may forget now and then; one that forgets often would be measured at something else.
        if (missed > stint.Operations / 1000)
        {
            throw new InvalidOperationException($"{contestant.Name} missed {missed} of {stint.Operations} reads of what it holds.");
        }
    }

    private static async Task SetAsync(Contestant contestant, Stint stint, Func<int> next)
    {
        while (stint.GoesOn())
        {
            await contestant.SetAsync(stint.Caller, next());
        }
    }

    private static async Task CheckAsync(Contestant contestant, Workload workload)
    {
        for (int entry = 0; entry < workload.Entries; entry += CheckedEntriesStep)
        {
            // A read that is late on a busy machine is a miss; what stays missing is lost.
            var value = await contestant.GetAsync(0, entry);
            for (int read = 1; value.IsEmpty && read < CheckedReads; read++)
            {
                value = await contestant.GetAsync(0, entry);
            }

            if (value.IsEmpty)
            {
                throw new InvalidOperationException($"{contestant.Name} has lost '{workload.Key(entry)}'.");
            }

            workload.Check(entry, value.Span);
        }
    }

    private static async Task<Contestant?> OpenAsync(string name, Workload workload, string directory) => name switch
    {
        "ours" => await OurDiskTier.OpenAsync(workload, directory),
        "neosmart" => new NeoSmartSqlite(workload, directory),
        "file" => new FilePerEntry(workload, directory),
        Gzip => new GzipFilePerEntry(workload, directory),
        "rocksdb" => new RocksDbTree(workload, directory),
        "faster" => new FasterLog(workload, directory),
        "redis" => await RedisOnLoopback.TryOpenAsync(workload, directory),
        "raw" => new RawFile(workload, directory, batch: 1),
        "raw-batch" => new RawFile(workload, directory, batch: 64),
        _ => throw new ArgumentOutOfRangeException(nameof(name), name, "No contestant has this name."),
    };

    private static string NameOf(Sizing sizing, Setting setting, string rival) =>
        $"disk-{setting.Operation}-{sizing.Name}-{setting.Name}-vs-{rival}";

    private sealed record Sizing(string Name, int ValueBytes, Func<Scale, int> Entries);

    private sealed record Setting(string Operation, string Name, int Callers, string[] Rivals);
}
