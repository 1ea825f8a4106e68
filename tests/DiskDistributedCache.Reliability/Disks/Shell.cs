using System.Diagnostics;

namespace DiskDistributedCache.Reliability.Disks;

/// <summary>The tools of the system.</summary>
internal static class Shell
{
    /// <exception cref="InvalidOperationException">The tool is not there, or failed.</exception>
    public static async Task RunAsync(string tool, params string[] arguments)
    {
        var (code, output) = await TryAsync(tool, arguments);
        if (code != 0)
        {
            throw new InvalidOperationException($"{tool} {string.Join(' ', arguments)} ended with {code}: {output}");
        }
    }

    public static async Task<(int Code, string Output)> TryAsync(string tool, params string[] arguments)
    {
        var start = new ProcessStartInfo(tool, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        try
        {
            using var process = Process.Start(start) ?? throw new InvalidOperationException($"{tool} did not start.");
            var errors = process.StandardError.ReadToEndAsync();
            string output = await process.StandardOutput.ReadToEndAsync();
            await process.WaitForExitAsync();
            return (process.ExitCode, output + await errors);
        }
        catch (System.ComponentModel.Win32Exception exception)
        {
            return (-1, exception.Message);
        }
    }
}
