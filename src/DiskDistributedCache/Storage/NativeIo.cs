using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace DiskDistributedCache.Storage;

/// <summary>
/// The calls that .NET does not offer. The runtime's flush to disk loses the result of fsync(2) on Unix (.NET 10), so a sync that
/// has to be believed calls it here.
/// </summary>
internal static partial class NativeIo
{
    private const int Interrupted = 4; // EINTR
    private const int ReadOnly = 0;
    private const int CloseOnExec = 0x80000; // O_CLOEXEC, Linux
    private const int GetStatusFlags = 3; // F_GETFL
    private const int SetStatusFlags = 4; // F_SETFL
    private const int NoAccessTime = 0x40000; // O_NOATIME, Linux
    private const int LockExclusively = 2; // LOCK_EX
    private const int LockWithoutWaiting = 4; // LOCK_NB
    private const int NoWait = 8; // RWF_NOWAIT

    private const int CurrentDirectory = -100; // AT_FDCWD
    private const int NoFollow = 0x100; // AT_SYMLINK_NOFOLLOW
    private const int EmptyPath = 0x1000; // AT_EMPTY_PATH
    private const int StatusBytes = 256; // struct statx, on every architecture
    private const int UserAt = 0x14;
    private const int ModeAt = 0x1C;
    private const uint ModeAndUser = 0xB; // STATX_TYPE, STATX_MODE, STATX_UID
    private const uint InodeNumber = 0x100; // STATX_INO
    private const uint UniqueMountId = 0x4000; // STATX_MNT_ID_UNIQUE, Linux 6.8
    private const int NoEntry = 2; // ENOENT
    private const int NotADirectory = 20; // ENOTDIR
    private const int NoSuchCall = 38; // ENOSYS

    private static volatile bool s_lacksCachedReads = !OperatingSystem.IsLinux() || !Environment.Is64BitProcess;

    /// <summary>fsync with its result checked; on Windows the runtime's own flush reports errors and nothing is done here.</summary>
    /// <exception cref="IOException">The operating system could not make the file durable.</exception>
    public static void Sync(SafeFileHandle handle)
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        while (Fsync(handle) != 0)
        {
            int error = Marshal.GetLastPInvokeError();
            if (error != Interrupted)
            {
                throw new IOException($"fsync failed: {Marshal.GetPInvokeErrorMessage(error)}", error);
            }
        }
    }

    /// <summary>Makes the names in a directory durable. Does nothing on Windows, where that cannot be asked for.</summary>
    /// <exception cref="IOException">The operating system could not make the directory durable.</exception>
    public static void SyncDirectory(string path)
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        using var handle = OpenDirectory(path);
        Sync(handle);
    }

    private static SafeFileHandle OpenDirectory(string path)
    {
        while (true)
        {
            var handle = new SafeFileHandle(Open(path, OperatingSystem.IsLinux() ? ReadOnly | CloseOnExec : ReadOnly), ownsHandle: true);
            if (!handle.IsInvalid)
            {
                return handle;
            }

            int error = Marshal.GetLastPInvokeError();
            handle.Dispose();
            if (error != Interrupted)
            {
                throw new IOException($"open of the directory failed: {Marshal.GetPInvokeErrorMessage(error)}", error);
            }
        }
    }

    /// <summary>
    /// Makes a lock certain that .NET has asked for: it ignores a file system that has none, and may be told not to lock at all. Taking it again is taking
    /// it. Does nothing on Windows, where opening a file is the lock.
    /// </summary>
    /// <exception cref="IOException">Another process has it, as .NET says it, with the same number; or there is no lock to be had.</exception>
    public static void Lock(SafeFileHandle handle)
    {
        while (!OperatingSystem.IsWindows() && Flock(handle, LockExclusively | LockWithoutWaiting) != 0)
        {
            int error = Marshal.GetLastPInvokeError();
            if (error != Interrupted)
            {
                throw new IOException($"The file system gives no lock: {Marshal.GetPInvokeErrorMessage(error)}", error);
            }
        }
    }

    /// <summary>
    /// Whether reading a file touches nothing but the file: where it may, the time of the last access is not kept from here on, because to note it may have
    /// to wait for the disk, also when the bytes have not to.
    /// </summary>
    public static bool TryForgetAccessTime(SafeFileHandle handle)
    {
        if (s_lacksCachedReads)
        {
            return false;
        }

        try
        {
            int flags = ControlFile(handle, GetStatusFlags, 0);
            return flags >= 0 && ControlFile(handle, SetStatusFlags, flags | NoAccessTime) == 0;
        }
        catch (ObjectDisposedException)
        {
            // The segment was erased meanwhile.
            return false;
        }
    }

    /// <summary>
    /// Reads what the operating system has in memory, and never waits for a disk (preadv2 with RWF_NOWAIT). Returns how many bytes
    /// that were, which may be fewer than asked for, or -1 when it is none, cannot be had this way, or went wrong: then the ordinary
    /// way says what there is to say.
    /// </summary>
    public static unsafe int TryReadCached(SafeFileHandle handle, Span<byte> to, long offset)
    {
        if (s_lacksCachedReads)
        {
            return -1;
        }

        try
        {
            fixed (byte* bytes = to)
            {
                var vector = new IoVector { Start = bytes, Length = to.Length };
                return (int)PReadV2(handle, &vector, 1, (nint)offset, NoWait);
            }
        }
        catch (EntryPointNotFoundException)
        {
            // A libc without the call.
            s_lacksCachedReads = true;
            return -1;
        }
        catch (ObjectDisposedException)
        {
            // The segment was erased meanwhile.
            return -1;
        }
    }

    /// <summary>Which file a handle is open on; null where the operating system does not say.</summary>
    public static FileIdentity? IdentityOf(SafeFileHandle handle)
    {
        if (!OperatingSystem.IsLinux())
        {
            return null;
        }

        bool isHeld = false;
        try
        {
            handle.DangerousAddRef(ref isHeld);
            return Identify((int)handle.DangerousGetHandle(), "", EmptyPath);
        }
        finally
        {
            if (isHeld)
            {
                handle.DangerousRelease();
            }
        }
    }

    /// <summary>Which file a path names; null where there is none, or the operating system does not say.</summary>
    /// <exception cref="IOException">The file system failed.</exception>
    public static FileIdentity? IdentityOf(string path) =>
        OperatingSystem.IsLinux() ? Identify(CurrentDirectory, path, NoFollow) : null;

    /// <summary>Whether a path names something that is not a file of this user; false where there is none, or the operating system does not say.</summary>
    /// <exception cref="IOException">The file system failed.</exception>
    public static unsafe bool IsForeign(string path)
    {
        const int TypeOfFile = 0xF000; // S_IFMT
        const int RegularFile = 0x8000; // S_IFREG
        byte* status = stackalloc byte[StatusBytes];
        return OperatingSystem.IsLinux()
            && TryGetStatus(CurrentDirectory, path, NoFollow, ModeAndUser, status)
            && ((*(ushort*)(status + ModeAt) & TypeOfFile) != RegularFile || !IsThisUser(*(uint*)(status + UserAt)));
    }

    /// <summary>The owner of what a path names; null where there is nothing, or the operating system does not say.</summary>
    /// <exception cref="IOException">The file system failed.</exception>
    public static unsafe uint? OwnerOf(string path)
    {
        byte* status = stackalloc byte[StatusBytes];
        return OperatingSystem.IsLinux() && TryGetStatus(CurrentDirectory, path, NoFollow, ModeAndUser, status) ? *(uint*)(status + UserAt) : null;
    }

    /// <summary>Whether a user is the one as whom this process makes files.</summary>
    public static bool IsThisUser(uint user) => user == GetEffectiveUser();

    private static unsafe FileIdentity? Identify(int directory, string path, int flags)
    {
        byte* status = stackalloc byte[StatusBytes];
        if (!TryGetStatus(directory, path, flags, InodeNumber | UniqueMountId, status))
        {
            return null;
        }

        bool hasMountId = (*(uint*)status & UniqueMountId) != 0;
        ulong device = ((ulong)*(uint*)(status + 0x88) << 32) | *(uint*)(status + 0x8C);
        return new FileIdentity(device, *(ulong*)(status + 0x20), hasMountId ? *(long*)(status + 0x90) : 0);
    }

    private static unsafe bool TryGetStatus(int directory, string path, int flags, uint mask, byte* status)
    {
        try
        {
            if (Statx(directory, path, flags, mask, status) == 0)
            {
                return true;
            }

            int error = Marshal.GetLastPInvokeError();
            return error is NoEntry or NotADirectory or NoSuchCall
                ? false
                : throw new IOException($"statx failed: {Marshal.GetPInvokeErrorMessage(error)}", error);
        }
        catch (EntryPointNotFoundException)
        {
            // A libc without the call.
            return false;
        }
    }

    private unsafe struct IoVector
    {
        public byte* Start;
        public nint Length;
    }

    [LibraryImport("libc", EntryPoint = "preadv2")]
    private static unsafe partial nint PReadV2(SafeFileHandle handle, IoVector* vectors, int count, nint offset, int flags);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int Statx(int directory, string path, int flags, uint mask, byte* status);

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    private static partial int Flock(SafeFileHandle handle, int operation);

    // Variadic in C, which makes no difference to how an int is passed on 64-bit Linux.
    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static partial int ControlFile(SafeFileHandle handle, int command, int argument);

    [LibraryImport("libc", EntryPoint = "geteuid")]
    private static partial uint GetEffectiveUser();

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Fsync(SafeFileHandle handle);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);
}

/// <summary>
/// What tells a file from every other one: device and number; and the mount through which it was reached, which no other mount of the
/// same run of the operating system shares, or 0 where that cannot be told.
/// </summary>
internal readonly record struct FileIdentity(ulong Device, ulong Inode, long MountId);
