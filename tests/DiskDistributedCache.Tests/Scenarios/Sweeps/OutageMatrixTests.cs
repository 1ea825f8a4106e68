using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Scenarios.Sweeps;

/// <summary>
/// Every way in which a disk can be away, with every mutation meanwhile, and every way to go on. Nothing dead returns, and what memory
/// holds is served all the time. Once the disk is back, what was set while it was away is on it, and so is everything that memory held.
///
/// The store that the process opens was closed in order by another one: what is on its disk would be believed if nobody took care.
/// </summary>
public sealed class OutageMatrixTests
{
    private const string Victim = "key 0";
    private const string Bystander = "key 1";
    private const string Newcomer = "key 2";
    private const string Tag = "tag";

    private static readonly TimeSpan s_window = TimeSpan.FromMinutes(60);

    public static TheoryData<string, string, string> Cases
    {
        get
        {
            var cases = new TheoryData<string, string, string>();
            foreach (string outage in Enum.GetNames<Outage>())
            {
                foreach (string change in Enum.GetNames<OutageChange>())
                {
                    foreach (string end in Enum.GetNames<OutageEnd>())
                    {
                        cases.Add(outage, change, end);
                    }
                }
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task Nothing_dead_returns_from_an_outage_and_nothing_new_is_lost(string outage, string change, string end)
    {
        using var disk = new SweepDisk();
        await using var process = await BeginAsync(disk, isHanging: outage == nameof(Outage.Hung));
        using var unsynced = process.Files.TrackUnsynced(process.Root);
        await process.StartAsync();
        await process.CheckAsync(mustBeThere: true);

        // Begins a segment: a disk that fills up has room in it, and need not give away what is there.
        await process.SetAsync("key 3", 100);
        process.Stage = "during the outage";
        Enum.Parse<Outage>(outage).Begin(process);
        try
        {
            await ChangeAsync(process, Enum.Parse<OutageChange>(change));
            await NoticeAsync(process, isHanging: outage == nameof(Outage.Hung));
            await EndAsync(disk, process, unsynced, Enum.Parse<OutageEnd>(end), isRefreshed: change == nameof(OutageChange.Refresh));
        }
        finally
        {
            Outages.End(process);
        }

        Assert.Empty(process.Violations);
    }

    /// <summary>A process that is about to open a store that another one closed.</summary>
    private static async Task<SweepProcess> BeginAsync(SweepDisk disk, bool isHanging)
    {
        var time = new TestClock();
        string root = disk.NewRoot();
        await using var first = new SweepProcess(root, time);
        await first.StartAsync();
        await first.SetAsync(Victim, 1000, [Tag], sliding: s_window);
        await first.SetAsync(Bystander, 1000);
        await first.DisposeAsync();

        // Callers of a disk that hangs wait for this long; callers of any other for as long as it takes.
        var process = new SweepProcess(
            root, time, before: first, mustKeep: true, ioTimeout: isHanging ? TimeSpan.FromMilliseconds(100) : null);
        process.Cache.CloseGrace = isHanging ? TimeSpan.FromMilliseconds(50) : process.Cache.CloseGrace;
        return process;
    }

    private static async Task ChangeAsync(SweepProcess process, OutageChange change)
    {
        switch (change)
        {
            case OutageChange.Set:
                await process.SetAsync(Newcomer, 1000);
                break;
            case OutageChange.Overwrite:
                await process.SetAsync(Victim, 2000, [Tag]);
                break;
            case OutageChange.Remove:
                await process.RemoveAsync(Victim);
                break;
            case OutageChange.EvictTag:
                await process.EvictAsync(Tag);
                break;
            case OutageChange.Clear:
                await process.ClearAsync();
                break;
            case OutageChange.Refresh:
                process.Time.Advance(TimeSpan.FromMinutes(50));
                await process.GetAsync(Victim);
                break;
        }
    }

    private static async Task NoticeAsync(SweepProcess process, bool isHanging)
    {
        if (!isHanging)
        {
            await process.HeartbeatAsync();
            await process.ProbeAsync();
        }

        process.Wait();
        foreach (string key in (string[])[Bystander, Newcomer])
        {
            await process.GetAsync(key);
        }
    }

    private static async Task EndAsync(
        SweepDisk disk, SweepProcess process, UnsyncedWrites unsynced, OutageEnd end, bool isRefreshed)
    {
        bool isRecovered = end is OutageEnd.RecoveredAndRead or OutageEnd.RecoveredAndRestarted or OutageEnd.RecoveredAndKilled;
        if (isRecovered)
        {
            Outages.End(process);
            process.Stage = "healed";
            await process.HealAsync(rounds: 10);
        }

        string root = process.Root;
        switch (end)
        {
            case OutageEnd.RecoveredAndRead:
                await CheckAsync(process, isRefreshed, mustBeThere: true);
                await process.DisposeAsync();
                return;
            case OutageEnd.RecoveredAndRestarted:
                await process.DisposeAsync();
                break;
            case OutageEnd.RestartedBefore:
                await process.DisposeAsync();
                root = disk.ImageOf(root);
                break;
            case OutageEnd.RecoveredAndKilled or OutageEnd.KilledBefore:
                root = disk.ImageOf(root);
                break;
            case OutageEnd.PowerCutBefore:
                root = disk.NewRoot();
                unsynced.AfterPowerCut(seed: 1).WriteTo(root);
                break;
        }

        await using var next = new SweepProcess(root, process.Time, before: process, mustKeep: isRecovered) { Stage = "afterwards" };
        if (end == OutageEnd.PowerCutBefore)
        {
            next.Files.OverrideText("/proc/sys/kernel/random/boot_id", Guid.NewGuid().ToString());
        }

        await next.StartAsync();
        await CheckAsync(next, isRefreshed, isRecovered);
        await next.SetAsync("newer", 100);
        await next.DisposeAsync();
        Assert.Empty(next.Violations);
        await using var last = new SweepProcess(root, process.Time, before: next, mustKeep: true) { Stage = "after another restart" };
        await last.StartAsync();
        await last.GetAsync("newer");
        Assert.Empty(last.Violations);
    }

    /// <summary>A window that began anew during the outage lasts as long as it should, and no longer.</summary>
    private static async Task CheckAsync(SweepProcess process, bool isRefreshed, bool mustBeThere)
    {
        if (isRefreshed)
        {
            process.Time.Advance(TimeSpan.FromMinutes(30));
            if (await process.GetAsync(Victim, mustBeThere: false) is null && mustBeThere)
            {
                process.Violate("the use of a sliding entry is forgotten");
            }

            process.Time.Advance(s_window);
        }

        await process.CheckAsync(mustBeThere);
    }
}
