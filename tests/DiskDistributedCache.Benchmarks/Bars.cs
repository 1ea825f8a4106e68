using System.Globalization;
using System.IO.Enumeration;

namespace DiskDistributedCache.Benchmarks;

/// <summary>What a figure of a claim has to reach: at least or at most a limit.</summary>
internal sealed record Bar(string Pattern, string Figure, bool IsAtLeast, double Limit)
{
    public const string Word = "bar";

    public bool IsMetBy(double value) => IsAtLeast ? value >= Limit : value <= Limit;

    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Figure}{(IsAtLeast ? ">=" : "<=")}{Limit:0.####}");
}

/// <summary>
/// The bars of all claims. A ratio is the time of the other by ours, so "at most four times the time of a raw read" is a ratio of at least
/// a quarter. Quick runs have other names where a smaller store must not pass for the claim, and then no bar.
/// </summary>
internal static class Bars
{
    private const string Ratio = "ratio";

    /// <summary>An entry's objects and arrays without the bytes of its value: what a hit that was promoted may allocate beyond the value.</summary>
    public const int EntryBytes = 512;

    private static readonly Bar[] s_all =
    [
        AtLeast("disk-get-1k-?t-vs-neosmart", Ratio, 15),
        AtLeast("disk-get-1k-?t-vs-file*", Ratio, 3),
        AtLeast("disk-get-1k-?t-vs-rocksdb", Ratio, 1),
        AtLeast("disk-get-1k-?t-vs-raw", Ratio, 0.25),
        AtLeast("disk-set-1k-1t-vs-neosmart", Ratio, 10),
        AtLeast("disk-set-1k-64c-vs-neosmart", Ratio, 40),
        AtLeast("disk-set-1k-64c-vs-raw-batch", Ratio, 0.125),
        .. from size in new[] { "16k", "128k" }
           from rival in new[] { "neosmart", "file", "file-gzip", "rocksdb", "faster" }
           select AtLeast($"disk-?et-{size}-*-vs-{rival}", Ratio, 1),

        AtLeast("mem-get-zipf-1k-?t-vs-memorycache", Ratio, 2),
        AtLeast("mem-set-1k-evicting-?t-vs-memorycache", Ratio, 1),

        AtMost("*-1m-*", "index-bytes-per-entry", 40),
        AtMost("index-10m", "process-bytes-per-entry", 40),
        AtLeast("growth-get-10m-vs-10k", Ratio, 0.5),

        AtMost("reopen-1m-clean", "us-per-entry", 1),
        AtMost("reopen-1m-killed", "us-per-entry", 1),
        AtMost("reopen-*-meanwhile", "set-p99-ms", 100),

        AtLeast("reclaim-set-1k-*", Ratio, 0.7),
        AtLeast("reclaim-get-1k-p99", Ratio, 0.5),
        AtMost("reclaim-write-amplification-*", "written-per-byte", 1.4),

        AtMost("fallback-*", "p99.9-ms", 100),
        AtLeast("fallback-*-memory-hit", Ratio, 0.8),

        AtLeast("http-report-memory-vs-memorystore", Ratio, 0.9),
        AtLeast("http-report-disk-vs-redis", Ratio, 3),
        AtLeast("http-report-pipelined-memory-vs-memorystore", Ratio, 0.9),
        AtLeast("http-report-pipelined-disk-vs-redis", Ratio, 3),

        AtMost("mem-get-*", "bytes", 0),
        AtMost("mem-hit-*", "bytes", 0),
        AtMost("disk-hit-promoted-*", "beyond-value", EntryBytes),
        AtMost("buffer-*", "loh-bytes", 0),
    ];

    /// <summary>The bars of a result, each with whether it is met.</summary>
    public static IEnumerable<(Bar Bar, bool IsMet)> Of(ResultLine line) =>
        from bar in s_all
        where FileSystemName.MatchesSimpleExpression(bar.Pattern, line.Name, ignoreCase: false)
        let value = line[bar.Figure]
        where value is not null
        select (bar, bar.IsMetBy(value.Value));

    /// <summary>The line with its bars behind it.</summary>
    public static string Judge(string text) => ResultLine.TryParse(text) is not { } line ? text
        : string.Join(' ', Of(line).Select(one => $"{Bar.Word}={one.Bar} {(one.IsMet ? "met" : "missed")}").Prepend(text));

    private static Bar AtLeast(string pattern, string figure, double limit) => new(pattern, figure, IsAtLeast: true, limit);

    private static Bar AtMost(string pattern, string figure, double limit) => new(pattern, figure, IsAtLeast: false, limit);
}
