using System.IO.Compression;
using System.Reflection.Metadata;
using System.Text;
using System.Text.RegularExpressions;

namespace PackageConsumer;

/// <summary>What is in the packages, and what is not.</summary>
internal static partial class PackedFiles
{
    public static void CheckAll(string feed, string sourceRoot)
    {
        string[] names = ["DiskDistributedCache", "DiskDistributedCache.AspNetCore", "DiskDistributedCache.Testing"];
        var packages = Directory.EnumerateFiles(feed, "*.nupkg").ToDictionary(file => VersionAndEnd().Replace(Path.GetFileName(file), ""));
        Check.Equal("the packages are these three", string.Join(' ', names), string.Join(' ', packages.Keys.Order()));
        foreach (string name in names)
        {
            CheckPackage(name, packages[name], sourceRoot);
        }
    }

    private static void CheckPackage(string name, string file, string sourceRoot)
    {
        using var package = ZipFile.OpenRead(file);
        using var symbols = ZipFile.OpenRead(Path.ChangeExtension(file, ".snupkg"));
        string manifest = Encoding.UTF8.GetString(Read(package, $"{name}.nuspec"));
        string[] expected = ["README.md", "icon.png", $"lib/net10.0/{name}.dll", $"lib/net10.0/{name}.xml"];
        Check.Equal($"{name}: readme, icon, library and its documentation are there", "", string.Join(' ', expected.Except(Names(package))));
        Check.That($"{name}: the licence is MIT", manifest.Contains("<license type=\"expression\">MIT</license>", StringComparison.Ordinal));
        Check.That($"{name}: readme and icon are declared",
            manifest.Contains("<readme>README.md</readme>", StringComparison.Ordinal)
            && manifest.Contains("<icon>icon.png</icon>", StringComparison.Ordinal));
        Check.Equal($"{name}: ASP.NET Core is wanted only where it is needed", name.EndsWith("AspNetCore", StringComparison.Ordinal).ToString(),
            manifest.Contains("Microsoft.AspNetCore.App", StringComparison.Ordinal).ToString());
        Check.That($"{name}: the symbols are there", Names(symbols).Contains($"lib/net10.0/{name}.pdb"));

        // A path of the machine in them would make every build another one.
        bool isInLibrary = Read(package, $"lib/net10.0/{name}.dll").AsSpan().IndexOf(Encoding.UTF8.GetBytes(sourceRoot)) >= 0;
        Check.Equal($"{name}: the build does not depend on the folder it was made in", "False",
            (isInLibrary || SourcesOf(Read(symbols, $"lib/net10.0/{name}.pdb"))
                .Any(source => !source.StartsWith("/_", StringComparison.Ordinal))).ToString());
    }

    private static string[] SourcesOf(byte[] symbols)
    {
        using var provider = MetadataReaderProvider.FromPortablePdbStream(new MemoryStream(symbols));
        var reader = provider.GetMetadataReader();
        return reader.Documents.Select(document => reader.GetString(reader.GetDocument(document).Name)).ToArray();
    }

    private static string[] Names(ZipArchive package) => package.Entries.Select(entry => entry.FullName).ToArray();

    private static byte[] Read(ZipArchive package, string name)
    {
        using var content = (package.GetEntry(name) ?? throw new InvalidDataException($"{name} is not in the package.")).Open();
        using var bytes = new MemoryStream();
        content.CopyTo(bytes);
        return bytes.ToArray();
    }

    [GeneratedRegex(@"\.\d+\.\d+\.\d+.*$")]
    private static partial Regex VersionAndEnd();
}
