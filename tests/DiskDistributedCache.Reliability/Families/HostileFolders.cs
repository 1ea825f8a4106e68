using System.Buffers.Binary;
using System.IO.Hashing;
using DiskDistributedCache.Entries;

namespace DiskDistributedCache.Reliability.Families;

/// <summary>
/// Folders that are links, open to everybody, not ours, of a newer format, read-only, or no folders. The cache never throws for them, serves
/// from memory what it cannot store, and leaves alone what is not its own.
/// </summary>
internal static class HostileFolders
{
    private const UnixFileMode Everybody = (UnixFileMode)0b111_111_111;
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    /// <summary>For folders that open. Reads that must not call unknown a miss would wait in vain, in real time, for one that never does.</summary>
    private static readonly TimeSpan s_openTimeout = TimeSpan.FromSeconds(3);

    private static readonly (string Name, bool IsUsed, bool IsKept, Action<string, FaultyFileSystem> Prepare)[] s_kinds =
    [
        ("the cache's folder is a link", false, false, (root, _) => Directory.CreateSymbolicLink(OwnOf(root), Directory.CreateDirectory(root + "-target").FullName)),
        ("the directory is a link", true, false, (root, _) =>
        {
            Directory.Delete(root, recursive: true);
            Directory.CreateSymbolicLink(root, Directory.CreateDirectory(root + "-target").FullName);
        }),
        ("everybody may write", true, true, (root, _) =>
        {
            Directory.CreateDirectory(OwnOf(root));
            if (!OperatingSystem.IsWindows())
            {
                File.SetUnixFileMode(root, Everybody);
                File.SetUnixFileMode(OwnOf(root), Everybody);
            }
        }),
        ("files of somebody else", true, true, (root, _) => WriteForeign(root)),
        ("a newer format", true, false, (root, _) => MakeNewer(root)),
        ("read-only", false, true, (root, files) => files.Fail(
            FileOperation.Write | FileOperation.SetLength | FileOperation.Move | FileOperation.Delete | FileOperation.CreateDirectory | FileOperation.Open,
            root,
            error: DiskError.ReadOnlyFileSystem)),
        ("a file for a directory", false, false, (root, _) =>
        {
            Directory.Delete(root, recursive: true);
            File.WriteAllText(root, "not ours");
        }),
        ("a file for the cache's folder", false, false, (root, _) => File.WriteAllText(OwnOf(root), "not ours")),
        ("a folder for the superblock", false, false, (root, _) => Directory.CreateDirectory(Path.Combine(OwnOf(root), "superblock"))),
        ("a folder for the lock", false, false, (root, _) => Directory.CreateDirectory(Path.Combine(OwnOf(root), "cache.lock"))),
        ("a file for the segments", false, false, (root, _) =>
        {
            Directory.CreateDirectory(OwnOf(root));
            File.WriteAllText(Path.Combine(OwnOf(root), "segments"), "not ours");
        }),
    ];

    public static async Task<string> CheckAsync(HostileScene scene, int number)
    {
        var (name, isUsed, isKept, prepare) = s_kinds[number % s_kinds.Length];
        bool hasStore = isKept || name == "a newer format";
        Directory.CreateDirectory(scene.Root);
        var key = new CacheKey(KeySpace.Data, "before");
        if (hasStore)
        {
            await using var before = new DiskCache(Hostile.OptionsFor(scene.Root));
            await scene.SetAsync(before, key, scene.Random.Next(1, 5000), []);
        }

        var files = new FaultyFileSystem();
        prepare(scene.Root, files);
        await using (var cache = new DiskCache(Hostile.OptionsFor(scene.Root), files) { OpenTimeout = isUsed ? s_openTimeout : TimeSpan.Zero })
        {
            await cache.StartAsync();
            if (!isUsed || !isKept)
            {
                scene.Judge(key, await cache.GetAsync(key.Text), mustBeThere: false);
                scene.Forget(key);
            }

            await scene.SetAsync(cache, new CacheKey(KeySpace.Output, "new"), scene.Random.Next(1, 5000), []);
            await scene.CheckAsync(cache, mustBeThere: true);
            if (cache.GetStatus().Mode is var mode && mode == DiskCacheMode.Normal != isUsed)
            {
                scene.Violate($"{name}: the cache is {mode}");
            }
        }

        Compare(scene, name, isUsed);
        return $"folder: {name}";
    }

    private static void Compare(HostileScene scene, string name, bool isUsed)
    {
        string root = scene.Root;
        bool isWrong = name switch
        {
            "the cache's folder is a link" => Directory.EnumerateFileSystemEntries(root + "-target").Any(),
            "everybody may write" => !OperatingSystem.IsWindows() && File.GetUnixFileMode(OwnOf(root)) != OwnerOnly,
            "files of somebody else" => !IsForeignThere(root),
            "a file for a directory" => File.ReadAllText(root) != "not ours",
            "a file for the cache's folder" => File.ReadAllText(OwnOf(root)) != "not ours",
            _ => isUsed && !File.Exists(Path.Combine(OwnOf(root), "superblock")),
        };
        if (isWrong)
        {
            scene.Violate($"{name}: what is not the cache's own is not as it was, or what is, is not as it should be");
        }

        if (Directory.Exists(root + "-target"))
        {
            Directory.Delete(root + "-target", recursive: true);
        }

        if (File.Exists(root))
        {
            File.Delete(root);
        }
    }

    private static string OwnOf(string root) => Path.Combine(root, "diskcache-v1");

    private static IEnumerable<string> ForeignIn(string root) =>
        [Path.Combine(root, "letter.txt"), Path.Combine(OwnOf(root), "letter.txt"), Path.Combine(OwnOf(root), "quarantine", "letter.txt")];

    private static void WriteForeign(string root)
    {
        foreach (string path in ForeignIn(root))
        {
            File.WriteAllText(path, "not ours");
        }
    }

    private static bool IsForeignThere(string root) => ForeignIn(root).All(path => File.Exists(path) && File.ReadAllText(path) == "not ours");

    /// <summary>Both slots say version 2, with checksums that verify.</summary>
    private static void MakeNewer(string root)
    {
        string path = Path.Combine(OwnOf(root), "superblock");
        byte[] bytes = File.ReadAllBytes(path);
        for (int slot = 0; slot < 2; slot++)
        {
            var part = bytes.AsSpan(slot * 4096, 4096);
            BinaryPrimitives.WriteInt32LittleEndian(part[8..], 2);
            BinaryPrimitives.WriteUInt64LittleEndian(part[4088..], XxHash3.HashToUInt64(part[..4088], slot));
        }

        File.WriteAllBytes(path, bytes);
    }
}
