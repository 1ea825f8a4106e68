namespace DiskDistributedCache.Benchmarks;

/// <summary>Ctrl-C as a token, so that a command deletes what it made. A second Ctrl-C ends the process at once and leaves the files.</summary>
internal sealed class CancelKey : IDisposable
{
    private readonly CancellationTokenSource _stop = new();

    public CancelKey()
    {
        Console.CancelKeyPress += StopOnce;
    }

    public CancellationToken Pressed => _stop.Token;

    public void Dispose()
    {
        Console.CancelKeyPress -= StopOnce;
        _stop.Dispose();
    }

    private void StopOnce(object? sender, ConsoleCancelEventArgs pressed)
    {
        pressed.Cancel = !_stop.IsCancellationRequested;
        _stop.Cancel();
    }
}
