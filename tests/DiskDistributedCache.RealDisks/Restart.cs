namespace DiskDistributedCache.RealDisks;

/// <summary>A process works and closes, possibly over a disk whose writes and syncs fail; the next one looks at what is left.</summary>
internal static class Restart
{
    private const int KeyCount = 100;
    private const int ValueBytes = 2_000;

    /// <summary>Works, closes, and prints its ledger. With that of an earlier process, errors are expected.</summary>
    public static async Task WorkAsync(string directory, string? earlierLedger, Report report)
    {
        // A failed start is one of the cases: the store need not be there.
        var cache = new DiskCache(Scene.Options(directory));
        await cache.GetAsync("the first use opens it");
        var ledger = earlierLedger is null ? new Ledger(cache) : Ledger.Load(cache, earlierLedger);
        await ledger.ReadAllAsync();
        await Scene.UntilAsync(() => cache.GetStatus().Mode != DiskCacheMode.Starting);
        await ledger.EvictAsync("old", Enumerable.Range(0, KeyCount).Where(key => key % 5 == 0).Select(key => $"key {key}"));
        for (int key = 0; key < KeyCount; key++)
        {
            if (key % 7 == 3)
            {
                await ledger.RemoveAsync($"key {key}");
            }
            else if (key % 3 != 0)
            {
                await ledger.SetAsync($"key {key}", ValueBytes, key % 5 == 0 ? "old" : "young");
            }
            else if (!await ledger.ReadAsync($"key {key}") && key % 5 != 0)
            {
                await ledger.SetAsync($"key {key}", ValueBytes);
            }
        }

        // Some heartbeats and probes.
        await Task.Delay(TimeSpan.FromSeconds(1.5));
        ledger.Print();
        report.Check("work: nothing dead, stale or wrong was read", ledger.Lies == 0, ledger.FirstLie ?? $"{ledger.Hits} hits in {ledger.Reads} reads");
        await cache.DisposeAsync();
        if (earlierLedger is not null)
        {
            var status = cache.GetStatus();
            report.Check("work: the errors are noticed", status.DiskErrors > 0 || status.LastFault is not null, Scene.Describe(cache));
        }
    }

    /// <summary>What a process that ended left behind, as another one finds it.</summary>
    public static async Task CheckAsync(string directory, string name, string ledgerFile, bool wasBroken, Report report)
    {
        using var log = new OpeningLog();
        await using var cache = await Scene.OpenAsync(Scene.Options(directory), log);
        report.Check($"{name}: the next start has its disk", cache.GetStatus().Mode == DiskCacheMode.Normal, Scene.Describe(cache));
        if (wasBroken)
        {
            report.Check($"{name}: it was not closed clean", log.Trust is not (null or "closed clean"), log.Trust ?? "nothing was logged");
        }

        var ledger = Ledger.Load(cache, ledgerFile);
        await ledger.ReadAllAsync();
        await ledger.ReadAllAsync();
        report.Check($"{name}: nothing dead, stale or wrong returns", ledger.Lies == 0,
            ledger.FirstLie ?? $"{ledger.Hits} hits in {ledger.Reads} reads, {cache.GetStatus().Entries} entries");
    }

    /// <summary>Closes a cache, opens it anew and reads everything; and makes sure that this proves something.</summary>
    public static async Task AgainAsync(
        string name, DiskCache cache, DiskDistributedCacheOptions options, Ledger ledger, int expectedHits, Report report)
    {
        report.Check($"{name}: nothing dead, stale or wrong was read", ledger.Lies == 0, ledger.FirstLie ?? $"{ledger.Reads} reads");
        string file = Path.GetTempFileName();
        ledger.Save(file);
        await cache.DisposeAsync();

        await using var again = await Scene.OpenAsync(options);
        ledger = Ledger.Load(again, file);
        File.Delete(file);
        await ledger.ReadAllAsync();
        report.Check($"{name}: nothing dead, stale or wrong after a restart", ledger.Lies == 0, ledger.FirstLie ?? $"{ledger.Reads} reads");
        report.Check($"{name}: what was stored is there after a restart", ledger.Hits >= expectedHits,
            $"{ledger.Hits} hits of {ledger.LiveCount} live entries; {Scene.Describe(again)}");
    }
}
