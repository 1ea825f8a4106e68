using System.Collections.Concurrent;
using System.Diagnostics;

namespace DiskDistributedCache.Reliability.Processes;

/// <summary>A worker as its parent has it: what it has told so far, and its end. None outlives the parent.</summary>
internal sealed class Victim : IAsyncDisposable
{
    private static readonly ConcurrentDictionary<int, Process> s_running = new();
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(120);

    private readonly Process _process;
    private readonly Task _reading;
    private readonly List<byte> _told = [];
    private readonly ConcurrentDictionary<WorkerEventKind, TaskCompletionSource<bool>> _reached = new();
    private readonly List<WorkerEvent> _events = [];

    static Victim() => AppDomain.CurrentDomain.ProcessExit += (_, _) =>
    {
        foreach (var process in s_running.Values)
        {
            process.Kill();
        }
    };

    private Victim(Process process)
    {
        _process = process;
        s_running[process.Id] = process;
        _reading = ReadAsync();
    }

    public int Id => _process.Id;

    /// <summary>All that was told, as it was told. Once it has ended.</summary>
    public byte[] Log => [.. _told];

    public static Victim Start(WorkerArguments arguments)
    {
        string program = Environment.ProcessPath ?? throw new InvalidOperationException("The program has no path.");
        var start = new ProcessStartInfo(program) { RedirectStandardInput = true, RedirectStandardOutput = true };
        if (Path.GetFileNameWithoutExtension(program) == "dotnet")
        {
            start.ArgumentList.Add(typeof(Victim).Assembly.Location);
        }

        foreach (string argument in arguments.ToArguments())
        {
            start.ArgumentList.Add(argument);
        }

        // Starting quickly matters more here than what comes of it in the long run.
        start.Environment["DOTNET_TieredPGO"] = "0";
        start.Environment["DOTNET_gcServer"] = "0";
        return new Victim(Process.Start(start) ?? throw new InvalidOperationException("No worker was started."));
    }

    /// <summary>Waits until it has told this. False when it ended before, or threw.</summary>
    public async Task<bool> ReachesAsync(WorkerEventKind kind)
    {
        try
        {
            return await Reached(kind).Task.WaitAsync(s_patience);
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    /// <summary>Asks it to close its cache.</summary>
    public void AskToClose() => _process.StandardInput.WriteLine("close");

    /// <summary>From here on its disk refuses to be written.</summary>
    public void BreakDisk() => _process.StandardInput.WriteLine(Worker.Break);

    public void Kill() => _process.Kill();

    public void Pause() => Native.Send(_process.Id, Native.Stop);

    public void Continue() => Native.Send(_process.Id, Native.Continue);

    /// <summary>Kills what still runs, and tells everything that it told.</summary>
    public async Task<IReadOnlyList<WorkerEvent>> EndAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
        await _reading;
        s_running.TryRemove(_process.Id, out _);
        return _events;
    }

    public async ValueTask DisposeAsync()
    {
        await EndAsync();
        _process.Dispose();
    }

    private TaskCompletionSource<bool> Reached(WorkerEventKind kind) =>
        _reached.GetOrAdd(kind, _ => new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously));

    private async Task ReadAsync()
    {
        byte[] buffer = new byte[64 << 10];
        int read;
        int parsed = 0;
        while ((read = await _process.StandardOutput.BaseStream.ReadAsync(buffer)) > 0)
        {
            _told.AddRange(buffer.AsSpan(0, read));
            parsed += Parse(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_told)[parsed..]);
        }

        foreach (var kind in Enum.GetValues<WorkerEventKind>())
        {
            Reached(kind).TrySetResult(false);
        }
    }

    private int Parse(ReadOnlySpan<byte> bytes)
    {
        var left = bytes;
        while (WorkerEvent.TryRead(ref left, out var told))
        {
            _events.Add(told);
            switch (told.Kind)
            {
                case WorkerEventKind.Started or WorkerEventKind.Opened or WorkerEventKind.Checked or WorkerEventKind.Closed:
                    Reached(told.Kind).TrySetResult(true);
                    break;
                case WorkerEventKind.Threw:
                    Array.ForEach(Enum.GetValues<WorkerEventKind>(), kind => Reached(kind).TrySetResult(false));
                    break;
            }
        }

        return bytes.Length - left.Length;
    }
}
