namespace DiskDistributedCache.Benchmarks;

/// <summary>The command line of <c>claims</c>.</summary>
internal sealed record ClaimsArguments
{
    public const string Usage = """
        usage: claims [--quick] [--only NAME]... [--dir DIRECTORY] [--list]
          --quick  fewer entries and shorter rounds: within a minute; the ratios are rougher
          --only   only the claims whose name contains NAME; may be given several times
          --dir    where the files of the run are made, and deleted afterwards (default: the temp directory)
          --list   print the names of the claims and stop
        """;

    public Scale Scale { get; init; } = Scale.Full;

    public IReadOnlyList<string> Only { get; init; } = [];

    public string Directory { get; init; } = Path.GetTempPath();

    public bool ListsNames { get; init; }

    /// <param name="arguments">What follows the name of the command.</param>
    /// <exception cref="ArgumentException">The arguments are not those of <see cref="Usage"/>.</exception>
    public static ClaimsArguments Parse(IReadOnlyList<string> arguments)
    {
        var parsed = new ClaimsArguments();
        for (int i = 0; i < arguments.Count; i++)
        {
            parsed = arguments[i] switch
            {
                "--quick" => parsed with { Scale = Scale.Quick },
                "--list" => parsed with { ListsNames = true },
                "--only" => parsed with { Only = [.. parsed.Only, ValueAfter(arguments, ref i)] },
                "--dir" => parsed with { Directory = ValueAfter(arguments, ref i) },
                _ => throw new ArgumentException($"'{arguments[i]}' is not an argument."),
            };
        }

        return parsed;
    }

    private static string ValueAfter(IReadOnlyList<string> arguments, ref int i) =>
        ++i < arguments.Count ? arguments[i] : throw new ArgumentException($"'{arguments[i - 1]}' needs a value.");
}
