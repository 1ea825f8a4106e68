using DiskDistributedCache.Entries;
using DiskDistributedCache.Storage;

namespace DiskDistributedCache.Tests.Storage;

/// <summary>What counts as time of the disk.</summary>
public sealed class ReadLanesTests
{
    // Seen to fail when only the beginning and the end of a read were looked at.
    [Fact]
    public async Task Decoding_a_value_is_no_time_of_the_disk()
    {
        var begun = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var end = new ManualResetEventSlim();
        var times = new LaneTimes(TimeSpan.FromTicks(1), TimeSpan.FromTicks(1));
        var lanes = new ReadLanes(
            _ =>
            {
                begun.SetResult();
                end.Wait();
                return null;
            },
            _ => { },
            () => { },
            times);
        lanes.Start();
        var read = lanes.TryEnqueue(new CacheKey(KeySpace.Data, "k"), default)!;
        await begun.Task;

        read.HasAnswered = true;
        while (!LaneTimes.IsOver(read.BegunAt, times.MaxLimit))
        {
            await Task.Yield();
        }

        Assert.Empty(lanes.TakeStalled());
        read.HasAnswered = false;
        Assert.Equal([read], lanes.TakeStalled());
        end.Set();
        lanes.Stop(TimeSpan.FromMinutes(1));
    }
}
