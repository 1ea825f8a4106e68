using Microsoft.Extensions.Logging;

namespace DiskDistributedCache.Tests.Infrastructure;

/// <summary>A logger factory with one logger, itself: what is logged under any name comes to <see cref="Log"/>.</summary>
internal abstract class LogSink : ILoggerFactory, ILogger
{
    public abstract void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter);

    public virtual bool IsEnabled(LogLevel logLevel) => true;

    public virtual ILogger CreateLogger(string categoryName) => this;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public void AddProvider(ILoggerProvider provider)
    {
        // It is the only one.
    }

    public void Dispose()
    {
        // Nothing is held.
    }
}
