using DiskDistributedCache.Storage;

namespace DiskDistributedCache.Tests.Infrastructure;

/// <summary>
/// Folders for very many short-lived stores: in memory where the system has that, so that a sync costs nothing, with their witnesses on
/// the file system of temporary files, because a witness on the same one proves nothing.
/// </summary>
internal sealed class SweepDisk : IDisposable
{
    private const string SharedMemory = "/dev/shm";

    private static readonly string s_parent = Path.Combine(
        Directory.Exists(SharedMemory) ? SharedMemory : Path.GetTempPath(), $"diskcache-sweep-{Environment.ProcessId}");

    private static int s_count;

    private readonly string _folder;
    private readonly List<string> _roots = [];

    static SweepDisk()
    {
        WitnessFolder = Directory.CreateTempSubdirectory("diskcache-witness-").FullName;
        Directory.CreateDirectory(s_parent);
        AppDomain.CurrentDomain.ProcessExit += (_, _) =>
        {
            Directory.Delete(WitnessFolder, recursive: true);
            Directory.Delete(s_parent, recursive: true);
        };
    }

    public SweepDisk()
    {
        _folder = Path.Combine(s_parent, $"{Interlocked.Increment(ref s_count)}");
        Directory.CreateDirectory(_folder);
    }

    public static string WitnessFolder { get; }

    public static string WitnessOf(string root) => ElsewhereOf(root) + ".witness";

    /// <summary>Where the revocation of a store by some other process would be.</summary>
    public static string RevocationOf(string root) => $"{ElsewhereOf(root)}-{Guid.Empty:N}.revoked";

    /// <summary>All the revocations of a store.</summary>
    public static string[] RevocationsOf(string root) => Directory.GetFiles(WitnessFolder, Path.GetFileName(ElsewhereOf(root)) + "-*.revoked");

    /// <summary>The path, without its ending, of what is kept elsewhere about a store.</summary>
    public static string ElsewhereOf(string root) =>
        Path.Combine(WitnessFolder, CacheDirectory.WitnessNameOf(Path.Combine(root, "diskcache-v1")));

    public string NewRoot()
    {
        string root = Path.Combine(_folder, $"r{_roots.Count}");
        _roots.Add(root);
        return root;
    }

    /// <summary>
    /// What a kill at this moment leaves of a store, in another folder. The witness first: a process that still works in the
    /// background only ever gets more trustworthy.
    /// </summary>
    public string ImageOf(string root)
    {
        string image = NewRoot();
        CopyFile(WitnessOf(root), WitnessOf(image));
        CopyRevocations(root, ElsewhereOf(image));
        Directory.CreateDirectory(image);
        if (Directory.Exists(root))
        {
            CopyFolder(root, image);
        }

        return image;
    }

    /// <summary>Copies all the folders, and what is kept elsewhere about them, for whoever looks for what went wrong.</summary>
    public void CopyTo(string folder)
    {
        foreach (string root in _roots.Where(Directory.Exists))
        {
            string copy = Path.Combine(folder, Path.GetFileName(root));
            Directory.CreateDirectory(copy);
            CopyFolder(root, copy);
            CopyFile(WitnessOf(root), copy + ".witness");
            CopyRevocations(root, copy);
        }
    }

    public void Dispose()
    {
        try
        {
            Directory.Delete(_folder, recursive: true);
        }
        catch (IOException)
        {
            // A lane that hung a moment ago still works in it. It goes when this process does.
        }

        foreach (string root in _roots)
        {
            File.Delete(WitnessOf(root));
            Array.ForEach(RevocationsOf(root), File.Delete);
        }
    }

    private static void CopyRevocations(string root, string to)
    {
        foreach (string revocation in RevocationsOf(root))
        {
            // Held, and without content.
            File.WriteAllBytes(to + revocation[ElsewhereOf(root).Length..], []);
        }
    }

    private static void CopyFolder(string from, string to)
    {
        foreach (string folder in Directory.EnumerateDirectories(from, "*", SearchOption.AllDirectories))
        {
            Directory.CreateDirectory(Path.Combine(to, Path.GetRelativePath(from, folder)));
        }

        // A process that still works in the background writes what it owes and then takes its mark back: whoever looks the other way round
        // would see neither. The superblock last: it must not know less than the segments show.
        foreach (string file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories)
            .OrderBy(file => file.EndsWith(".lock", StringComparison.Ordinal) ? 0 : file.EndsWith("superblock", StringComparison.Ordinal) ? 2 : 1))
        {
            string copy = Path.Combine(to, Path.GetRelativePath(from, file));
            if (file.EndsWith(".lock", StringComparison.Ordinal))
            {
                // Held, and without content: that it is there is all that the next process sees of it.
                File.WriteAllBytes(copy, []);
            }
            else
            {
                CopyFile(file, copy);
            }
        }
    }

    private static void CopyFile(string from, string to)
    {
        try
        {
            File.Copy(from, to, overwrite: true);
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            // It is not there, or not any more: a process that works in the background erases what an older store has left.
        }
    }
}
