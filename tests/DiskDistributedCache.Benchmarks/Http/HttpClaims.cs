using DiskDistributedCache.Benchmarks.Contestants;

namespace DiskDistributedCache.Benchmarks.Http;

/// <summary>
/// The cached report of the sample site, asked for over HTTP: one site for each output-cache store, each in a process of its own, and the
/// clients in this one. All sites run all the time; the one whose turn it is gets the requests.
///
/// Eight connections with a request each are mostly socket and server, on both sides. So there are rows in which each connection sends 16 requests at once
/// (<c>pipelined</c>): what the store costs is a larger part of them. No browser asks like this. And rows with one connection only (<c>alone</c>): what one
/// visitor waits for, when nobody else does.
///
/// A site that has just started runs code that the runtime has not compiled for good yet, for seconds, and a store of the framework is
/// compiled ahead. So all sites are warmed up before any is measured.
/// </summary>
internal sealed class HttpClaims : ClaimFamily
{
    /// <summary>Enough to keep two processors busy.</summary>
    private const int Connections = 8;

    private const int Depth = 16;
    private const string Single = "http-report";
    private const string Alone = "http-report-alone";
    private const string Pipelined = "http-report-pipelined";

    private static readonly string[] s_ways = [Single, Alone, Pipelined];
    private static readonly string[] s_ours = [ReportSite.OursInMemory, ReportSite.OursOnDisk];
    private static readonly string[] s_rivals = [ReportSite.MemoryStore, ReportSite.RedisStore];

    public override IEnumerable<string> Names =>
        from how in s_ways from ours in s_ours from rival in s_rivals select NameOf(how, ours, rival);

    public override async Task RunAsync(ClaimRun run)
    {
        if (run.Scale.SiteWarmUp is null && !run.IsSelective)
        {
            run.Progress($"http is left out: there is no time to warm the sites up");
            return;
        }

        string directory = run.NewDirectory("http");
        await using var redis = await RedisServer.TryStartAsync(Directory.CreateDirectory(Path.Combine(directory, "redis")).FullName);
        if (redis is null)
        {
            run.Progress($"redis is skipped: it is not installed");
        }

        var sites = new List<SiteProcess>();
        try
        {
            foreach (string store in s_ours.Concat(s_rivals).Where(store => IsWanted(run, store) && (store != ReportSite.RedisStore || redis is not null)))
            {
                sites.Add(await SiteProcess.StartAsync(
                    store, store == ReportSite.RedisStore ? redis!.Address : Path.Combine(directory, store)));
            }

            await MeasureAsync(run, sites);
        }
        finally
        {
            foreach (var site in sites)
            {
                await site.DisposeAsync();
            }
        }
    }

    private static async Task MeasureAsync(ClaimRun run, List<SiteProcess> sites)
    {
        var clients = sites.ToDictionary(
            site => site.Store, site => Enumerable.Range(0, Connections).Select(_ => new ReportClient(site.Address, Depth)).ToArray());
        try
        {
            var warmUp = run.Scale.SiteWarmUp ?? Scale.Full.SiteWarmUp!.Value;
            foreach (var (store, connections) in clients)
            {
                run.Progress($"{store} is warmed up");
                await WarmUpAsync(connections, warmUp, 1, Ask);
                await WarmUpAsync(connections, warmUp, Depth, AskMany);
            }

            await CompareAsync(run, Single, clients, Connections, 1, Ask);
            await CompareAsync(run, Alone, clients, 1, 1, Ask);
            await CompareAsync(run, Pipelined, clients, Connections, Depth, AskMany);
        }
        finally
        {
            foreach (var client in clients.Values.SelectMany(one => one))
            {
                client.Dispose();
            }
        }
    }

    private static Task WarmUpAsync(ReportClient[] connections, TimeSpan time, int handful, Action<ReportClient, Stint> ask)
    {
        var limit = new TurnLimit(time, long.MaxValue, handful);
        return FanOut.ThreadsAsync(connections.Length, caller => ask(connections[caller], new Stint(caller, limit)));
    }

    private static async Task CompareAsync(
        ClaimRun run, string how, Dictionary<string, ReportClient[]> clients, int connections, int handful, Action<ReportClient, Stint> ask)
    {
        var wanted = (from ours in s_ours
                      from rival in s_rivals
                      where run.Wants(NameOf(how, ours, rival)) && clients.ContainsKey(ours) && clients.ContainsKey(rival)
                      select (Ours: ours, Rival: rival)).ToList();
        if (wanted.Count == 0)
        {
            return;
        }

        string[] stores = [.. wanted.SelectMany(pair => (string[])[pair.Ours, pair.Rival]).Distinct()];
        double[] times = await new Comparison(run, how).RunAsync(
            [.. stores.Select(store => new Turn(store, connections, stints => FanOut.ThreadsAsync(
                connections, caller => ask(clients[store][caller], stints[caller])))
            {
                Handful = handful,
            })]);
        foreach (var (ours, rival) in wanted)
        {
            run.Claim(NameOf(how, ours, rival), times[Array.IndexOf(stores, ours)], times[Array.IndexOf(stores, rival)]);
        }
    }

    private static void Ask(ReportClient client, Stint stint)
    {
        while (stint.GoesOn())
        {
            client.Ask();
        }
    }

    private static void AskMany(ReportClient client, Stint stint)
    {
        while (stint.GoesOn())
        {
            // A handful is as many.
            for (int also = 1; also < Depth; also++)
            {
                stint.GoesOn();
            }

            client.AskMany();
        }
    }

    private static bool IsWanted(ClaimRun run, string store) =>
        (from how in s_ways
         from ours in s_ours
         from rival in s_rivals
         where ours == store || rival == store
         select NameOf(how, ours, rival)).Any(run.Wants);

    private static string NameOf(string how, string ours, string rival) => $"{how}-{ours["ours-".Length..]}-vs-{rival}";
}
