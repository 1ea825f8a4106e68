using System.Globalization;
using System.Text;

namespace DiskDistributedCache.Benchmarks;

/// <summary>
/// Draws the results of kind <c>growth</c> as SVG: a panel for the entries and one for the callers, both axes logarithmic, a line for gets, one
/// for sets, and for the entries one for plain reads of the same files. Text and axes have a grey that can be read on white and on black; there is no background.
/// </summary>
internal static class GrowthPlot
{
    private const int PanelWidth = 360;
    private const int Height = 260;
    private const int Left = 52;
    private const int Right = 16;
    private const int Top = 30;
    private const int Bottom = 46;
    private const string Grey = "#808080";

    private static readonly (string Suffix, string Title, string Axis)[] s_panels =
    [
        ("by-entries", "100 bytes, one caller", "entries in the store"),
        ("by-callers", "1 KiB, all callers together", "callers"),
    ];

    private static readonly (string Prefix, string Name, string Colour)[] s_lines = 
        [("get", "get", "#2f81f7"), ("set", "set", "#d9730d"), ("raw", "plain read", Grey)];

    /// <summary>Null where there is nothing to draw.</summary>
    public static string? Draw(IEnumerable<ResultLine> results)
    {
        ResultLine[] growth = [.. results.Where(line => line is { Kind: "growth" } && line["at"] > 0 && line["us"] > 0)];
        var panels = s_panels.Select(panel => (Panel: panel, Lines: LinesOf(growth, panel.Suffix))).Where(one => one.Lines.Count > 0).ToArray();
        if (panels.Length == 0)
        {
            return null;
        }

        var svg = new StringBuilder();
        svg.Append(
            CultureInfo.InvariantCulture,
            $"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {PanelWidth * panels.Length} {Height}\" width=\"{PanelWidth * panels.Length}\" "
            + $"height=\"{Height}\" font-family=\"sans-serif\" font-size=\"11\" fill=\"{Grey}\" role=\"img\">\n");
        svg.Append("<title>Microseconds per operation of the disk tier, by entries and by callers</title>\n");
        for (int i = 0; i < panels.Length; i++)
        {
            var ((_, title, axis), lines) = panels[i];
            svg.Append(CultureInfo.InvariantCulture, $"<g transform=\"translate({i * PanelWidth} 0)\">\n");
            Draw(svg, title, axis, lines);
            svg.Append("</g>\n");
        }

        return svg.Append("</svg>\n").ToString();
    }

    private static List<(string Name, string Colour, (double At, double Time)[] Points)> LinesOf(ResultLine[] growth, string suffix) =>
    [
        .. from line in s_lines
           let points = growth.Where(one => one.Name.StartsWith(line.Prefix, StringComparison.Ordinal) && one.Name.EndsWith(suffix, StringComparison.Ordinal))
               .Select(one => (At: one["at"]!.Value, Time: one["us"]!.Value)).OrderBy(point => point.At).ToArray()
           where points.Length > 0
           select (line.Name, line.Colour, points),
    ];

    private static void Draw(
        StringBuilder svg, string title, string axis, List<(string Name, string Colour, (double At, double Time)[] Points)> lines)
    {
        var across = new LogScale(lines.SelectMany(line => line.Points).Select(point => point.At), Left, PanelWidth - Right, isWhole: false);
        var up = new LogScale(lines.SelectMany(line => line.Points).Select(point => point.Time), Height - Bottom, Top, isWhole: true);
        Text(svg, (Left + PanelWidth - Right) / 2.0, 16, "middle", title);
        Text(svg, (Left + PanelWidth - Right) / 2.0, Height - 8, "middle", axis);
        Text(svg, 8, Top - 14, "start", "µs");
        foreach (double at in lines.SelectMany(line => line.Points).Select(point => point.At).Distinct().Order())
        {
            Line(svg, across.Place(at), Top, across.Place(at), Height - Bottom);
            Text(svg, across.Place(at), Height - Bottom + 16, "middle", Short(at));
        }

        foreach (double time in up.Ticks)
        {
            Line(svg, Left, up.Place(time), PanelWidth - Right, up.Place(time));
            Text(svg, Left - 6, up.Place(time) + 4, "end", time.ToString("0.###", CultureInfo.InvariantCulture));
        }

        foreach (var (name, colour, points) in lines)
        {
            string path = string.Join(' ', points.Select(point => string.Create(
                CultureInfo.InvariantCulture, $"{across.Place(point.At):0.0},{up.Place(point.Time):0.0}")));
            svg.Append(CultureInfo.InvariantCulture, $"<polyline points=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\n");
            foreach (var (at, time) in points)
            {
                svg.Append(
                    CultureInfo.InvariantCulture,
                    $"<circle cx=\"{across.Place(at):0.0}\" cy=\"{up.Place(time):0.0}\" r=\"3\" fill=\"{colour}\"><title>{name} at {Short(at)}: {time:0.00} µs</title></circle>\n");
            }

            svg.Append(
                CultureInfo.InvariantCulture,
                $"<text x=\"{across.Place(points[^1].At):0.0}\" y=\"{up.Place(points[^1].Time) - 8:0.0}\" text-anchor=\"end\" fill=\"{colour}\">{name}</text>\n");
        }
    }

    private static string Short(double number) => number switch
    {
        >= 1e6 => (number / 1e6).ToString("0.##", CultureInfo.InvariantCulture) + " M",
        >= 1e3 => (number / 1e3).ToString("0.##", CultureInfo.InvariantCulture) + " k",
        _ => number.ToString("0.##", CultureInfo.InvariantCulture),
    };

    private static void Text(StringBuilder svg, double x, double y, string anchor, string text) =>
        svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{x:0.0}\" y=\"{y:0.0}\" text-anchor=\"{anchor}\">{text}</text>\n");

    private static void Line(StringBuilder svg, double x1, double y1, double x2, double y2) => svg.Append(
        CultureInfo.InvariantCulture,
        $"<line x1=\"{x1:0.0}\" y1=\"{y1:0.0}\" x2=\"{x2:0.0}\" y2=\"{y2:0.0}\" stroke=\"{Grey}\" stroke-opacity=\"0.35\"/>\n");

    /// <summary>Where a number is on a logarithmic axis; a whole one begins and ends at 1, 2 or 5 of a power of ten.</summary>
    private sealed class LogScale
    {
        private static readonly double[] s_steps = [1, 2, 5];

        private readonly double _first;
        private readonly double _last;
        private readonly double _from;
        private readonly double _to;

        public LogScale(IEnumerable<double> numbers, double from, double to, bool isWhole)
        {
            double[] all = [.. numbers];
            (_first, _last, _from, _to) = (all.Min(), all.Max(), from, to);
            if (isWhole)
            {
                double[] steps = [.. Enumerable.Range(-6, 16).SelectMany(power => s_steps.Select(step => step * Math.Pow(10, power)))];
                _first = steps.Last(step => step <= _first);
                _last = steps.First(step => step >= _last && step > _first);
                Ticks = [.. steps.Where(step => step >= _first && step <= _last)];
            }
        }

        public IReadOnlyList<double> Ticks { get; } = [];

        public double Place(double number) =>
            _last > _first ? _from + ((_to - _from) * Math.Log(number / _first) / Math.Log(_last / _first)) : (_from + _to) / 2;
    }
}
