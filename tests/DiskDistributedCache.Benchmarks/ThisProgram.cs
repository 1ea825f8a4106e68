using System.Diagnostics;

namespace DiskDistributedCache.Benchmarks;

/// <summary>Starts this program once more, for what has to be in a process of its own.</summary>
internal static class ThisProgram
{
    /// <summary>The process, with its input and output at hand; it should end when its input does, so that it does not outlive this one.</summary>
    public static Process Start(params string[] arguments)
    {
        string program = Environment.ProcessPath!;
        bool isHost = Path.GetFileNameWithoutExtension(program).Equals("dotnet", StringComparison.OrdinalIgnoreCase);
        string[] self = isHost ? [typeof(ThisProgram).Assembly.Location] : [];
        return Process.Start(new ProcessStartInfo(program, [.. self, .. arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        })!;
    }
}
