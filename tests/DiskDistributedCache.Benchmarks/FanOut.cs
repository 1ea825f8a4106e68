namespace DiskDistributedCache.Benchmarks;

/// <summary>Runs the same work on several threads or as several async callers, let go at one moment.</summary>
internal static class FanOut
{
    private const int FewCallers = 2;

    /// <summary>
    /// Each caller is an async loop, as requests are. A few begin on threads of their own, and stay there as long as they never wait: on the pool one would
    /// often begin late, because another contestant has left its threads busy. Many begin on the pool.
    /// </summary>
    public static Task CallersAsync(int callers, Func<int, Task> work)
    {
        var start = callers <= FewCallers ? TaskCreationOptions.LongRunning : TaskCreationOptions.None;
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Task[] loops = [.. Enumerable.Range(0, callers).Select(BeginAsync)];
        gate.SetResult();
        return Task.WhenAll(loops);

        async Task BeginAsync(int caller)
        {
            await gate.Task;

            // The continuations of one task run one after the other: without this a caller that never waits holds up the next.
            await Task.Factory.StartNew(() => work(caller), CancellationToken.None, start, TaskScheduler.Default).Unwrap();
        }
    }

    /// <summary>Each caller has a thread of its own; for work that never waits.</summary>
    public static Task ThreadsAsync(int threads, Action<int> work)
    {
        var gate = new Barrier(threads);
        return Task.WhenAll(Enumerable.Range(0, threads).Select(thread => Task.Factory.StartNew(
            () =>
            {
                gate.SignalAndWait();
                work(thread);
            },
            CancellationToken.None,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default)));
    }
}
