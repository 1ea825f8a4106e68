namespace DiskDistributedCache.Reliability.Disks;

/// <summary>
/// The number of the run of the operating system, as the processes of this program see it: a file of ours is mounted over the one of the
/// kernel. After a real power cut it is another.
/// </summary>
internal static class BootId
{
    private const string Kernels = "/proc/sys/kernel/random/boot_id";

    private static string? s_ours;

    /// <summary>Does nothing when it is done already.</summary>
    public static async Task CoverAsync()
    {
        if (s_ours is not null)
        {
            return;
        }

        string file = Path.GetTempFileName();
        await File.WriteAllTextAsync(file, await File.ReadAllTextAsync(Kernels));
        await Shell.RunAsync("mount", "--bind", file, Kernels);
        File.Delete(file);
        s_ours = Kernels;
    }

    /// <summary>In place, of the same length: who reads it at this moment reads one or the other.</summary>
    public static void Change()
    {
        using var file = File.OpenHandle(s_ours!, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
        RandomAccess.Write(file, System.Text.Encoding.ASCII.GetBytes(Guid.NewGuid().ToString("D")), 0);
    }
}
