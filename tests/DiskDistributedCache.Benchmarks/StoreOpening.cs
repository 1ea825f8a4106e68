using System.Diagnostics;
using System.Globalization;
using DiskDistributedCache.Storage;
using Microsoft.Extensions.Caching.Distributed;

namespace DiskDistributedCache.Benchmarks;

/// <summary>
/// A store of many small entries that is opened again and again: after a clean close, and after the process that had it open was killed.
/// The process is this program once more, with the command <c>hold</c>: it opens the store, overwrites some entries, says so, and is killed by
/// a signal that it cannot catch. Its witness vouches for it, so nothing may be missing afterwards.
/// </summary>
internal sealed class StoreOpening(string directory, int entries)
{
    public const int ValueBytes = 100;
    public const string HoldCommand = "hold";

    /// <summary>What one of the entries takes in a segment.</summary>
    public static readonly int RecordBytes = (int)RecordFormat.LengthOf((2L * Workload.KeyOf(0).Length) + ValueBytes);

    private const string HeldReply = "held";
    private const int Callers = 64;
    private const int OverwrittenEntries = 1_000;

    private static readonly DistributedCacheEntryOptions s_noExpiry = new();
    private static readonly byte[] s_value = Value();

    public int Entries => entries;

    public string Directory => directory;

    /// <summary>The same for the process that is killed and for the one that comes after it. The long timeout: a busy machine is not a sick disk.</summary>
    public DiskDistributedCacheOptions Options { get; } = new()
    {
        Directory = directory,
        MaxMemoryBytes = 0,
        MaxDiskBytes = 16L << 30,
        MaxEntries = entries + (entries / 4),
        IoTimeout = TimeSpan.FromSeconds(10),
        BreakDuration = TimeSpan.FromSeconds(30),
    };

    /// <summary>The command line of <c>hold</c>: keeps a store open until it is killed, or its input ends because its starter is gone.</summary>
    /// <exception cref="ArgumentException">These are not its arguments.</exception>
    public static StoreOpening ParseHold(IReadOnlyList<string> arguments) =>
        arguments is [var directory, var entries] && int.TryParse(entries, CultureInfo.InvariantCulture, out int count)
            ? new StoreOpening(directory, count)
            : throw new ArgumentException("'hold' needs a directory and a number of entries.");

    public async Task<int> HoldAsync()
    {
        await using var cache = await OurCache.OpenAsync(Options);
        await SetAsync(cache, 0, Math.Min(OverwrittenEntries, entries));
        Console.Out.WriteLine(cache.GetStatus() is { OwedWrites: 0, Mode: DiskCacheMode.Normal } ? HeldReply : cache.GetStatus().ToString());
        Console.Out.Flush();
        await Console.In.ReadToEndAsync();
        return 0;
    }

    /// <summary>Makes the store and closes it; returns the seconds that the sets took.</summary>
    public async Task<double> FillAsync(ClaimRun run)
    {
        run.Progress($"filling {entries} entries of {ValueBytes} bytes");
        await using var cache = await OurCache.OpenAsync(Options);
        long started = Stopwatch.GetTimestamp();
        await SetAsync(cache, 0, entries);
        OurCache.CheckIsNormal(cache, run.Progress);
        return Stopwatch.GetElapsedTime(started).TotalSeconds;
    }

    public static Task SetAsync(DiskCache cache, int from, int to) => SetAsync(cache, from, to, s_value);

    public static Task SetAsync(DiskCache cache, int from, int to, byte[] value) => FanOut.CallersAsync(Callers, async caller =>
    {
        for (int entry = from + caller; entry < to; entry += Callers)
        {
            await cache.SetAsync(Workload.KeyOf(entry), value, s_noExpiry);
        }
    });

    /// <summary>Microseconds from before the constructor until an entry is served from the disk. Fails when entries are missing.</summary>
    public async Task<double> OpenAsync()
    {
        GC.Collect();
        long started = Stopwatch.GetTimestamp();
        await using var cache = OurCache.Create(Options);
        await OurCache.WaitUntilServedAsync(cache, Workload.KeyOf(entries / 2));
        double time = Stopwatch.GetElapsedTime(started).TotalMicroseconds;
        return cache.GetStatus().Entries >= entries ? time
            : throw new InvalidOperationException($"Of {entries} entries {cache.GetStatus().Entries} were there after the start.");
    }

    /// <summary>Opens the store in another process and kills that.</summary>
    public async Task KillAsync()
    {
        using var process = ThisProgram.Start(HoldCommand, directory, entries.ToString(CultureInfo.InvariantCulture));
        string? reply = await process.StandardOutput.ReadLineAsync();
        process.Kill();
        await process.WaitForExitAsync();
        if (reply != HeldReply)
        {
            throw new InvalidOperationException($"The process that was to hold the store said: {reply ?? "nothing"}.");
        }
    }

    private static byte[] Value()
    {
        byte[] value = new byte[ValueBytes];
        new Random(ValueBytes).NextBytes(value);
        return value;
    }
}
