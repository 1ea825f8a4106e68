using System.Diagnostics;
using System.Globalization;

namespace DiskDistributedCache.Reliability.Soaking;

/// <summary>
/// What must not grow while a cache works: handles, threads, managed memory after a full collection, and bytes on disk. The median of
/// the last third of the time is compared with that of the second; the first is for warming up.
/// </summary>
internal sealed class Gauges(string folder)
{
    private const int FewReadings = 9;

    private static readonly Gauge[] s_gauges =
    [
        new("handles", _ => Directory.Exists("/proc/self/fd") ? Directory.GetFileSystemEntries("/proc/self/fd").Length : 0, 10, "#,0"),
        new("threads", _ => ThreadCount(), 10, "#,0"),
        new("MiB of heap", _ => MiB(GC.GetTotalMemory(forceFullCollection: false)), 6, "0.0"),
        new("MiB on disk", folder => MiB(BytesIn(folder)), 8, "0.0"),
    ];

    private readonly List<double[]> _readings = [];
    private readonly Dictionary<DiskCacheMode, int> _modes = [];

    /// <summary>How often each mode was met.</summary>
    public string Modes => string.Join(", ", _modes.OrderBy(mode => mode.Key).Select(mode => $"{mode.Key} {100 * mode.Value / _readings.Count} %"));

    /// <summary>What has grown, or null.</summary>
    public string? Growth
    {
        get
        {
            var grown = s_gauges.Where((gauge, which) =>
                _readings.Count >= FewReadings && Median(which, 2) > (Median(which, 1) * 1.1) + gauge.Tolerance);
            return grown.Any() ? $"{string.Join(" and ", grown.Select(gauge => gauge.Name))} grew: {this}" : null;
        }
    }

    public static void Collect()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
    }

    public void Read(DiskCache cache)
    {
        Collect();
        _readings.Add([.. s_gauges.Select(gauge => gauge.Read(folder))]);
        var mode = cache.GetStatus().Mode;
        _modes[mode] = _modes.GetValueOrDefault(mode) + 1;
    }

    public override string ToString() => "Medians of the three thirds of the time: " + string.Join("; ", s_gauges.Select((gauge, which) =>
        $"{gauge.Name} {string.Join(", ", Enumerable.Range(0, 3).Select(third => Median(which, third).ToString(gauge.Format, CultureInfo.InvariantCulture)))}"));

    private double Median(int which, int third)
    {
        int length = _readings.Count / 3;
        double[] sorted = [.. _readings.Skip(third * length).Take(Math.Max(1, length)).Select(reading => reading[which]).Order()];
        return sorted.Length == 0 ? 0 : sorted[sorted.Length / 2];
    }

    private static int ThreadCount()
    {
        using var process = Process.GetCurrentProcess();
        return process.Threads.Count;
    }

    private static long BytesIn(string folder) => new DirectoryInfo(folder).EnumerateFiles("*", SearchOption.AllDirectories).Sum(LengthOf);

    /// <summary>A file may go between its listing and the look at it.</summary>
    private static long LengthOf(FileInfo file)
    {
        try
        {
            return file.Length;
        }
        catch (IOException)
        {
            return 0;
        }
    }

    private static double MiB(long bytes) => bytes / (double)(1 << 20);

    private sealed record Gauge(string Name, Func<string, double> Read, double Tolerance, string Format);
}
