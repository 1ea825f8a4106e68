using DiskDistributedCache.Diagnostics;
using DiskDistributedCache.Storage;

namespace DiskDistributedCache.Tiers;

/// <summary>
/// The moment at which a mutation is acknowledged, for callers that block and for callers that await. Never fails and never
/// takes longer than the I/O timeout.
/// </summary>
internal readonly struct Acknowledgement(Mutation mutation, TimeSpan timeout, CacheActivities activities)
{
    private readonly Mutation? _mutation = mutation;

    public static Acknowledgement Done => default;

    /// <summary>Blocks. The wait is on an event that an I/O lane sets, not on work of the thread pool.</summary>
    public void Wait()
    {
        if (_mutation is not null)
        {
            using var activity = activities.Write();
            _mutation.Task.Wait(timeout);
            activity.HasWritten(_mutation.IsOwed);
        }
    }

    public ValueTask AsValueTask() => _mutation is null ? ValueTask.CompletedTask
        : CacheActivities.IsObserved ? new ValueTask(WaitObservedAsync(_mutation, activities))
        : new ValueTask(_mutation.Task);

    private static async Task WaitObservedAsync(Mutation mutation, CacheActivities activities)
    {
        using var activity = activities.Write();
        await mutation.Task.ConfigureAwait(false);
        activity.HasWritten(mutation.IsOwed);
    }
}
