namespace DiskDistributedCache.Benchmarks;

/// <summary>Claims that are measured on the same stores.</summary>
internal abstract class ClaimFamily
{
    /// <summary>The names of all claims of the family.</summary>
    public abstract IEnumerable<string> Names { get; }

    /// <summary>Measures and prints the claims that <paramref name="run"/> wants.</summary>
    public abstract Task RunAsync(ClaimRun run);
}
