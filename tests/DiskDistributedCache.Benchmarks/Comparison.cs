namespace DiskDistributedCache.Benchmarks;

/// <summary>What one contestant does in a turn: all of its callers work until their stints are over.</summary>
internal sealed record Turn(string Name, int Callers, Func<Stint[], Task> RunAsync)
{
    /// <summary>So that clock and common count do not weigh in a memory read.</summary>
    public const int DefaultHandful = 8;

    public long MaxOperations { get; init; } = long.MaxValue;

    /// <summary>Clock and common count are looked at once in so many operations of a caller.</summary>
    public int Handful { get; init; } = DefaultHandful;

    /// <summary>How long it lasts; null for as long as any turn of the run.</summary>
    public TimeSpan? Duration { get; init; }

    /// <summary>What the turn has measured by itself, asked when it is over; null where its time per operation is what counts.</summary>
    public Func<double>? Figure { get; init; }

    /// <summary>A turn that is one measurement.</summary>
    public static Turn Measuring(string name, Func<Task<double>> measureAsync)
    {
        double figure = 0;
        return new Turn(name, 1, async _ => figure = await measureAsync()) { Figure = () => figure };
    }
}

/// <summary>
/// Times contestants side by side in one process. Each takes one turn in every round, and every other round goes through
/// them backwards, so that drift of the machine and what a neighbour leaves behind (dirty pages, garbage) fall on all alike.
/// The first round warms up and does not count. The result is the median of the others.
/// </summary>
internal sealed class Comparison(ClaimRun run, string name)
{
    /// <summary>What a contestant takes in a turn is a few times what it writes: the file, what its own memory grows by, and garbage.</summary>
    private const int TouchedPerWritten = 8;

    /// <returns>For each turn, in order, the median of its microseconds per operation, over all callers together.</returns>
    public async Task<double[]> RunAsync(IReadOnlyList<Turn> turns)
    {
        double[][] times = [.. turns.Select(_ => new double[run.Scale.Rounds])];
        for (int round = -1; round < run.Scale.Rounds; round++)
        {
            for (int place = 0; place < turns.Count; place++)
            {
                int i = round % 2 == 0 ? place : turns.Count - 1 - place;
                double time = await TimeAsync(turns[i]);
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
            run.Progress($"{name} {turns[i].Name}: {Median(times[i]):0.000} us ({times[i][0]:0.000} to {times[i][^1]:0.000})");
        }

        return [.. times.Select(Median)];
    }

    public static double Median(double[] sorted)
    {
        int middle = sorted.Length / 2;
        return sorted.Length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }

    private async Task<double> TimeAsync(Turn turn)
    {
        run.Stopped.ThrowIfCancellationRequested();
        GC.Collect();
        GC.WaitForPendingFinalizers();
        Writeback.Finish();
        if (turn.MaxOperations != long.MaxValue)
        {
            // What has a limit writes.
            FreeMemory.Touch(TouchedPerWritten * run.Scale.MaxTurnBytes);
        }

        var limit = new TurnLimit(turn.Duration ?? run.Scale.Turn, turn.MaxOperations, turn.Handful);
        Stint[] stints = [.. Enumerable.Range(0, turn.Callers).Select(caller => new Stint(caller, limit))];
        await turn.RunAsync(stints);
        return turn.Figure is { } figure ? figure() : limit.IsSpent ? OfAll(stints) : OfEach(stints);
    }

    /// <summary>
    /// Microseconds per operation of a turn that ended by time: the callers add up to its throughput, and one that ends late spoils only
    /// its own share.
    /// </summary>
    private static double OfEach(Stint[] stints) => 1 / stints.Sum(stint => stint.Operations / stint.Ended.TotalMicroseconds);

    /// <summary>
    /// The same of a turn that ended by operations, which some callers may have used up while others waited: nothing counts but when
    /// all were done.
    /// </summary>
    private static double OfAll(Stint[] stints) =>
        stints.Max(stint => stint.Ended).TotalMicroseconds / stints.Sum(stint => stint.Operations);
}
