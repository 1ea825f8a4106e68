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
    private const int NoWait = 8; // RWF_NOWAIT

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

        using var handle = new SafeFileHandle(Open(path, ReadOnly), ownsHandle: true);
        if (handle.IsInvalid)
        {
            int error = Marshal.GetLastPInvokeError();
            throw new IOException($"open of the directory failed: {Marshal.GetPInvokeErrorMessage(error)}", error);
        }

        Sync(handle);
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

    private unsafe struct IoVector
    {
        public byte* Start;
        public nint Length;
    }

    [LibraryImport("libc", EntryPoint = "preadv2")]
    private static unsafe partial nint PReadV2(SafeFileHandle handle, IoVector* vectors, int count, nint offset, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Fsync(SafeFileHandle handle);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);
}
