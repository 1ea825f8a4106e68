using System.ComponentModel;
using System.Runtime.InteropServices;

namespace DiskDistributedCache.Reliability.Processes;

/// <summary>The calls of the operating system that .NET does not offer.</summary>
internal static partial class Native
{
    public const int Stop = 19; // SIGSTOP
    public const int Continue = 18; // SIGCONT

    /// <summary>EXT4_IOC_SHUTDOWN without a flush of the journal: only what was synced is left. As by a power cut.</summary>
    public const uint ShutdownLosingJournal = 2;

    /// <summary>The same after a flush of the journal: names and sizes are newer than the bytes.</summary>
    public const uint ShutdownKeepingJournal = 1;

    private const nuint ShutdownCall = 0x8004587d;
    private const int CloseOnExecute = 0x80000; // O_CLOEXEC
    private const int NewMounts = 0x00020000; // CLONE_NEWNS
    private const nuint PrivateRecursively = 0x44000; // MS_PRIVATE | MS_REC

    public static void Send(int process, int signal) => Check(Kill(process, signal), "kill");

    /// <summary>Takes the file system of a folder away from under everybody. Also a file system that fails already.</summary>
    public static void ShutDown(string folder, uint how)
    {
        int descriptor = Open(folder, CloseOnExecute);
        Check(descriptor, "open");
        try
        {
            Check(Ioctl(descriptor, ShutdownCall, ref how), "ioctl");
        }
        finally
        {
            _ = Close(descriptor);
        }
    }

    /// <summary>Gives the calling thread, and what it starts, mounts of its own.</summary>
    public static void UnshareMounts()
    {
        Check(Unshare(NewMounts), "unshare");
        Check(Mount("none", "/", null, PrivateRecursively, 0), "mount");
    }

    /// <summary>Puts a program in the place of this one. Returns only if it fails.</summary>
    public static void Execute(string program, IEnumerable<string> arguments)
    {
        string?[] all = [.. arguments, null];
        Check(Execv(program, all), "execv");
    }

    public static void SetVariable(string name, string value) => Check(SetEnv(name, value, 1), "setenv");

    private static void Check(int result, string call)
    {
        if (result < 0)
        {
            throw new Win32Exception(Marshal.GetLastPInvokeError(), $"{call}: {Marshal.GetLastPInvokeErrorMessage()}");
        }
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int process, int signal);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    private static partial int Close(int descriptor);

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    private static partial int Ioctl(int descriptor, nuint call, ref uint argument);

    [LibraryImport("libc", EntryPoint = "unshare", SetLastError = true)]
    private static partial int Unshare(int flags);

    [LibraryImport("libc", EntryPoint = "mount", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Mount(string source, string target, string? type, nuint flags, nint options);

    [LibraryImport("libc", EntryPoint = "execv", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Execv(string program, string?[] arguments);

    [LibraryImport("libc", EntryPoint = "setenv", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetEnv(string name, string value, int overwrites);
}
