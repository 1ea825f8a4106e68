using System.Diagnostics;

namespace DiskDistributedCache.RealDisks;

/// <summary>Others fill a small file system up to its last byte while the cache works, and give it free again.</summary>
internal static class FullDisk
{
    private const int KeyCount = 600;
    private const int ValueBytes = 4_000;

    public static async Task RunAsync(string directory, Report report)
    {
        var options = Scene.Options(directory);
        options.MaxMemoryBytes = 256 << 10;
        var cache = await Scene.OpenAsync(options);
        var ledger = new Ledger(cache);
        for (int key = 0; key < KeyCount; key++)
        {
            await ledger.SetAsync($"key {key}", ValueBytes, "all");
        }

        await Scene.HealedAsync(cache);
        await ledger.ReadAllAsync();
        report.Check("full: before, entries come from memory and disk", ledger.Hits > KeyCount / 2, $"{ledger.Hits} of {KeyCount}");

        string others = Path.Combine(directory, "others");
        long diskHits = cache.GetStatus().DiskHits;
        ledger.Recount();
        long filled = Fill(others);
        await WorkAsync(ledger, seconds: 3, () => filled += Fill(others));
        report.Check("full: reads go on while others fill the disk", cache.GetStatus().DiskHits > diskHits && ledger.Hits > 0,
            $"{filled >> 10} KiB filled, {ledger.Hits} hits, {cache.GetStatus().DiskHits - diskHits} of them from disk");
        report.Check("full: a full disk is no fault", cache.GetStatus().Mode == DiskCacheMode.Normal, Scene.Describe(cache));

        long shrunk = cache.GetStatus().DiskBytes;
        File.Delete(others);
        await ledger.EvictAsync("all", Enumerable.Range(0, KeyCount).Select(key => $"key {key}"));
        for (int key = 0; key < KeyCount; key++)
        {
            await ledger.SetAsync($"key {key}", ValueBytes);
        }

        bool hasHealed = await Scene.HealedAsync(cache);
        report.Check("full: it grows back when space is freed", hasHealed && cache.GetStatus().DiskBytes > shrunk,
            $"{shrunk >> 10} KiB, then {cache.GetStatus().DiskBytes >> 10} KiB; {Scene.Describe(cache)}");
        await Restart.AgainAsync("full", cache, options, ledger, KeyCount / 2, report);
    }

    private static async Task WorkAsync(Ledger ledger, int seconds, Action fillAgain)
    {
        var random = new Random(1);
        for (var watch = Stopwatch.StartNew(); watch.Elapsed.TotalSeconds < seconds;)
        {
            string key = $"key {random.Next(KeyCount)}";
            switch (random.Next(8))
            {
                case 0:
                    await ledger.SetAsync(key, ValueBytes, "all");
                    fillAgain();
                    break;
                case 1:
                    await ledger.RemoveAsync(key);
                    break;
                default:
                    await ledger.ReadAsync(key);
                    break;
            }
        }
    }

    /// <summary>Writes until nothing more is taken.</summary>
    private static long Fill(string path)
    {
        long written = 0;
        using var file = File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.Write);
        byte[] block = new byte[16 << 10];
        for (int bytes = block.Length; bytes >= 512; bytes /= 2)
        {
            try
            {
                while (true)
                {
                    RandomAccess.Write(file, block.AsSpan(0, bytes), RandomAccess.GetLength(file));
                    written += bytes;
                }
            }
            catch (IOException)
            {
                // Full for a block of this size: that is what is wanted.
            }
        }

        return written;
    }
}
