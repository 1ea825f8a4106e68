namespace DiskDistributedCache.Tests.Infrastructure;

/// <summary>The tables of docs/operations.md, which the code has to be equal to.</summary>
internal static class OperationsPage
{
    /// <summary>The first columns of the rows of the table in a section that begin with a name in code, without the marks of code.</summary>
    public static IEnumerable<string[]> Rows(string section, int columnCount)
    {
        string page = File.ReadAllText(Find());
        string text = page[page.IndexOf($"\n## {section}\n", StringComparison.Ordinal)..].Split("\n## ")[1];
        return text.Split('\n')
            .Where(line => line.StartsWith("| `", StringComparison.Ordinal))
            .Select(line => line.Replace("`", "", StringComparison.Ordinal).Split('|', StringSplitOptions.TrimEntries)[1..(columnCount + 1)]);
    }

    public static string Find()
    {
        string root = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(root, "DiskDistributedCache.sln")))
        {
            root = Path.GetDirectoryName(root) ?? throw new InvalidOperationException("The tests do not run inside the repository.");
        }

        return Path.Combine(root, "docs", "operations.md");
    }
}
