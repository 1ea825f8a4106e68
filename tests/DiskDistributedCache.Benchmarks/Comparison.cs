using System.Diagnostics;

namespace DiskDistributedCache.Benchmarks;

/// <summary>What one contestant does in a turn: that many operations, with the wall-clock time that they took.</summary>
internal sealed record Turn(string Name, int MaxOperations, Func<int, Task<TimeSpan>> RunAsync);

/// <summary>
/// Times contestants side by side in one process. Each takes one turn in every round, and every other round goes through
/// them backwards, so that drift of the machine and what a neighbour leaves behind (dirty pages, garbage) fall on all alike.
/// The number of operations of a turn is found beforehand, per contestant, from the time that a turn should take; the first
/// round warms up and does not count. The result is the median of the others.
/// </summary>
internal sealed class Comparison(ClaimRun run, string name)
{
    private const int FirstOperations = 256;

    /// <returns>For each turn, in order, the median of its wall-clock microseconds per operation.</returns>
    public async Task<double[]> RunAsync(IReadOnlyList<Turn> turns)
    {
        int[] operations = new int[turns.Count];
        for (int i = 0; i < turns.Count; i++)
        {
            operations[i] = await FindOperationsAsync(turns[i]);
        }

        double[][] times = [.. turns.Select(_ => new double[run.Scale.Rounds])];
        for (int round = -1; round < run.Scale.Rounds; round++)
        {
            for (int place = 0; place < turns.Count; place++)
            {
                int i = round % 2 == 0 ? place : turns.Count - 1 - place;
                double time = await TimeAsync(turns[i], operations[i]);
                if (round >= 0)
                {
                    times[i][round] = time;
                }
            }

            run.Progress($"{name} round {round + 1} of {run.Scale.Rounds}");
        }

        for (int i = 0; i < turns.Count; i++)
        {
            Array.Sort(times[i]);
            run.Progress($"{name} {turns[i].Name}: {Median(times[i]):0.000} us ({times[i][0]:0.000} to {times[i][^1]:0.000}), turns of {operations[i]}");
        }

        return [.. times.Select(Median)];
    }

    public static double Median(double[] sorted)
    {
        int middle = sorted.Length / 2;
        return sorted.Length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }

    private async Task<int> FindOperationsAsync(Turn turn)
    {
        int operations = Math.Min(FirstOperations, turn.MaxOperations);
        while (true)
        {
            double time = await TimeAsync(turn, operations);
            double fitting = run.Scale.Turn.TotalMicroseconds / time;
            if (operations == turn.MaxOperations || operations >= fitting / 8)
            {
                return (int)Math.Clamp(fitting, 1, turn.MaxOperations);
            }

            operations = (int)Math.Min(operations * 4L, turn.MaxOperations);
        }
    }

    private async Task<double> TimeAsync(Turn turn, int operations)
    {
        run.Stopped.ThrowIfCancellationRequested();
        GC.Collect();
        GC.WaitForPendingFinalizers();
        var elapsed = await turn.RunAsync(operations);
        return elapsed.TotalMicroseconds / operations;
    }
}

/// <summary>Runs the same work on several threads or as several async callers, let go at one moment.</summary>
internal static class FanOut
{
    /// <summary>Each caller is an async loop on the thread pool, as requests are.</summary>
    public static async Task<TimeSpan> CallersAsync(int callers, Func<int, Task> work)
    {
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Task[] loops = [.. Enumerable.Range(0, callers).Select(BeginAsync)];
        long started = Stopwatch.GetTimestamp();
        gate.SetResult();
        await Task.WhenAll(loops);
        return Stopwatch.GetElapsedTime(started);

        async Task BeginAsync(int caller)
        {
            await gate.Task;
            await work(caller);
        }
    }

    /// <summary>Each caller has a thread of its own; for work that never waits.</summary>
    public static TimeSpan Threads(int threads, Action<int> work)
    {
        using var gate = new Barrier(threads + 1);
        Task[] loops = [.. Enumerable.Range(0, threads).Select(thread => Task.Factory.StartNew(
            () =>
            {
                gate.SignalAndWait();
                work(thread);
            },
            CancellationToken.None,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default))];
        long started = Stopwatch.GetTimestamp();
        gate.SignalAndWait();
        Task.WaitAll(loops);
        return Stopwatch.GetElapsedTime(started);
    }

    /// <summary>The share of <paramref name="operations"/> that falls to one of several callers; the shares add up.</summary>
    public static int Share(int operations, int caller, int callers) =>
        (int)((long)operations * (caller + 1) / callers - (long)operations * caller / callers);
}
