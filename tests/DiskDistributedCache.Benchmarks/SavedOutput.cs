namespace DiskDistributedCache.Benchmarks;

/// <summary>The commands that make something of the saved output of <c>claims</c>, and print it.</summary>
internal static class SavedOutput
{
    public const string Usage = """
        usage: table FILE...   the results in saved output as tables in Markdown
               plot FILE...    those of how the cost grows as SVG
        """;

    /// <returns>The exit code: 0, or 1 when there is nothing to make it of.</returns>
    public static Task<int> TableAsync(IReadOnlyList<string> files) => PrintAsync(files, results => results.Count == 0 ? null : ResultTables.Write(results));

    /// <inheritdoc cref="TableAsync"/>
    public static Task<int> PlotAsync(IReadOnlyList<string> files) => PrintAsync(files, GrowthPlot.Draw);

    private static async Task<int> PrintAsync(IReadOnlyList<string> files, Func<IReadOnlyList<ResultLine>, string?> make)
    {
        try
        {
            string? text = make(ResultLine.ReadAll(files.SelectMany(File.ReadAllLines)));
            if (text is not null)
            {
                await Console.Out.WriteAsync(text);
                return 0;
            }

            Console.Error.WriteLine("There is no such result in these files.");
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine(problem.Message);
        }

        return 1;
    }
}
