using Microsoft.Extensions.Logging;

namespace DiskDistributedCache.RealDisks;

/// <summary>Keeps why a store was trusted when it was opened, or why a new one was begun: events 1 and 2.</summary>
internal sealed class OpeningLog : ILoggerFactory, ILogger
{
    public string? Trust { get; private set; }

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (eventId.Id is 1 or 2 && state is IReadOnlyList<KeyValuePair<string, object?>> values)
        {
            Trust ??= values.First(value => value.Key is "Trust" or "Reason").Value?.ToString();
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
