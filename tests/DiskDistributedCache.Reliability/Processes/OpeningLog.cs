using Microsoft.Extensions.Logging;

namespace DiskDistributedCache.Reliability.Processes;

/// <summary>Keeps why a store was trusted when it was opened, or why a new one was begun (events 1 and 2), and how it was closed (4 and 5).</summary>
internal sealed class OpeningLog : ILoggerFactory, ILogger
{
    public string? Trust { get; private set; }

    /// <summary>Null when it was closed clean.</summary>
    public string? Closing { get; private set; }

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (eventId.Id is 1 or 2)
        {
            Trust ??= formatter(state, exception);
        }
        else if (eventId.Id is 5)
        {
            Closing = $"{formatter(state, exception)} {exception}";
        }
    }

    public bool IsEnabled(LogLevel logLevel) => true;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public ILogger CreateLogger(string categoryName) => this;

    public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException();

    public void Dispose()
    {
        // Nothing is held.
    }
}
