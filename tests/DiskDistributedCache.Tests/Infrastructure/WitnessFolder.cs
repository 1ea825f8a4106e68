using DiskDistributedCache.Storage;

namespace DiskDistributedCache.Tests.Infrastructure;

/// <summary>
/// A folder for witnesses outside the file system of temporary files, shared by all tests of this process: the names in it are made of the
/// paths of the stores.
/// </summary>
internal static class WitnessFolder
{
    static WitnessFolder()
    {
        string parent = Directory.Exists("/dev/shm") ? "/dev/shm" : System.IO.Path.GetTempPath();
        Path = System.IO.Path.Combine(parent, $"diskcache-test-{Environment.ProcessId}");
        Directory.CreateDirectory(Path);
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Directory.Delete(Path, recursive: true);
    }

    public static string Path { get; }

    /// <summary>Where the witness of a cache directory is.</summary>
    public static string WitnessOf(string root) => FileOf(root, ".witness");

    /// <summary>Where the revocation of a cache directory by some other process would be.</summary>
    public static string RevocationOf(string root) => FileOf(root, $"-{Guid.Empty:N}.revoked");

    /// <summary>All the revocations of a cache directory.</summary>
    public static string[] RevocationsOf(string root) => Directory.GetFiles(Path, System.IO.Path.GetFileName(FileOf(root, "-*.revoked")));

    /// <summary>A copy of a cache directory has what was kept about the original.</summary>
    public static void Copy(string fromRoot, string toRoot)
    {
        CopyFile(WitnessOf(fromRoot), WitnessOf(toRoot));
        foreach (string revocation in RevocationsOf(fromRoot))
        {
            // Held, and without content.
            File.WriteAllBytes(revocation.Replace(FileOf(fromRoot, ""), FileOf(toRoot, ""), StringComparison.Ordinal), []);
        }
    }

    /// <summary>Vouches for whatever session a directory says that it had: its process was killed while it was well.</summary>
    public static void Vouch(string root)
    {
        string superblock = System.IO.Path.Combine(root, "diskcache-v1", "superblock");
        if (!File.Exists(superblock))
        {
            return;
        }

        byte[] bytes = File.ReadAllBytes(superblock);
        var sessions = Enumerable.Range(0, Superblock.SlotCount)
            .Where(slot => bytes.Length >= (slot + 1) * Superblock.SlotBytes)
            .Select(slot => Superblock.TryRead(bytes.AsSpan(slot * Superblock.SlotBytes, Superblock.SlotBytes), slot)?.SessionId)
            .OfType<Guid>();
        File.WriteAllBytes(WitnessOf(root), [.. sessions.SelectMany(session => session.ToByteArray())]);
    }

    /// <summary>The witness of a cache directory; null where there is none.</summary>
    public static byte[]? Read(string root) => File.Exists(WitnessOf(root)) ? File.ReadAllBytes(WitnessOf(root)) : null;

    /// <summary>Makes the witness of a cache directory be this one, or none, and nothing revoke it.</summary>
    public static void Put(string root, byte[]? witness)
    {
        Array.ForEach(RevocationsOf(root), File.Delete);
        if (witness is null)
        {
            File.Delete(WitnessOf(root));
        }
        else
        {
            File.WriteAllBytes(WitnessOf(root), witness);
        }
    }

    private static string FileOf(string root, string ending) =>
        System.IO.Path.Combine(Path, CacheDirectory.WitnessNameOf(System.IO.Path.Combine(System.IO.Path.GetFullPath(root), "diskcache-v1")) + ending);

    private static void CopyFile(string from, string to)
    {
        if (File.Exists(from))
        {
            File.Copy(from, to, overwrite: true);
        }
    }
}
