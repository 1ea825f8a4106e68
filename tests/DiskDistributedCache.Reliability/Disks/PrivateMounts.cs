using System.ComponentModel;
using DiskDistributedCache.Reliability.Processes;

namespace DiskDistributedCache.Reliability.Disks;

/// <summary>
/// Mounts that are nobody else's and end with this program. A process with many threads cannot get them for all of them, so the program
/// begins anew, in the place of itself, on a thread that has them.
/// </summary>
internal static class PrivateMounts
{
    private const string Inside = "RELIABILITY_PRIVATE_MOUNTS";

    /// <summary>Why this process may not mount anything. Null when it may.</summary>
    public static string? Lack { get; private set; } = "mounts are those of Linux";

    /// <summary>Does not return when the program begins anew.</summary>
    public static void Enter()
    {
        if (!OperatingSystem.IsLinux())
        {
            return;
        }

        if (Environment.GetEnvironmentVariable(Inside) is not null)
        {
            Lack = null;
            return;
        }

        try
        {
            Native.UnshareMounts();
            Native.SetVariable(Inside, "1");
            string[] arguments = File.ReadAllText("/proc/self/cmdline").TrimEnd('\0').Split('\0');
            Native.Execute(Environment.ProcessPath!, arguments);
        }
        catch (Win32Exception exception)
        {
            Lack = $"nothing may be mounted here ({exception.Message})";
        }
    }
}
