namespace DiskDistributedCache.Benchmarks.Contestants;

/// <summary>
/// A store on disk under measurement, ready for use when it has been constructed. Entries are given by their number in the
/// <see cref="Benchmarks.Workload"/>; <c>caller</c> says whose buffers may be used, and each caller does one thing at a time.
/// </summary>
internal abstract class Contestant(string name, Workload workload) : IAsyncDisposable
{
    /// <summary>More callers than any claim has.</summary>
    protected const int MaxCallers = 64;

    private const int FillingCallers = 16;

    public string Name { get; } = name;

    protected Workload Workload { get; } = workload;

    /// <summary>The number of callers that the contestant is measured with where a claim asks for <paramref name="callers"/>.</summary>
    public virtual int CallersFor(int callers) => callers;

    /// <summary>The value, valid until the caller's next call; empty when the store has none.</summary>
    public abstract ValueTask<ReadOnlyMemory<byte>> GetAsync(int caller, int entry);

    public abstract ValueTask SetAsync(int caller, int entry);

    /// <summary>Stores every entry, in any way that leaves the same content as <see cref="SetAsync"/> would.</summary>
    public virtual Task FillAsync() => FanOut.CallersAsync(FillingCallers, async caller =>
    {
        for (int entry = caller; entry < Workload.Entries; entry += FillingCallers)
        {
            await SetAsync(caller, entry);
        }
    });

    /// <summary>Fails when the figures would be of something else than the contestant's disk.</summary>
    public virtual void CheckAfterwards(ClaimRun run)
    {
    }

    public abstract ValueTask DisposeAsync();
}
