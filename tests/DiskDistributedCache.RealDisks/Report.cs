using System.Globalization;

namespace DiskDistributedCache.RealDisks;

/// <summary>Prints a line per check, in the form that <c>.ci/run</c> counts.</summary>
internal sealed class Report
{
    public bool HasFailures { get; private set; }

    public void Check(string name, bool isRight, string found)
    {
        HasFailures |= !isRight;
        Console.WriteLine(isRight ? $"passed  {name} ({found})" : $"FAILED  {name}: {found}");
    }

    /// <summary>A check of a time. Where the machine itself did not keep it, nothing is said about the cache.</summary>
    /// <param name="machineAllows">Whether what does not touch the cache kept the same bound, at the same time.</param>
    public void CheckTime(string name, bool isRight, string found, bool machineAllows, string machine)
    {
        if (isRight || machineAllows)
        {
            Check(name, isRight, $"{found}; baseline {machine}");
        }
        else
        {
            Console.WriteLine($"skipped  {name}: machine too busy ({found}; baseline {machine})");
        }
    }

    public static string Ms(double milliseconds) => milliseconds.ToString("0.0", CultureInfo.InvariantCulture) + " ms";
}
