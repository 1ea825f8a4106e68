using System.Globalization;

namespace DiskDistributedCache.Benchmarks.HitRatios;

/// <summary>Prints rows as they come, and at the end what the whole table says.</summary>
internal sealed class HitRatioTable(TextWriter output)
{
    private readonly List<HitRatioRow> _rows = [];

    public void Begin(string title)
    {
        output.WriteLine(title);
        output.WriteLine(HitRatioRow.Header);
    }

    /// <param name="row">The row.</param>
    /// <param name="writeAmplification">Bytes written for each byte stored, where a disk is in the replay.</param>
    public void Add(HitRatioRow row, double? writeAmplification = null)
    {
        _rows.Add(row);
        output.WriteLine(row.ToString());
        if (writeAmplification is { } factor)
        {
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{"",-14} write amplification {factor:0.00}"));
        }

        output.Flush();
    }

    public void End()
    {
        if (_rows.Count == 0)
        {
            output.WriteLine("no row could be measured");
            return;
        }

        output.WriteLine(Means("mean of all rows", _rows, reference: null));
        HitRatioRow[] known = [.. _rows.Where(row => row.Reference is not null)];
        if (known.Length > 0)
        {
            output.WriteLine(Means("mean of rows with reference", known, [.. known.Select(row => row.Reference!)]));
            output.WriteLine($"more than a point below the best policy: {NamesOf(_rows.Where(row => row.IsBelowBest))}");
        }

        output.WriteLine($"more than a point below LRU: {NamesOf(_rows.Where(row => row.IsBelowLru))}");
        output.WriteLine();
    }

    private static string Means(string title, IReadOnlyCollection<HitRatioRow> rows, ReferenceRatios[]? reference)
    {
        var figures = new List<(string Name, double Percent)>
        {
            ("ours", rows.Average(row => row.Ours.OfRequests)),
        };
        if (reference is null)
        {
            figures.Add(("LRU", rows.Average(row => row.Lru.OfRequests)));
        }
        else
        {
            figures.AddRange(ReferenceRatios.Policies.Select((policy, i) => (policy, reference.Average(row => row.Percents[i]))));
        }

        return $"{title} ({rows.Count}): " + string.Join(
            ", ", figures.Select(figure => string.Create(CultureInfo.InvariantCulture, $"{figure.Name} {figure.Percent:0.00}")));
    }

    private static string NamesOf(IEnumerable<HitRatioRow> rows)
    {
        string[] names = [.. rows.Select(row => row.Name)];
        return names.Length == 0 ? "no row" : string.Join(", ", names);
    }
}
