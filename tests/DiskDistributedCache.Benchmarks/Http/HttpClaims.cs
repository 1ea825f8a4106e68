using DiskDistributedCache.Benchmarks.Contestants;

namespace DiskDistributedCache.Benchmarks.Http;

/// <summary>
/// The cached report of the sample site, asked for over HTTP: one site for each output-cache store, each in a process of its own, and the
/// clients in this one. All sites run all the time; the one whose turn it is gets the requests.
/// </summary>
internal sealed class HttpClaims : ClaimFamily
{
    /// <summary>Enough to keep two processors busy.</summary>
    private const int Connections = 8;

    private static readonly string[] s_ours = [ReportSite.OursInMemory, ReportSite.OursOnDisk];
    private static readonly string[] s_rivals = [ReportSite.MemoryStore, ReportSite.RedisStore];

    public override IEnumerable<string> Names => from ours in s_ours from rival in s_rivals select NameOf(ours, rival);

    public override async Task RunAsync(ClaimRun run)
    {
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
            site => site.Store, site => Enumerable.Range(0, Connections).Select(_ => new ReportClient(site.Address)).ToArray());
        try
        {
            double[] times = await new Comparison(run, "http-report").RunAsync(
                [.. sites.Select(site => new Turn(site.Store, Connections, stints => FanOut.ThreadsAsync(
                    Connections, caller => Ask(clients[site.Store][caller], stints[caller])))
                {
                    Handful = 1,
                })]);
            foreach (string ours in s_ours)
            {
                foreach (string rival in s_rivals.Where(rival => run.Wants(NameOf(ours, rival)) && clients.ContainsKey(rival)))
                {
                    run.Claim(NameOf(ours, rival), TimeOf(ours), TimeOf(rival));
                }
            }

            double TimeOf(string store) => times[sites.FindIndex(site => site.Store == store)];
        }
        finally
        {
            foreach (var client in clients.Values.SelectMany(one => one))
            {
                client.Dispose();
            }
        }
    }

    private static void Ask(ReportClient client, Stint stint)
    {
        while (stint.GoesOn())
        {
            client.Ask();
        }
    }

    private static bool IsWanted(ClaimRun run, string store) =>
        (from ours in s_ours from rival in s_rivals where ours == store || rival == store select NameOf(ours, rival)).Any(run.Wants);

    private static string NameOf(string ours, string rival) => $"http-report-{ours["ours-".Length..]}-vs-{rival}";
}
