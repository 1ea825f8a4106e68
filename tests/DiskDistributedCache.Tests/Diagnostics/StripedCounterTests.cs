using DiskDistributedCache.Diagnostics;
using Xunit;

namespace DiskDistributedCache.Tests.Diagnostics;

public sealed class StripedCounterTests
{
    [Fact]
    public void It_is_exact_with_more_threads_at_a_time_than_it_has_cells()
    {
        const int ThreadCount = 200;
        const int Rounds = 2_000;
        var counter = new StripedCounter();
        using var everyone = new Barrier(ThreadCount);
        var threads = Enumerable.Range(0, ThreadCount).Select(_ => new Thread(
            () =>
            {
                everyone.SignalAndWait();
                for (int i = 0; i < Rounds; i++)
                {
                    counter.Increment();
                }
            },
            maxStackSize: 256 * 1024)).ToArray();
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());

        Assert.Equal(ThreadCount * Rounds, counter.Value);
    }
}
