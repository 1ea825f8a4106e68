using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.InteropServices;

namespace DiskDistributedCache.RealDisks;

/// <summary>
/// The process behind a file system is stopped while callers work: no call of the disk returns any more. Everything that is
/// measured is measured before as well; the waits of the callers have a baseline of pure waits that run at the same time.
/// </summary>
internal static partial class HungDisk
{
    private const int DiskKeyCount = 100; // for each caller
    private const int HotKeyCount = 5;
    private const int Stop = 19; // SIGSTOP
    private const int Continue = 18; // SIGCONT
    private static readonly TimeSpan s_disposeGrace = TimeSpan.FromSeconds(10);
    private const int ValueBytes = 2_000;
    private const int AsyncCallerCount = 8;
    private const int SyncCallerCount = 2;

    public static async Task RunAsync(string directory, int daemon, Report report)
    {
        var options = Scene.Options(directory);
        options.IoTimeout = TimeSpan.FromMilliseconds(80);
        options.MaxMemoryBytes = 512 << 10;
        var cache = await Scene.OpenAsync(options);
        var ledgers = Enumerable.Range(0, AsyncCallerCount + SyncCallerCount).Select(caller => new Ledger(cache, $"{caller}:")).ToList();
        foreach (var ledger in ledgers)
        {
            for (int key = 0; key < DiskKeyCount; key++)
            {
                await ledger.SetAsync($"key {key}", ValueBytes);
            }

            await Scene.UntilAsync(() => cache.GetStatus() is { OwedWrites: 0, Mode: DiskCacheMode.Normal });
        }

        var before = await MeasureAsync(cache, ledgers, TimeSpan.FromSeconds(3), null);
        bool isInUse = await IsInUseAsync(cache);
        report.CheckTime("hang: before, the disk is in use", isInUse, Scene.Describe(cache),
            P(before.Waits, 99) <= 100, $"{Figures(before.Waits)} of waits of 80 ms");
        var during = await MeasureAsync(cache, ledgers, TimeSpan.FromSeconds(8), () => Send(daemon, Stop));
        string hung = Scene.Describe(cache);
        Send(daemon, Continue);
        Judge(before, during, report);
        report.Check("hang: the disk is given up", during.WasGivenUp, hung);
        report.Check("hang: it recovers by itself", await IsInUseAsync(cache), Scene.Describe(cache));
        foreach (var ledger in ledgers)
        {
            await ledger.ReadAllAsync();
        }

        var lied = ledgers.FirstOrDefault(ledger => ledger.Lies > 0);
        report.Check("hang: nothing dead, stale or wrong was read", lied is null, lied?.FirstLie ?? $"{ledgers.Sum(ledger => ledger.Reads)} reads");
        await DisposeHungAsync(cache, options, daemon, ledgers[0], report);
    }

    /// <summary>Not how healthy: a probe may well take longer than 80 ms on a machine that is busy.</summary>
    private static Task<bool> IsInUseAsync(DiskCache cache) =>
        Scene.UntilAsync(() => cache.GetStatus() is { Mode: DiskCacheMode.Normal, OwedWrites: 0 }, seconds: 30);

    private static void Judge(Measured before, Measured during, Report report)
    {
        report.CheckTime("hang: p99 of memory hits is under 5 ms", P(during.Memory, 99) < 5, Figures(during.Memory),
            P(before.Memory, 99) < 5 && P(during.Spins, 99) < 5, $"{Figures(before.Memory)} before; {Figures(during.Spins)} of no work at all");
        report.CheckTime("hang: p99.9 of disk-tier callers is within 100 ms", P(during.Disk, 99.9) <= 100, Figures(during.Disk),
            P(during.Waits, 99.9) <= 100, $"{Figures(during.Waits)} of waits of 80 ms");
        report.CheckTime("hang: no caller waits longer than 1 s", P(during.Disk, 100) <= 1000 && P(during.Memory, 100) <= 1000,
            Report.Ms(Math.Max(P(during.Disk, 100), P(during.Memory, 100))), P(during.Waits, 100) <= 500, $"{Figures(during.Waits)} of waits of 80 ms");
        report.CheckTime("hang: thread-pool work is not delayed", P(during.Pool, 99) <= (2 * P(before.Pool, 99)) + 25, Figures(during.Pool),
            P(before.Pool, 99) < 50 && P(during.Spins, 99) < 10, $"{Figures(before.Pool)} before; {Figures(during.Spins)} of no work at all");
        report.Check("hang: the number of threads is bounded", during.Threads - before.Threads <= 10, $"{before.Threads} before, {during.Threads} during");
    }

    /// <summary>Last: a cache is let go while its disk hangs. The store is right or empty afterwards.</summary>
    private static async Task DisposeHungAsync(DiskCache cache, DiskDistributedCacheOptions options, int daemon, Ledger ledger, Report report)
    {
        Send(daemon, Stop);
        for (int key = 0; key < 10; key++)
        {
            await ledger.RemoveAsync($"key {key}");
        }

        var watch = Stopwatch.StartNew();
        await cache.DisposeAsync();
        report.Check("hang: disposal ends within its grace time", watch.Elapsed < s_disposeGrace + TimeSpan.FromSeconds(1), Report.Ms(watch.Elapsed.TotalMilliseconds));
        Send(daemon, Continue);

        string file = Path.GetTempFileName();
        ledger.Save(file);
        await using var again = await Scene.OpenAsync(options);
        var found = Ledger.Load(again, file, "0:");
        File.Delete(file);
        await found.ReadAllAsync();
        report.Check("hang: nothing dead, stale or wrong after a restart", found.Lies == 0, found.FirstLie ?? $"{found.Hits} hits; {Scene.Describe(again)}");
    }

    private static async Task<Measured> MeasureAsync(DiskCache cache, List<Ledger> ledgers, TimeSpan time, Action? begin)
    {
        var measured = new Measured();
        using var end = new CancellationTokenSource();
        for (int caller = 0; caller < ledgers.Count; caller++)
        {
            Warm(ledgers[caller]);
        }

        begin?.Invoke();

        var work = new List<Task>();
        for (int caller = 0; caller < ledgers.Count; caller++)
        {
            var random = new Random(caller);
            var ledger = ledgers[caller];
            work.Add(caller < AsyncCallerCount
                ? Task.Run(() => CallAsync(ledger, random, measured, end.Token))
                : Task.Factory.StartNew(() => Call(ledger, random, measured, end.Token), TaskCreationOptions.LongRunning));
            work.Add(WaitAsync(measured, end.Token));
        }

        work.Add(Task.Factory.StartNew(() => Spin(measured, end.Token), TaskCreationOptions.LongRunning));
        work.Add(Task.Factory.StartNew(() => ProbePool(measured, end.Token), TaskCreationOptions.LongRunning));
        for (var watch = Stopwatch.StartNew(); watch.Elapsed < time;)
        {
            await Task.Delay(100);
            using var process = Process.GetCurrentProcess();
            measured.Threads = Math.Max(measured.Threads, process.Threads.Count);
            measured.WasGivenUp |= cache.GetStatus().Mode == DiskCacheMode.MemoryOnly;
        }

        await end.CancelAsync();
        await Task.WhenAll(work);
        return measured;
    }

    private static void Warm(Ledger ledger)
    {
        for (int key = 0; key < HotKeyCount; key++)
        {
            ledger.Set($"hot {key}", ValueBytes);
        }
    }

    private static async Task CallAsync(Ledger ledger, Random random, Measured measured, CancellationToken end)
    {
        while (!end.IsCancellationRequested)
        {
            string key = $"key {random.Next(DiskKeyCount)}";
            string hotKey = $"hot {random.Next(HotKeyCount)}";
            await measured.TimeReadAsync(() => ledger.ReadAsync(hotKey));
            await measured.TimeReadAsync(() => ledger.ReadAsync(key));
            long began = Stopwatch.GetTimestamp();
            switch (random.Next(10))
            {
                case 0:
                    await ledger.SetAsync(key, ValueBytes);
                    Measured.Add(measured.Disk, began);
                    break;
                case 1:
                    await ledger.RemoveAsync(key);
                    Measured.Add(measured.Disk, began);
                    break;
            }

            await Task.Delay(2, CancellationToken.None);
        }
    }

    private static void Call(Ledger ledger, Random random, Measured measured, CancellationToken end)
    {
        while (!end.WaitHandle.WaitOne(2))
        {
            string key = $"key {random.Next(DiskKeyCount)}";
            string hotKey = $"hot {random.Next(HotKeyCount)}";
            measured.TimeRead(() => ledger.Read(hotKey));
            measured.TimeRead(() => ledger.Read(key));
            long began = Stopwatch.GetTimestamp();
            switch (random.Next(10))
            {
                case 0:
                    ledger.Set(key, ValueBytes);
                    Measured.Add(measured.Disk, began);
                    break;
                case 1:
                    ledger.Remove(key);
                    Measured.Add(measured.Disk, began);
                    break;
            }
        }
    }

    /// <summary>What a wait as long as the timeout of the cache takes here, without any cache.</summary>
    private static async Task WaitAsync(Measured measured, CancellationToken end)
    {
        while (!end.IsCancellationRequested)
        {
            long began = Stopwatch.GetTimestamp();
            await Task.Delay(80, CancellationToken.None);
            Measured.Add(measured.Waits, began);
        }
    }

    /// <summary>How long a thread that does nothing is kept from doing it.</summary>
    private static void Spin(Measured measured, CancellationToken end)
    {
        while (!end.WaitHandle.WaitOne(2))
        {
            long began = Stopwatch.GetTimestamp();
            Thread.SpinWait(2_000);
            Measured.Add(measured.Spins, began);
        }
    }

    private static void ProbePool(Measured measured, CancellationToken end)
    {
        while (!end.WaitHandle.WaitOne(10))
        {
            long began = Stopwatch.GetTimestamp();
            _ = Task.Run(() => Measured.Add(measured.Pool, began), CancellationToken.None);
        }
    }

    /// <summary>
    /// By a system call and not by a tool: no process can be started while the disk hangs. The new one closes the files that it has
    /// inherited, and that is a call to the disk.
    /// </summary>
    private static void Send(int process, int signal)
    {
        if (Kill(process, signal) != 0)
        {
            throw new InvalidOperationException($"Signal {signal} cannot be sent to {process}.");
        }
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int process, int signal);

    private static double P(ConcurrentQueue<double> times, double percent) => Measured.Percentile(times, percent);

    private static string Figures(ConcurrentQueue<double> times) =>
        $"p50 {Report.Ms(P(times, 50))}, p99 {Report.Ms(P(times, 99))}, p99.9 {Report.Ms(P(times, 99.9))}, max {Report.Ms(P(times, 100))} of {times.Count}";
}
