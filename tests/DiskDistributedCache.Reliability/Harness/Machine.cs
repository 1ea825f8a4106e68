using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace DiskDistributedCache.Reliability.Harness;

/// <summary>What a result is to be known by.</summary>
internal sealed record Machine(string Date, string Commit, string System, string Runtime, int Processors)
{
    public static Machine Here() => new(
        DateTime.UtcNow.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
        CommitHere(),
        $"{RuntimeInformation.OSDescription}, kernel {Environment.OSVersion.Version} ({RuntimeInformation.OSArchitecture})",
        RuntimeInformation.FrameworkDescription,
        Environment.ProcessorCount);

    public override string ToString() => $"commit {Commit}, {System}, {Runtime}, {Processors} processors, {Date}";

    private static string CommitHere()
    {
        try
        {
            return $"{Git("rev-parse", "--short=10", "HEAD")}{(Git("status", "--porcelain").Length > 0 ? " with changes" : "")}";
        }
        catch (Exception exception) when (exception is Win32Exception or InvalidOperationException)
        {
            return "unknown";
        }
    }

    private static string Git(params string[] arguments)
    {
        using var git = Process.Start(new ProcessStartInfo("git", arguments)
        {
            // Where this program was built, wherever it is called from.
            WorkingDirectory = AppContext.BaseDirectory,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })
            ?? throw new InvalidOperationException("git did not start.");
        string output = git.StandardOutput.ReadToEnd().Trim();
        git.WaitForExit();
        return git.ExitCode == 0 ? output : throw new InvalidOperationException($"git {arguments[0]} ended with {git.ExitCode}.");
    }
}
