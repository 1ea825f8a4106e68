using System.Globalization;

namespace DiskDistributedCache.Reliability.Harness;

/// <summary>The command line.</summary>
internal sealed record ReliabilityArguments
{
    public const string Usage = """
        usage: --scale pr|nightly|release [--only NAME]... [--seed N] [--case N] [--first N] [--count N] [--out DIRECTORY] [--stop-at-first]
          --scale          how much: within 5 minutes, within 4 hours, or for a release
          --only           only this family; may be given several times
          --seed           the seed of the run (default 1); a failure prints it
          --case           only this case of the families; a failure prints it
          --first          the first case (default 0): with --count, a run in several parts, which the report adds up
          --count          so many cases of each family, whatever the scale says
          --out            where results, the report and the images of failures go (default artifacts/reliability)
          --stop-at-first  a family ends with its first violation
        or:    report [--scale pr|nightly|release] [--out DIRECTORY]
          prints the report of the results in that directory, one row for all parts of a family
        or:    plants [--only PLANT]... [--seed N] [--out DIRECTORY]
          plants bugs into a copy of the sources and says which family catches which
        """;

    public Scale Scale { get; init; } = Scale.Pr;

    public IReadOnlyList<string> Only { get; init; } = [];

    public int Seed { get; init; } = 1;

    public int? Case { get; init; }

    /// <summary>The number of the first case, for a run in several parts.</summary>
    public int First { get; init; }

    public int? Count { get; init; }

    /// <summary>The bugs that are planted; none for all of them.</summary>
    public IReadOnlyList<string> Plants { get; init; } = [];

    public string Directory { get; init; } = Path.Combine("artifacts", "reliability");

    public bool StopsAtFirst { get; init; }

    public bool OnlyReports { get; init; }

    /// <exception cref="ArgumentException">The arguments are not those of <see cref="Usage"/>.</exception>
    public static ReliabilityArguments Parse(IReadOnlyList<string> arguments)
    {
        var parsed = new ReliabilityArguments();
        for (int i = 0; i < arguments.Count; i++)
        {
            parsed = arguments[i] switch
            {
                "report" when i == 0 => parsed with { OnlyReports = true },
                "plants" when i == 0 => parsed with { Scale = Scale.Nightly, Only = ["plants"] },
                "--only" when arguments[0] == "plants" => parsed with { Plants = [.. parsed.Plants, ValueAfter(arguments, ref i)] },
                "--scale" => parsed with { Scale = ScaleOf(ValueAfter(arguments, ref i)) },
                "--only" => parsed with { Only = [.. parsed.Only, ValueAfter(arguments, ref i)] },
                "--seed" => parsed with { Seed = NumberOf(ValueAfter(arguments, ref i)) },
                "--case" => parsed with { Case = NumberOf(ValueAfter(arguments, ref i)) },
                "--first" => parsed with { First = NumberOf(ValueAfter(arguments, ref i)) },
                "--count" => parsed with { Count = NumberOf(ValueAfter(arguments, ref i)) },
                "--out" => parsed with { Directory = ValueAfter(arguments, ref i) },
                "--stop-at-first" => parsed with { StopsAtFirst = true },
                _ => throw new ArgumentException($"'{arguments[i]}' is not an argument."),
            };
        }

        return parsed;
    }

    private static Scale ScaleOf(string text) => Enum.TryParse<Scale>(text, ignoreCase: true, out var scale) && Enum.IsDefined(scale)
        ? scale
        : throw new ArgumentException($"'{text}' is not a scale: pr, nightly or release.");

    private static int NumberOf(string text) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number)
        ? number
        : throw new ArgumentException($"'{text}' is not a number from 0 to {int.MaxValue}.");

    private static string ValueAfter(IReadOnlyList<string> arguments, ref int i) =>
        ++i < arguments.Count ? arguments[i] : throw new ArgumentException($"'{arguments[i - 1]}' needs a value.");
}
