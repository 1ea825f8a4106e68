using System.Globalization;
using System.Xml.Linq;
using DiskDistributedCache.Benchmarks;

namespace DiskDistributedCache.Tests.Benchmarks;

/// <summary>What the benchmark project makes of the output of its claims.</summary>
public sealed class ResultTests
{
    private static readonly string[] s_output =
    [
        "[  12.3 s] disk-get-1k-1t round 7 of 7",
        "claim disk-get-1k-1t-vs-neosmart ratio=18.44 ours=3.336 other=61.501 bar=ratio>=15 met",
        "claim disk-get-1k-1t-vs-file ratio=2.59 ours=3.336 other=8.623 bar=ratio>=3 missed",
        "alloc mem-get-1k bytes=0 bar=bytes<=0 met",
        "claim reopen-1m-clean us-per-entry=0.343 bytes-read-per-entry=32.0 index-bytes-per-entry=39.0",
        "growth get-by-entries at=10000 us=1.905",
        "growth get-by-entries at=10000000 us=3.100",
        "growth set-by-entries at=10000 us=9.500",
        "growth set-by-entries at=10000000 us=11.250",
        "growth get-1k-by-callers at=64 us=0.500",
    ];

    [Fact]
    public void A_saved_line_is_read_without_its_verdict()
    {
        var line = ResultLine.TryParse(s_output[2])!;

        Assert.Equal(("claim", "disk-get-1k-1t-vs-file"), (line.Kind, line.Name));
        Assert.Equal(["ratio", "ours", "other"], line.Figures.Select(figure => figure.Key));
        Assert.Equal(8.623, line["other"]);
        Assert.Null(line["bytes"]);
        Assert.Null(ResultLine.TryParse(s_output[0]));
    }

    [Theory]
    [InlineData("claim disk-get-1k-2t-vs-raw ratio=0.25 ours=4.000 other=1.000", " bar=ratio>=0.25 met")]
    [InlineData("claim disk-get-1k-2t-vs-raw ratio=0.24 ours=4.100 other=1.000", " bar=ratio>=0.25 missed")]
    [InlineData("claim fallback-hang p50-ms=0.010 p99.9-ms=100.1", " bar=p99.9-ms<=100 missed")]
    [InlineData("claim reopen-100k-killed us-per-entry=2.000", "")]
    [InlineData("claim disk-get-1k-1t-vs-redis ratio=9.00 ours=1.000 other=9.000", "")]
    public void A_result_says_whether_it_reaches_its_bar(string result, string said) => Assert.Equal(result + said, Bars.Judge(result));

    [Fact]
    public void Every_result_is_in_a_table_with_its_bar()
    {
        string text = ResultTables.Write(ResultLine.ReadAll(s_output));

        Assert.Contains("| `disk-get-1k-1t-vs-neosmart` | 3.336 | 61.501 | 18.44 | ratio ≥ 15 | met |", text, StringComparison.Ordinal);
        Assert.Contains("| `disk-get-1k-1t-vs-file` | 3.336 | 8.623 | 2.59 | ratio ≥ 3 | **missed** |", text, StringComparison.Ordinal);
        Assert.Contains("| `mem-get-1k` | bytes 0 | bytes ≤ 0 | met |", text, StringComparison.Ordinal);
        Assert.Contains("| 10,000,000 | 3.10 | 11.25 |", text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_later_result_takes_the_place_of_an_earlier_one()
    {
        var results = ResultLine.ReadAll([.. s_output, "growth get-by-entries at=10000 us=2.000"]);

        Assert.Equal(s_output.Length - 1, results.Count);
        Assert.Equal(2.0, results.First(line => line.Kind == "growth")["us"]);
    }

    [Fact]
    public void The_plot_is_well_formed_and_everything_is_inside()
    {
        var svg = XElement.Parse(GrowthPlot.Draw(ResultLine.ReadAll(s_output))!);

        Assert.Equal("0 0 720 260", svg.Attribute("viewBox")!.Value);
        var points = svg.Descendants().Where(element => element.Name.LocalName == "circle").ToArray();
        Assert.Equal(5, points.Length);
        Assert.All(points, point =>
        {
            Assert.InRange(Number(point, "cx"), 0, 360);
            Assert.InRange(Number(point, "cy"), 0, 260);
        });

        // More entries are further to the right, more time is further up.
        Assert.True(Number(points[0], "cx") < Number(points[1], "cx"));
        Assert.True(Number(points[0], "cy") > Number(points[1], "cy"));
        Assert.Null(GrowthPlot.Draw([]));
    }

    private static double Number(XElement element, string attribute) =>
        double.Parse(element.Attribute(attribute)!.Value, CultureInfo.InvariantCulture);
}
