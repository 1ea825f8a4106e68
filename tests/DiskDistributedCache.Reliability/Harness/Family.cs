namespace DiskDistributedCache.Reliability.Harness;

/// <summary>One kind of proof, with as many cases as the scale asks for.</summary>
internal abstract class Family
{
    /// <summary>What <c>--only</c> calls it; also the name of its results and images.</summary>
    public abstract string Name { get; }

    /// <summary>A line for the report: what is done, and what is judged.</summary>
    public abstract string What { get; }

    /// <summary>What is counted, in the plural: "images", "kills".</summary>
    public abstract string Unit { get; }

    public abstract Counts Counts { get; }

    /// <summary>Measured milliseconds of a case, on two workers: the estimate of the time left before anything has run.</summary>
    public abstract double CaseMilliseconds { get; }

    /// <summary>
    /// Runs the cases. What is wrong is told to <see cref="FamilyRun"/>; an exception that leaves is a violation as well.
    /// </summary>
    public abstract Task RunAsync(FamilyRun run);
}
