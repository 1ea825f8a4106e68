using DiskDistributedCache.Benchmarks.HitRatios;

namespace DiskDistributedCache.Benchmarks;

/// <summary>How much is measured. A turn is the share of one contestant in one round.</summary>
internal sealed record Scale
{
    public static readonly Scale Full = new()
    {
        Rounds = 7,
        Turn = TimeSpan.FromMilliseconds(300),
        MaxTurnBytes = 32L << 20,
        EntriesOf1KiB = 50_000,
        EntriesOf16KiB = 20_000,
        EntriesOf128KiB = 2_500,
        EntriesToReopen = 1_000_000,
        EntriesToGrowBy = [10_000, 100_000, 1_000_000, 10_000_000],
        SickTurn = TimeSpan.FromSeconds(1),
        HasGzip = true,
        SiteWarmUp = TimeSpan.FromSeconds(3),
        Traces = HitRatioArguments.OwnTraces,
        RequestsToReplay = int.MaxValue,
    };

    public static readonly Scale Quick = new()
    {
        Rounds = 3,
        Turn = TimeSpan.FromMilliseconds(20),
        MaxTurnBytes = 8L << 20,
        EntriesOf1KiB = 5_000,
        EntriesOf16KiB = 400,
        EntriesOf128KiB = 100,
        EntriesToReopen = 50_000,
        EntriesToGrowBy = [10_000, 100_000],
        SickTurn = TimeSpan.FromMilliseconds(200),
        HasGzip = false,
        SiteWarmUp = null,
        Traces = HitRatioArguments.OwnTraces.Take(1),
        RequestsToReplay = 15_000,
    };

    public required int Rounds { get; init; }

    public required TimeSpan Turn { get; init; }

    /// <summary>The most that one contestant writes in a turn, so that the fast ones do not fill the disk.</summary>
    public required long MaxTurnBytes { get; init; }

    public required int EntriesOf1KiB { get; init; }

    public required int EntriesOf16KiB { get; init; }

    public required int EntriesOf128KiB { get; init; }

    public required int EntriesToReopen { get; init; }

    /// <summary>The sizes of the stores whose cost is compared, ascending.</summary>
    public required IReadOnlyList<int> EntriesToGrowBy { get; init; }

    /// <summary>How long a disk is sick in a turn; a caller waits 80 ms for one that hangs.</summary>
    public required TimeSpan SickTurn { get; init; }

    /// <summary>Whether compressed files are measured beside the others although nobody asks for them by their name; they take their time.</summary>
    public required bool HasGzip { get; init; }

    /// <summary>
    /// How long each site is asked before it is measured, one request at a time and many: until its code is compiled for good. Null where there is no
    /// time for that; then nothing is measured over HTTP, unless it is asked for by its name.
    /// </summary>
    public required TimeSpan? SiteWarmUp { get; init; }

    /// <summary>The recorded traces that are replayed.</summary>
    public required IEnumerable<string> Traces { get; init; }

    /// <summary>The most requests of a recorded trace that are replayed.</summary>
    public required int RequestsToReplay { get; init; }
}
