namespace DiskDistributedCache.Tests;

/// <summary>
/// The C# of the documentation is code that is compiled and run: every block stands, line by line, in a file of the application
/// that uses the packages, in the example of the faults, or among the recipes for clients.
/// </summary>
public sealed class SnippetTests
{
    private static readonly string s_root = FindRoot();

    private static readonly (string File, string[] Lines)[] s_sources =
        Directory.EnumerateFiles(InRoot("tests", "DiskDistributedCache.PackageConsumer", "Snippets"), "*.cs")
            .Append(InRoot("tests", "DiskDistributedCache.Tests", "Testing", "ExampleTests.cs"))
            .Append(InRoot("tests", "DiskDistributedCache.AspNetCore.Tests", "Clients", "ClientRecipes.cs"))
            .Select(file => (file, File.ReadAllLines(file)))
            .ToArray();

    // Seen to fail with a character of a snippet changed in the README, and with one changed in its file.
    [Fact]
    public void Every_block_of_code_in_the_documentation_is_compiled_and_run()
    {
        var blocks = Documents().SelectMany(BlocksOf).ToArray();
        Assert.Contains(blocks, block => block.Document == "README.md");

        var invented = blocks
            .Where(block => !s_sources.Any(source => Stands(block.Lines, source.Lines)))
            .Select(block => $"{block.Document}:{block.Line} stands in none of the files that are compiled.");

        Assert.Empty(invented);
    }

    [Fact]
    public void A_block_is_found_at_any_depth_and_only_as_a_whole()
    {
        string[] source = ["{", "    if (yes)", "", "        Do();", "}"];

        Assert.True(Stands(["if (yes)", "", "    Do();"], source));
        Assert.False(Stands(["if (yes)", "    Do();"], source));
        Assert.False(Stands(["if (yes)", "", "Do();"], source));
        Assert.False(Stands(["Do();", "}"], source));
    }

    private static IEnumerable<string> Documents() =>
        Directory.EnumerateFiles(s_root, "*.md")
            .Concat(Directory.EnumerateFiles(InRoot("docs"), "*.md"))
            .Concat(Directory.EnumerateDirectories(InRoot("src")).Select(project => Path.Combine(project, "README.md")).Where(File.Exists));

    private static IEnumerable<(string Document, int Line, string[] Lines)> BlocksOf(string file)
    {
        string[] lines = File.ReadAllLines(file);
        for (int i = 0; i < lines.Length; i++)
        {
            if (lines[i].Trim() == "```csharp")
            {
                int end = Array.FindIndex(lines, i + 1, line => line.Trim() == "```");
                yield return (Path.GetRelativePath(s_root, file), i + 1, lines[(i + 1)..end]);
            }
        }
    }

    /// <summary>Whether the lines stand in a source one after the other, all of them moved to the right by the same number of spaces.</summary>
    private static bool Stands(string[] lines, string[] source)
    {
        for (int at = 0; at <= source.Length - lines.Length; at++)
        {
            int depth = source[at].Length - source[at].TrimStart().Length;
            string indent = new(' ', depth);
            if (lines.Zip(source[at..]).All(pair => pair.First.Length == 0 ? pair.Second.Length == 0 : indent + pair.First == pair.Second))
            {
                return true;
            }
        }

        return false;
    }

    private static string InRoot(params string[] parts) => Path.Combine([s_root, .. parts]);

    private static string FindRoot()
    {
        string root = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(root, "DiskDistributedCache.sln")))
        {
            root = Path.GetDirectoryName(root) ?? throw new InvalidOperationException("The tests do not run inside the repository.");
        }

        return root;
    }
}
