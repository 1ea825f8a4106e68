#pragma warning disable CA1822 // SKELETON
namespace DiskDistributedCache.Tiers;

/// <summary>
/// The moment at which a mutation is acknowledged, for callers that block and for callers that await. Never fails and never
/// takes longer than the I/O timeout.
/// </summary>
internal readonly struct Acknowledgement
{
    public static Acknowledgement Done => default;

    public void Wait()
    {
    }

    public ValueTask AsValueTask() => ValueTask.CompletedTask;
}
