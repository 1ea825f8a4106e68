using System.Globalization;
using System.Text.Json;

namespace DiskDistributedCache.Reliability.Coverage;

/// <summary>
/// Which lines and branches of the sources were run, from the files that coverlet writes: a line or branch counts as soon as one of them
/// has it. What the compiler or a generator wrote (logging, regular expressions, binding of options) is not among it.
/// </summary>
internal sealed class CoveredSources
{
    private static readonly string[] s_products = ["src/DiskDistributedCache/", "src/DiskDistributedCache.AspNetCore/"];

    private readonly SortedDictionary<string, SourceFile> _files = new(StringComparer.Ordinal);

    public IEnumerable<SourceFile> Files => _files.Values;

    /// <summary>Adds what a run has covered.</summary>
    public void Add(string path)
    {
        using var stream = File.OpenRead(path);
        var modules = JsonSerializer.Deserialize<Dictionary<string, Dictionary<string, Dictionary<string, Dictionary<string, Method>>>>>(stream)
            ?? throw new InvalidDataException($"There is nothing in {path}.");
        foreach (var (file, classes) in modules.Values.SelectMany(module => module))
        {
            if (NameOf(file) is { } name)
            {
                var source = _files.TryGetValue(name, out var known) ? known : _files[name] = new SourceFile(name);
                foreach (var (signature, method) in classes.Values.SelectMany(methods => methods))
                {
                    source.Add(signature, method);
                }
            }
        }
    }

    /// <summary>The path from <c>src</c> on; null where the file is not one of the products' own.</summary>
    private static string? NameOf(string path)
    {
        string unix = path.Replace('\\', '/');
        int at = unix.LastIndexOf("/src/", StringComparison.Ordinal) + 1;
        return at > 0 && !unix.Contains("/obj/", StringComparison.Ordinal) && s_products.Any(unix[at..].StartsWith) ? unix[at..] : null;
    }

    /// <summary>A method, as coverlet has it.</summary>
    internal sealed record Method(Dictionary<string, int> Lines, List<Branch> Branches);

    /// <summary>A way that a branch can go.</summary>
    internal sealed record Branch(int Line, int Offset, int Path, int Hits);
}

/// <summary>What of a file was run.</summary>
internal sealed class SourceFile(string name)
{
    private readonly SortedDictionary<int, bool> _lines = [];
    private readonly Dictionary<(string Method, int Line, int Offset, int Path), bool> _branches = [];

    public string Name => name;

    public Share Lines => new(_lines.Values.Count(isCovered => isCovered), _lines.Count);

    public Share Branches => new(_branches.Values.Count(isCovered => isCovered), _branches.Count);

    /// <summary>Lines that were not run.</summary>
    public IEnumerable<int> MissingLines => _lines.Where(line => !line.Value).Select(line => line.Key);

    /// <summary>Lines of which a branch went one way only.</summary>
    public IEnumerable<int> MissingBranches => _branches.Where(branch => !branch.Value).Select(branch => branch.Key.Line).Distinct().Order();

    public void Add(string signature, CoveredSources.Method method)
    {
        foreach (var (line, hits) in method.Lines)
        {
            int number = int.Parse(line, CultureInfo.InvariantCulture);
            _lines[number] = (_lines.TryGetValue(number, out bool before) && before) || hits > 0;
        }

        foreach (var branch in method.Branches)
        {
            var key = (signature, branch.Line, branch.Offset, branch.Path);
            _branches[key] = (_branches.TryGetValue(key, out bool before) && before) || branch.Hits > 0;
        }
    }
}

/// <summary>So many of so many.</summary>
internal readonly record struct Share(int Covered, int All)
{
    public double Percent => All == 0 ? 100 : 100.0 * Covered / All;

    public static Share operator +(Share left, Share right) => new(left.Covered + right.Covered, left.All + right.All);

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Percent:0.0} % ({Covered:#,0} of {All:#,0})");
}
