using System.Globalization;
using System.IO.Abstractions;

namespace DiskDistributedCache.Storage;

/// <summary>
/// The cache's own folder and the names in it: the only class that joins paths. It makes the folder with mode 0700, refuses one
/// that is a link or belongs to someone else, and holds the lock that says which process owns the store.
/// </summary>
internal sealed class CacheDirectory(IFileSystem fileSystem, string root) : IDisposable
{
    private const string SegmentExtension = ".seg";
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private StoreFile? _lock;

    public string Path { get; } = fileSystem.Path.Combine(fileSystem.Path.GetFullPath(root), "diskcache-v1");

    public string Superblock => Join("superblock");

    public string Quarantine => Join("quarantine");

    public string Segments => Join("segments");

    public string StoreOf(Guid storeId) => fileSystem.Path.Combine(Segments, storeId.ToString("N"));

    public string SegmentOf(Guid storeId, long number) =>
        fileSystem.Path.Combine(StoreOf(storeId), number.ToString("x16", CultureInfo.InvariantCulture) + SegmentExtension);

    public string SpareOf(Guid storeId) => fileSystem.Path.Combine(StoreOf(storeId), "spare.new");

    public string QuarantineFile(long segment, long ticks) =>
        fileSystem.Path.Combine(Quarantine, string.Create(CultureInfo.InvariantCulture, $"{segment:x16}-{ticks:x16}.bad"));

    /// <summary>Makes the folders.</summary>
    /// <exception cref="IOException">The folder is a link.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder belongs to another user, or may not be made.</exception>
    public void Prepare()
    {
        var folder = fileSystem.DirectoryInfo.New(Path);
        if (folder.Exists && folder.LinkTarget is not null)
        {
            throw new IOException($"The cache folder '{Path}' is a link; a cache does not follow one.");
        }

        fileSystem.Directory.CreateDirectory(Path);
        if (!OperatingSystem.IsWindows())
        {
            // Before anything is in it. Only the owner may do this: a folder that somebody else has put here is refused.
            fileSystem.File.SetUnixFileMode(Path, OwnerOnly);
        }

        fileSystem.Directory.CreateDirectory(Segments);
        fileSystem.Directory.CreateDirectory(Quarantine);
    }

    /// <summary>Takes the lock, which is held until the directory is disposed of.</summary>
    /// <exception cref="IOException">Another process holds it.</exception>
    public void Lock() => _lock = new StoreFile(fileSystem, Join("cache.lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);

    public StoreFile Open(string path, FileMode mode, long preallocateBytes = 0) =>
        new(fileSystem, path, mode, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete, preallocateBytes);

    public void CreateStore(Guid storeId) => fileSystem.Directory.CreateDirectory(StoreOf(storeId));

    /// <summary>The numbers of the segments of a store, in order.</summary>
    public List<long> SegmentNumbers(Guid storeId)
    {
        var numbers = new List<long>();
        if (!fileSystem.Directory.Exists(StoreOf(storeId)))
        {
            return numbers;
        }

        foreach (string path in fileSystem.Directory.EnumerateFiles(StoreOf(storeId), "*" + SegmentExtension))
        {
            if (long.TryParse(
                fileSystem.Path.GetFileNameWithoutExtension(path), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out long number)
                && number > 0)
            {
                numbers.Add(number);
            }
        }

        numbers.Sort();
        return numbers;
    }

    /// <summary>Folders of stores that are not this one: left behind when a store was given up.</summary>
    public IReadOnlyList<string> OtherStores(Guid storeId) =>
        [.. fileSystem.Directory.EnumerateDirectories(Segments).Where(path =>
            !string.Equals(fileSystem.Path.GetFileName(path), storeId.ToString("N"), StringComparison.OrdinalIgnoreCase))];

    public IReadOnlyList<IFileInfo> FilesIn(string folder) =>
        fileSystem.Directory.Exists(folder) ? fileSystem.DirectoryInfo.New(folder).GetFiles() : [];

    public void Rename(string from, string to) => fileSystem.File.Move(from, to, overwrite: true);

    public void Delete(string path) => fileSystem.File.Delete(path);

    public void DeleteFolder(string path) => fileSystem.Directory.Delete(path, recursive: true);

    /// <summary>
    /// Bytes that are free for this process on the file system of the cache folder; null where it does not say. Never throws.
    /// </summary>
    public long? FreeBytes()
    {
        try
        {
            // Without a size it is a mock that nobody has told how large it is.
            var drive = fileSystem.DriveInfo.New(Path);
            return drive.TotalSize > 0 ? drive.AvailableFreeSpace : null;
        }
        catch (Exception)
        {
            // Network shares, mocks and folders that have gone do not say. Then only a disk that is full limits the store.
            return null;
        }
    }

    /// <summary>Makes the names in a folder durable, where the file system is a real one.</summary>
    public void SyncFolder(string path)
    {
        if (fileSystem.GetType().Assembly == typeof(FileSystem).Assembly)
        {
            NativeIo.SyncDirectory(path);
        }
    }

    /// <summary>Which run of the operating system this is; <see cref="Guid.Empty"/> where it does not say.</summary>
    public Guid ReadBootId()
    {
        const string LinuxBootId = "/proc/sys/kernel/random/boot_id";
        return OperatingSystem.IsLinux() && fileSystem.File.Exists(LinuxBootId)
            && Guid.TryParse(fileSystem.File.ReadAllText(LinuxBootId).Trim(), out var bootId)
            ? bootId
            : Guid.Empty;
    }

    public void Dispose() => _lock?.Dispose();

    private string Join(string name) => fileSystem.Path.Combine(Path, name);
}
