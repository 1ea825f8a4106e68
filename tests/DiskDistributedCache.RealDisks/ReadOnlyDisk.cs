namespace DiskDistributedCache.RealDisks;

/// <summary>
/// A file system turns read-only under a working cache, and is healed; with and without a kill in between. How is up to the script. A
/// plain remount is no way: the kernel refuses it while a file is open for writing.
/// </summary>
internal static class ReadOnlyDisk
{
    private const int KeyCount = 200;
    private const int ValueBytes = 2_000;

    public static async Task RunAsync(string directory, string name, string toBreak, string toHeal, Report report)
    {
        var options = Scene.Options(directory);
        var cache = await Scene.OpenAsync(options);
        var ledger = new Ledger(cache);
        await FillAsync(cache, ledger);
        await Scene.ShellAsync(toBreak);
        await ChangeAsync(ledger);
        bool isGivenUp = await Scene.UntilAsync(() => cache.GetStatus().Mode is DiskCacheMode.MemoryOnly or DiskCacheMode.Recovering);
        report.Check($"{name}: the disk is given up", isGivenUp, Scene.Describe(cache));
        ledger.Recount();
        await ledger.ReadAllAsync();
        report.Check($"{name}: memory goes on", ledger.Hits > 0, $"{ledger.Hits} hits of {ledger.LiveCount}");

        await Scene.ShellAsync(toHeal);
        report.Check($"{name}: it recovers by itself", await Scene.HealedAsync(cache), Scene.Describe(cache));
        await ledger.ReadAllAsync();
        await Restart.AgainAsync(name, cache, options, ledger, ledger.LiveCount / 2, report);
    }

    /// <summary>Says "ready" when everything is acknowledged, and waits for the end.</summary>
    public static async Task RunUntilKilledAsync(string directory, string toBreak, string ledgerFile)
    {
        var cache = await Scene.OpenAsync(Scene.Options(directory));
        var ledger = new Ledger(cache);
        await FillAsync(cache, ledger);
        await Scene.ShellAsync(toBreak);
        await ChangeAsync(ledger);
        ledger.Save(ledgerFile);
        Console.WriteLine("ready");
        await Task.Delay(Timeout.Infinite);
    }

    private static async Task FillAsync(DiskCache cache, Ledger ledger)
    {
        for (int key = 0; key < KeyCount; key++)
        {
            await ledger.SetAsync($"key {key}", ValueBytes, $"tag {key % 4}");
        }

        await Scene.HealedAsync(cache);
    }

    /// <summary>A quarter is evicted, an eighth overwritten, an eighth removed, some are new, and the rest stays.</summary>
    private static async Task ChangeAsync(Ledger ledger)
    {
        await ledger.EvictAsync("tag 0", Enumerable.Range(0, KeyCount / 4).Select(key => $"key {4 * key}"));
        for (int key = 1; key < KeyCount; key += 8)
        {
            await ledger.SetAsync($"key {key}", ValueBytes);
            await ledger.RemoveAsync($"key {key + 1}");
            await ledger.SetAsync($"new key {key}", ValueBytes);
        }
    }
}
