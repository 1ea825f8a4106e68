namespace DiskDistributedCache.Tiers;

/// <summary>
/// The moment at which a mutation is acknowledged, for callers that block and for callers that await. Never fails and never
/// takes longer than the I/O timeout.
/// </summary>
internal readonly struct Acknowledgement(Task task, TimeSpan timeout)
{
    private readonly Task? _task = task;

    public static Acknowledgement Done => default;

    /// <summary>Blocks. The wait is on an event that an I/O lane sets, not on work of the thread pool.</summary>
    public void Wait() => _task?.Wait(timeout);

    public ValueTask AsValueTask() => _task is null ? ValueTask.CompletedTask : new ValueTask(_task);
}
