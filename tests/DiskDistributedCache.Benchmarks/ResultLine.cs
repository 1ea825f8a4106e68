using System.Globalization;

namespace DiskDistributedCache.Benchmarks;

/// <summary>
/// One line of results: its kind (<c>claim</c>, <c>alloc</c> or <c>growth</c>), its name, and named figures. What follows them, the bars
/// and whether they are met, is not kept: <see cref="Bars"/> says it anew.
/// </summary>
internal sealed record ResultLine(string Kind, string Name, IReadOnlyList<KeyValuePair<string, string>> Figures)
{
    public static IReadOnlyList<string> Kinds { get; } = ["claim", "alloc", "growth"];

    /// <summary>The value of a figure, null where the line has none of this name.</summary>
    public double? this[string figure] => Figures.FirstOrDefault(one => one.Key == figure).Value is { } value
        && double.TryParse(value, CultureInfo.InvariantCulture, out double number) ? number : null;

    /// <summary>Null where the text is something else, such as a line of progress.</summary>
    public static ResultLine? TryParse(string text)
    {
        if (text.Split(' ', StringSplitOptions.RemoveEmptyEntries) is not [var kind, var name, .. var rest] || !Kinds.Contains(kind))
        {
            return null;
        }

        KeyValuePair<string, string>[] figures =
        [
            .. from word in rest
               let parts = word.Split('=', 2)
               where parts.Length == 2 && parts[0] != Bar.Word
               select KeyValuePair.Create(parts[0], parts[1]),
        ];
        return figures.Length > 0 ? new ResultLine(kind, name, figures) : null;
    }

    /// <summary>The results in saved output, in their order. A later line takes the place of an earlier one of the same kind, name and place.</summary>
    public static IReadOnlyList<ResultLine> ReadAll(IEnumerable<string> texts)
    {
        var lines = new List<ResultLine>();
        foreach (var line in texts.Select(TryParse).OfType<ResultLine>())
        {
            int same = lines.FindIndex(one => one.Kind == line.Kind && one.Name == line.Name && one["at"] == line["at"]);
            if (same < 0)
            {
                lines.Add(line);
            }
            else
            {
                lines[same] = line;
            }
        }

        return lines;
    }
}
