using System.Diagnostics;
using System.Globalization;

namespace DiskDistributedCache.Benchmarks;

/// <summary>One run of the command: which claims are wanted, where files go, and where results and progress are printed.</summary>
internal sealed class ClaimRun(ClaimsArguments arguments, string directory, CancellationToken stopped)
{
    private readonly TextWriter _results = Console.Out;
    private readonly long _started = Stopwatch.GetTimestamp();

    public Scale Scale => arguments.Scale;

    /// <summary>Ends when the user asks for it; looked at between turns only.</summary>
    public CancellationToken Stopped => stopped;

    /// <summary>Whether somebody has asked for claims by their names.</summary>
    public bool IsSelective => arguments.Only.Count > 0;

    public bool Wants(string claim) =>
        arguments.Only.Count == 0 || arguments.Only.Any(part => claim.Contains(part, StringComparison.Ordinal));

    public string NewDirectory(string name) => Directory.CreateDirectory(Path.Combine(directory, name)).FullName;

    /// <summary>Prints a comparison. Times are microseconds per operation, over all callers together.</summary>
    public void Claim(string name, double ours, double other)
    {
        double ratio = other / ours;
        string digits = ratio < 0.1 ? "0.0000" : "0.00";
        Result(string.Create(
            CultureInfo.InvariantCulture,
            $"claim {name} ratio={ratio.ToString(digits, CultureInfo.InvariantCulture)} ours={ours:0.000} other={other:0.000}"));
    }

    /// <summary>Prints figures as they are named, and the bars that they have to reach.</summary>
    public void Result(string line)
    {
        _results.WriteLine(Bars.Judge(line));
        _results.Flush();
    }

    public void Progress(FormattableString text)
    {
        double seconds = Stopwatch.GetElapsedTime(_started).TotalSeconds;
        Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"[{seconds,6:0.0} s] ") + FormattableString.Invariant(text));
    }
}
