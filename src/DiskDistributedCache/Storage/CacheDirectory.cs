using System.Globalization;
using System.IO.Abstractions;
using System.IO.Hashing;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using DiskDistributedCache.Diagnostics;

namespace DiskDistributedCache.Storage;

/// <summary>
/// The cache's own folder and the names in it, and the names of what is kept about it elsewhere: the only class that joins
/// paths. It makes the folder with mode 0700, refuses one that is a link or belongs to someone else, and holds the lock that says
/// which process owns the store. A process that waits for the lock leaves a mark beside it, which it holds for as long as it lives.
/// </summary>
internal sealed class CacheDirectory(IFileSystem fileSystem, string root, string? witnessDirectory = null) : IDisposable
{
    private const string SegmentExtension = ".seg";
    private const string QuarantineExtension = ".bad";
    private const int NumberDigits = 16;
    private const string WaiterPrefix = "waiter-";
    private const string LockExtension = ".lock";
    private const string RevocationExtension = ".revoked";
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    // What is held is deleted by who holds it. Windows allows that only where it was said before; elsewhere it always is allowed, and None means a lock.
    private static readonly FileShare s_whileMarkIsHeld = OperatingSystem.IsWindows() ? FileShare.Delete : FileShare.None;

    private readonly Lazy<string?> _witnessDirectory = new(() =>
        (witnessDirectory ?? DefaultWitnessDirectory(fileSystem)) is { Length: > 0 } folder ? fileSystem.Path.GetFullPath(folder) : null);
    private StoreFile? _lock;

    // Where it can be told: which file the lock is, as long as its path named it when it was taken.
    private FileIdentity? _lockIdentity;

    /// <summary>What is done to the files that are opened here is counted there.</summary>
    public StoreCounts Counts { get; init; } = new();

    public string Path { get; } = fileSystem.Path.Combine(fileSystem.Path.GetFullPath(root), "diskcache-v1");

    public string Superblock => Join("superblock");

    public string Quarantine => Join("quarantine");

    public string Segments => Join("segments");

    public string StoreOf(Guid storeId) => fileSystem.Path.Combine(Segments, storeId.ToString("N"));

    public string SegmentOf(Guid storeId, long number) =>
        fileSystem.Path.Combine(StoreOf(storeId), number.ToString("x16", CultureInfo.InvariantCulture) + SegmentExtension);

    public string SpareOf(Guid storeId) => fileSystem.Path.Combine(StoreOf(storeId), "spare.new");

    public static string QuarantineName(long segment, long ticks) =>
        string.Create(CultureInfo.InvariantCulture, $"{segment:x16}-{ticks:x16}{QuarantineExtension}");

    public string QuarantineFile(string name) => fileSystem.Path.Combine(Quarantine, name);

    /// <summary>Where the witness of the store is kept; null where there is no place for it.</summary>
    public string? Witness => Elsewhere(".witness");

    /// <summary>Where a process revokes the store; null where there is no place for it.</summary>
    public string? RevocationOf(Guid session) => Elsewhere("-" + session.ToString("N") + RevocationExtension);

    /// <summary>The mount that the folder was reached through, once it is locked; 0 where that cannot be told.</summary>
    public long MountId => _lock?.Identity?.MountId ?? 0;

    /// <summary>The device of the folder, once it is locked; null where that cannot be told.</summary>
    public ulong? Device => _lock?.Identity?.Device;

    /// <summary>Where a process keeps its witness when nobody says: in memory that outlives the process and not the system.</summary>
    public static string? DefaultWitnessDirectory(IFileSystem fileSystem)
    {
        const string SharedMemory = "/dev/shm";
        if (!OperatingSystem.IsLinux())
        {
            return null;
        }

        return fileSystem.Directory.Exists(SharedMemory) ? SharedMemory : Environment.GetEnvironmentVariable("XDG_RUNTIME_DIR");
    }

    /// <summary>The name, without its ending, of the files elsewhere that are about the store of a folder.</summary>
    public static string WitnessNameOf(string cacheFolder) =>
        "diskcache-" + Convert.ToHexStringLower(XxHash128.Hash(MemoryMarshal.AsBytes(cacheFolder.AsSpan())));

    /// <summary>Makes the folders.</summary>
    /// <exception cref="IOException">The folder is a link.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder belongs to another user, or may not be made.</exception>
    public void Prepare()
    {
        RefuseLink();
        fileSystem.Directory.CreateDirectory(Path);
        if (!OperatingSystem.IsWindows())
        {
            // Before anything is in it. Only the owner may do this, or root, who is asked apart: a folder that somebody else has put here is refused.
            RefuseForeign();
            fileSystem.File.SetUnixFileMode(Path, OwnerOnly);
        }

        fileSystem.Directory.CreateDirectory(Segments);
        try
        {
            fileSystem.Directory.CreateDirectory(Quarantine);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // The store does without a quarantine: what cannot be kept there is counted.
        }
    }

    /// <summary>Takes the lock, which is held until it is let go.</summary>
    /// <exception cref="StoreInUseException">Another process holds it.</exception>
    public void Lock()
    {
        string path = Join("cache" + LockExtension);
        _lock = OpenExclusively(path, FileMode.OpenOrCreate) ?? throw new StoreInUseException(path);
        _lockIdentity = NativeIo.IdentityOf(path) is { } named && named == _lock.Identity ? named : null;
    }

    /// <summary>Holds the lock again where it was lost. False when another process has it.</summary>
    public bool TryHoldLock()
    {
        if (HoldsLock())
        {
            return true;
        }

        Unlock();
        try
        {
            Prepare();
            Lock();
            return true;
        }
        catch (StoreInUseException)
        {
            return false;
        }
    }

    /// <summary>Lets the lock go.</summary>
    public void Unlock()
    {
        _lock?.Dispose();
        _lock = null;
    }

    /// <summary>Whether the lock is still the one that others would find: somebody may have deleted it, or the whole folder.</summary>
    public bool HoldsLock() => _lock is not null && IsAt(Join("cache" + LockExtension), _lockIdentity);

    /// <summary>Leaves the mark of a process that does not own the store and has acknowledged mutations. It lasts until it is removed.</summary>
    public StoreFile LeaveWaiterMark(Guid session)
    {
        RefuseLink();
        string path = WaiterMark(session);
        return OpenExclusively(path, FileMode.OpenOrCreate, s_whileMarkIsHeld) ?? throw new StoreInUseException(path);
    }

    /// <summary>Whether the mark of a process is where others would find it.</summary>
    public bool IsInPlace(StoreFile mark, Guid session) => IsAt(WaiterMark(session), mark.Identity);

    /// <summary>Removes the mark of one process.</summary>
    public void RemoveWaiterMark(Guid session) => fileSystem.File.Delete(WaiterMark(session));

    /// <summary>The marks of processes that have ended, this one's aside.</summary>
    public IReadOnlyList<string> DeadWaiters(Guid ownSession) =>
        DeadAmong(fileSystem.Directory.EnumerateFiles(Path, WaiterPrefix + "*" + LockExtension), WaiterMark(ownSession));

    /// <summary>Leaves the revocation of a process, which serves as its mark where that cannot be written. It lasts until it is removed.</summary>
    /// <exception cref="IOException">Among others: there is no place for it.</exception>
    public StoreFile LeaveRevocation(Guid session)
    {
        string path = RevocationOf(session) ?? throw new IOException("There is no witness directory.");
        var file = OpenExclusively(path, FileMode.OpenOrCreate, s_whileMarkIsHeld) ?? throw new StoreInUseException(path);
        return MadePrivate(file, path);
    }

    /// <summary>Whether the revocation of a process is where others would find it.</summary>
    public bool IsRevocationInPlace(StoreFile revocation, Guid session) => RevocationOf(session) is { } path && IsAt(path, revocation.Identity);

    /// <summary>Whether the mark or the revocation of a process is there.</summary>
    public bool HasLeftWord(Guid session) => IsThere(WaiterMark(session)) || (RevocationOf(session) is { } path && IsThere(path));

    /// <summary>Deletes a mark or a revocation, unless somebody holds it after all: it is made first and held then.</summary>
    public void DeleteIfDead(string path)
    {
        using var mark = OpenExclusively(path, FileMode.Open, s_whileMarkIsHeld);
        if (mark is not null)
        {
            fileSystem.File.Delete(path);
        }
    }

    /// <summary>The revocations by processes that have ended, this one's aside.</summary>
    public IReadOnlyList<string> DeadRevocations(Guid ownSession)
    {
        if (RevocationOf(ownSession) is not { } own)
        {
            return [];
        }

        try
        {
            // Anybody may use the name. The folder of the store is this user's alone, so another user has no store here to revoke.
            string pattern = WitnessNameOf(Path) + "*" + RevocationExtension;
            return DeadAmong(fileSystem.Directory.EnumerateFiles(_witnessDirectory.Value!, pattern).Where(path => !NativeIo.IsForeign(path)), own);
        }
        catch (DirectoryNotFoundException)
        {
            return [];
        }
    }

    public StoreFile Open(string path, FileMode mode, long preallocateBytes = 0) =>
        new(fileSystem, path, mode, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete, preallocateBytes, Counts);

    /// <summary>Makes a file that only this user may read. What is there goes: a link is not followed.</summary>
    public StoreFile CreatePrivate(string path)
    {
        fileSystem.File.Delete(path);
        return MadePrivate(new StoreFile(fileSystem, path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete), path);
    }

    /// <summary>Whether there is something of this name. Not asked whether it exists: .NET denies that on any error.</summary>
    public bool IsThere(string path)
    {
        try
        {
            fileSystem.File.GetAttributes(path);
            return true;
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            return false;
        }
    }

    public StoreFile OpenToRead(string path) =>
        new(fileSystem, path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, counts: Counts);

    /// <summary>Makes sure that the folder of a store is there.</summary>
    /// <exception cref="StoreGoneException">It is not.</exception>
    public void CheckStore(Guid storeId)
    {
        if (!IsThere(StoreOf(storeId)))
        {
            throw new StoreGoneException("The folder of the store was removed.");
        }
    }

    public void CreateStore(Guid storeId) => fileSystem.Directory.CreateDirectory(StoreOf(storeId));

    /// <summary>The numbers of the segments of a store, in order.</summary>
    public List<long> SegmentNumbers(Guid storeId)
    {
        var numbers = new List<long>();
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
        [.. fileSystem.Directory.EnumerateDirectories(Segments).Where(path => fileSystem.DirectoryInfo.New(path).LinkTarget is null
            && !string.Equals(fileSystem.Path.GetFileName(path), storeId.ToString("N"), StringComparison.OrdinalIgnoreCase))];

    public IReadOnlyList<IFileInfo> FilesIn(string folder) =>
        fileSystem.Directory.Exists(folder) ? fileSystem.DirectoryInfo.New(folder).GetFiles() : [];

    /// <summary>The files in quarantine, in no order, with what their names say. Others are passed over.</summary>
    public IEnumerable<(IFileInfo File, long Segment, long Ticks)> QuarantineFiles()
    {
        foreach (var file in fileSystem.DirectoryInfo.New(Quarantine).EnumerateFiles("*" + QuarantineExtension))
        {
            string name = file.Name;
            if (name.Length == NumberDigits + 1 + NumberDigits + QuarantineExtension.Length
                && name[NumberDigits] == '-'
                && TryParseNumber(name.AsSpan(0, NumberDigits), out long segment)
                && TryParseNumber(name.AsSpan(NumberDigits + 1, NumberDigits), out long ticks))
            {
                yield return (file, segment, ticks);
            }
        }
    }

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

    public void Dispose() => Unlock();

    private void RefuseLink()
    {
        var folder = fileSystem.DirectoryInfo.New(Path);
        if (folder.Exists && folder.LinkTarget is not null)
        {
            throw new IOException($"The cache folder '{Path}' is a link; a cache does not follow one.");
        }
    }

    /// <summary>A file system may map users, or have none. Then what this process makes belongs to whoever the folder belongs to.</summary>
    private void RefuseForeign()
    {
        if (NativeIo.OwnerOf(Path) is not { } owner || NativeIo.IsThisUser(owner))
        {
            return;
        }

        string probe = Join("owner-" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16)));
        new StoreFile(fileSystem, probe, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete).Dispose();
        uint? made = NativeIo.OwnerOf(probe);
        fileSystem.File.Delete(probe);
        if (made != owner)
        {
            throw new UnauthorizedAccessException($"The cache folder '{Path}' belongs to another user.");
        }
    }

    private StoreFile MadePrivate(StoreFile file, string path)
    {
        try
        {
            if (!OperatingSystem.IsWindows())
            {
                fileSystem.File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            }

            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Those of the files that processes hold for as long as they live that nobody holds any more, this process's own aside.</summary>
    private List<string> DeadAmong(IEnumerable<string> paths, string own)
    {
        var dead = new List<string>();
        foreach (string path in paths.Where(path => fileSystem.Path.GetFileName(path) != fileSystem.Path.GetFileName(own)))
        {
            try
            {
                using var mark = OpenExclusively(path, FileMode.Open);
                if (mark is not null)
                {
                    dead.Add(path);
                }
            }
            catch (FileNotFoundException) when (!IsListed(path))
            {
                // Its process has just taken it back.
            }
        }

        return dead;
    }

    private bool IsListed(string path) =>
        fileSystem.Directory.EnumerateFiles(fileSystem.Path.GetDirectoryName(path)!, fileSystem.Path.GetFileName(path)).Any();

    /// <summary>Opens a file for this process alone; null when another has it.</summary>
    private StoreFile? OpenExclusively(string path, FileMode mode, FileShare whileHeld = FileShare.None)
    {
        const int WouldBlock = 11; // EWOULDBLOCK on Linux
        const int WouldBlockElsewhere = 35; // EWOULDBLOCK on macOS
        const int SharingViolation = unchecked((int)0x80070020);
        try
        {
            return new StoreFile(fileSystem, path, mode, FileAccess.ReadWrite, whileHeld);
        }
        catch (IOException exception) when (exception.HResult is WouldBlock or WouldBlockElsewhere or SharingViolation)
        {
            return null;
        }
    }

    /// <summary>Whether a path names the file that is held; where that cannot be told, whether it names any.</summary>
    private bool IsAt(string path, FileIdentity? held) =>
        held is { } identity ? NativeIo.IdentityOf(path) == identity : fileSystem.File.Exists(path);

    private string WaiterMark(Guid session) => Join(WaiterPrefix + session.ToString("N") + LockExtension);

    private string? Elsewhere(string ending) =>
        _witnessDirectory.Value is not { } folder ? null : fileSystem.Path.Combine(folder, WitnessNameOf(Path) + ending);

    private static bool TryParseNumber(ReadOnlySpan<char> digits, out long number) =>
        long.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out number) && number >= 0;

    private string Join(string name) => fileSystem.Path.Combine(Path, name);
}

/// <summary>Another process has what this one wants to open.</summary>
internal sealed class StoreInUseException(string path) : IOException($"Another process has '{path}' open.");
