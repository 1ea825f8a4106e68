namespace DiskDistributedCache.Benchmarks.HitRatios;

/// <summary>The command line of <c>hitratio</c>.</summary>
internal sealed record HitRatioArguments
{
    public const string Usage = """
        usage: hitratio [--tiers] [--dir DIRECTORY] [FILE]...
          FILE     a trace: a request a line, key and size in bytes, decimal, a space between them; .gz is unpacked
                   (default: the traces that come with this project)
          --tiers  replay also through memory and disk together: minutes, and writes gigabytes
          --dir    where the files of --tiers are made, and deleted afterwards (default: the temp directory)
        """;

    /// <summary>The traces that come with the project, beside its assembly.</summary>
    public static IReadOnlyList<string> OwnTraces { get; } =
        [.. new[] { "web07", "orm-busy" }.Select(name => Path.Combine(AppContext.BaseDirectory, "Traces", name + ".txt.gz"))];

    public IReadOnlyList<string> Files { get; init; } = [];

    public string Directory { get; init; } = Path.GetTempPath();

    public bool WithTiers { get; init; }

    /// <param name="arguments">What follows the name of the command.</param>
    /// <exception cref="ArgumentException">The arguments are not those of <see cref="Usage"/>.</exception>
    public static HitRatioArguments Parse(IReadOnlyList<string> arguments)
    {
        var parsed = new HitRatioArguments();
        for (int i = 0; i < arguments.Count; i++)
        {
            parsed = arguments[i] switch
            {
                "--tiers" => parsed with { WithTiers = true },
                "--dir" when i + 1 < arguments.Count => parsed with { Directory = arguments[++i] },
                "--dir" => throw new ArgumentException("'--dir' needs a value."),
                ['-', ..] => throw new ArgumentException($"'{arguments[i]}' is not an argument."),
                _ => parsed with { Files = [.. parsed.Files, arguments[i]] },
            };
        }

        return parsed.Files.Count > 0 ? parsed : parsed with { Files = OwnTraces };
    }
}
