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

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Fsync(SafeFileHandle handle);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);
}
