using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.Caching.Distributed;
using MinimalApi;

namespace DiskDistributedCache.Benchmarks;

/// <summary>
/// What compression on disk costs and saves, for the JSON reports of the sample site: the same entries in one store for each
/// setting, memory tier off. Bytes are those of the segments after a clean close, headers, keys and footers included.
/// </summary>
internal sealed class CompressionClaims : ClaimFamily
{
    private const int Entries = 600;

    private static readonly DistributedCacheEntryOptions s_noExpiry = new();
    private static readonly DiskCacheCompression[] s_settings = Enum.GetValues<DiskCacheCompression>();

    public override IEnumerable<string> Names => s_settings.Select(NameOf);

    public override async Task RunAsync(ClaimRun run)
    {
        byte[][] reports = MakeReports();
        run.Progress($"{reports.Length} reports of {reports.Min(report => report.Length)} to {reports.Max(report => report.Length)} bytes");
        var stores = s_settings.Where(setting => run.Wants(NameOf(setting)))
            .Select(setting => (Setting: setting, Directory: run.NewDirectory(NameOf(setting)))).ToArray();
        var caches = new List<DiskCache>();
        try
        {
            foreach (var (setting, directory) in stores)
            {
                caches.Add(await FillAsync(OptionsFor(setting, directory), reports));
            }

            var gets = await new Comparison(run, "compression get").RunAsync(
                [.. caches.Select((cache, i) => new Turn(NameOf(stores[i].Setting), 1, stints => GetAsync(cache, reports, stints[0])))]);
            long[] bytes = new long[stores.Length];
            for (int i = 0; i < stores.Length; i++)
            {
                OurCache.CheckIsNormal(caches[i], run.Progress);
                await caches[i].DisposeAsync();
                bytes[i] = Directory.EnumerateFiles(stores[i].Directory, "*.seg", SearchOption.AllDirectories).Sum(file => new FileInfo(file).Length);
                caches[i] = await OurCache.OpenAsync(OptionsFor(stores[i].Setting, stores[i].Directory));
            }

            var sets = await new Comparison(run, "compression set").RunAsync(
                [.. caches.Select((cache, i) => new Turn(NameOf(stores[i].Setting), 1, stints => SetAsync(cache, reports, stints[0]))
                    {
                        MaxOperations = run.Scale.MaxTurnBytes / reports.Max(report => report.Length),
                    })]);
            for (int i = 0; i < stores.Length; i++)
            {
                run.Result(string.Create(
                    CultureInfo.InvariantCulture,
                    $"claim {NameOf(stores[i].Setting)} bytes-per-entry={bytes[i] / Entries} set-us={sets[i]:0.0} get-us={gets[i]:0.0}"));
            }
        }
        finally
        {
            foreach (var cache in caches)
            {
                await cache.DisposeAsync();
            }
        }
    }

    private static string NameOf(DiskCacheCompression setting) => "compression-reports-" + setting.ToString().ToLowerInvariant();

    /// <summary>The answers of the sample site, byte for byte but for the moment and the time in them.</summary>
    private static byte[][] MakeReports()
    {
        var reports = new Reports(new StrikeLog());
        return [.. Reports.Names.Order(StringComparer.Ordinal)
            .Select(name => JsonSerializer.SerializeToUtf8Bytes(reports.Compute(name)!, SampleJson.Default.Report))];
    }

    private static async Task<DiskCache> FillAsync(DiskDistributedCacheOptions options, byte[][] reports)
    {
        var cache = await OurCache.OpenAsync(options);
        for (int entry = 0; entry < Entries; entry++)
        {
            await cache.SetAsync(Workload.KeyOf(entry), reports[entry % reports.Length], s_noExpiry);
        }

        return cache;
    }

    private static async Task GetAsync(DiskCache cache, byte[][] reports, Stint stint)
    {
        var buffer = new System.Buffers.ArrayBufferWriter<byte>(1 << 20);
        for (int entry = 0; stint.GoesOn(); entry = (entry + 1) % Entries)
        {
            buffer.ResetWrittenCount();
            if (!await cache.TryGetAsync(Workload.KeyOf(entry), buffer) || buffer.WrittenCount != reports[entry % reports.Length].Length)
            {
                throw new InvalidDataException($"A read of '{Workload.KeyOf(entry)}' did not return what was stored.");
            }
        }
    }

    private static async Task SetAsync(DiskCache cache, byte[][] reports, Stint stint)
    {
        for (int entry = 0; stint.GoesOn(); entry = (entry + 1) % Entries)
        {
            await cache.SetAsync(Workload.KeyOf(entry), reports[entry % reports.Length], s_noExpiry);
        }
    }

    private static DiskDistributedCacheOptions OptionsFor(DiskCacheCompression setting, string directory) => new()
    {
        Directory = directory,
        MaxMemoryBytes = 0,
        Compression = setting,
    };
}
