using System.Text.RegularExpressions;

namespace DiskDistributedCache.Tests;

/// <summary>
/// The rules of the house: code calls only downwards, and what is dangerous is done in one place. They are checked in the
/// text of the sources, without comments and texts in quotes.
/// </summary>
public sealed partial class HouseTests
{
    private const string Front = "";

    /// <summary>The rooms, from the roof to the ground.</summary>
    private static readonly string[] s_rooms = [Front, "Tiers", "Health", "Storage", "Entries", "Diagnostics"];

    /// <summary>Types of the front that name things for every room.</summary>
    private static readonly string[] s_nouns =
        ["DiskDistributedCacheOptions", "DiskCacheStatus", "DiskCacheMode", "DiskCacheTier", "DiskHealthState",
            "QuarantinedRecord", "QuarantineReason", "DiskCacheCompression", "DiskCacheProtector"];

    /// <summary>What is done in few files only: a pattern, and the files that may have it.</summary>
    private static readonly (string What, string Pattern, string[] Files)[] s_onePlace =
    [
        ("joins paths", @"\bPath\s*\.\s*(Combine|Join)\s*\(", ["DefaultDirectory.cs", "Storage/CacheDirectory.cs"]),
        ("opens segment files", @"\.\s*OpenHandle\s*\(", ["Storage/StoreFile.cs"]),
        ("touches Polly", @"\busing\s+Polly\b|\bPolly\s*\.", ["Health/DiskBreaker.cs"]),
        ("calls native code", @"\b(DllImport|LibraryImport)\b", ["Storage/NativeIo.cs"]),
    ];

    private static readonly Dictionary<string, string> s_sources = ReadSources();

    [Fact]
    public void Every_source_file_lies_in_a_room()
    {
        Assert.NotEmpty(s_sources);
        foreach (string file in s_sources.Keys)
        {
            Assert.True(s_rooms.Contains(RoomOf(file)), $"{file} lies in no room of the house.");
        }
    }

    [Fact]
    public void Code_calls_only_downwards()
    {
        var upward =
            from source in s_sources
            let level = Array.IndexOf(s_rooms, RoomOf(source.Key))
            from Match mention in RoomMention().Matches(source.Value)
            let mentioned = Array.IndexOf(s_rooms, mention.Groups["room"].Value)
            where mentioned >= 0 && mentioned < level
            select $"{source.Key} uses {mention.Groups["room"].Value}";

        Assert.Empty(upward);
    }

    [Fact]
    public void No_room_below_knows_the_front()
    {
        var front = s_sources.Where(source => RoomOf(source.Key) == Front)
            .SelectMany(source => TypeDeclaration().Matches(source.Value))
            .Select(declaration => declaration.Groups["name"].Value)
            .Except(s_nouns)
            .ToArray();
        Assert.Contains("DiskCache", front);

        var upward =
            from source in s_sources
            where RoomOf(source.Key) != Front
            from name in front
            where Regex.IsMatch(source.Value, $@"\b{name}\b")
            select $"{source.Key} uses {name}";

        Assert.Empty(upward);
    }

    [Fact]
    public void Diagnostics_uses_no_other_room()
    {
        var uses =
            from source in s_sources
            where RoomOf(source.Key) == "Diagnostics"
            from Match mention in RoomMention().Matches(source.Value)
            where mention.Groups["room"].Value != "Diagnostics"
            select $"{source.Key} uses {mention.Groups["room"].Value}";

        Assert.Empty(uses);
    }

    [Fact]
    public void What_is_dangerous_is_done_in_one_place()
    {
        var elsewhere =
            from rule in s_onePlace
            from source in s_sources
            where Regex.IsMatch(source.Value, rule.Pattern) && !rule.Files.Contains(source.Key)
            select $"{source.Key} {rule.What}";

        Assert.Empty(elsewhere);
    }

    [Fact]
    public void The_text_of_a_source_is_read_without_comments_and_quotes()
    {
        const string Source = """
            // using DiskDistributedCache.Tiers;
            /* DiskDistributedCache.Tiers */ string text = "DiskDistributedCache.Tiers"; /// <see cref="DiskDistributedCache.Tiers"/>
            using DiskDistributedCache.Storage;
            """;

        var mention = Assert.Single(RoomMention().Matches(Plain(Source)));
        Assert.Equal("Storage", mention.Groups["room"].Value);
    }

    private static string RoomOf(string file) => file.Contains('/', StringComparison.Ordinal) ? file[..file.IndexOf('/', StringComparison.Ordinal)] : Front;

    private static string Plain(string source) => CommentOrText().Replace(source, " ");

    private static Dictionary<string, string> ReadSources()
    {
        string root = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(root, "DiskDistributedCache.sln")))
        {
            root = Path.GetDirectoryName(root) ?? throw new InvalidOperationException("The tests do not run inside the repository.");
        }

        string sources = Path.Combine(root, "src", "DiskDistributedCache");
        return Directory.EnumerateFiles(sources, "*.cs", SearchOption.AllDirectories)
            .Select(file => (Path: file, Name: Path.GetRelativePath(sources, file).Replace('\\', '/')))
            .Where(file => !file.Name.StartsWith("bin/", StringComparison.Ordinal) && !file.Name.StartsWith("obj/", StringComparison.Ordinal))
            .ToDictionary(file => file.Name, file => Plain(File.ReadAllText(file.Path)));
    }

    [GeneratedRegex(@"\bDiskDistributedCache\s*\.\s*(?<room>[A-Z]\w*)|\busing\s+(static\s+)?(?<room>Tiers|Health|Storage|Entries|Diagnostics)\b")]
    private static partial Regex RoomMention();

    [GeneratedRegex(@"\b(class|struct|enum|record|interface)\s+(?<name>[A-Z]\w*)")]
    private static partial Regex TypeDeclaration();

    [GeneratedRegex("""//[^\n]*|/\*.*?\*/|@"(?:[^"]|"")*"|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])+'""", RegexOptions.Singleline)]
    private static partial Regex CommentOrText();
}
