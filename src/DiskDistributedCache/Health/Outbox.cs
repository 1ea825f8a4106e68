using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace DiskDistributedCache.Health;

/// <summary>
/// What happened under a lock and is told to others after the lock has been left: in order, and one at a time. Who delivers tells
/// everything that waits; who comes while another one delivers leaves it to that one, so nobody ever waits for a listener.
///
/// Its loggers put off the log events of code that logs under its own lock. Levels are asked of the real logger at once.
///
/// Faults: an exception of a listener or of a logger is swallowed. It must not become the failure of whoever happened to deliver.
/// </summary>
internal sealed class Outbox
{
    private readonly ConcurrentQueue<Action> _waiting = new();
    private int _isDelivering;

    public void Add(Action telling) => _waiting.Enqueue(telling);

    public void Deliver()
    {
        // Once more after letting go: something may have been added by one who found us delivering and left it to us.
        while (!_waiting.IsEmpty && Interlocked.Exchange(ref _isDelivering, 1) == 0)
        {
            while (_waiting.TryDequeue(out var telling))
            {
                Tell(telling);
            }

            // With a full fence: what is asked next must not be answered from before.
            Interlocked.Exchange(ref _isDelivering, 0);
        }
    }

    /// <summary>Loggers whose events wait here.</summary>
    public ILoggerFactory PutOff(ILoggerFactory loggerFactory) => new LoggerFactory(this, loggerFactory);

    private static void Tell(Action telling)
    {
        try
        {
            telling();
        }
        catch (Exception)
        {
            // See above.
        }
    }

    private sealed class LoggerFactory(Outbox outbox, ILoggerFactory loggerFactory) : ILoggerFactory
    {
        public ILogger CreateLogger(string categoryName) => new Logger(outbox, loggerFactory.CreateLogger(categoryName));

        public void AddProvider(ILoggerProvider provider) => loggerFactory.AddProvider(provider);

        public void Dispose()
        {
            // The real one belongs to the application.
        }
    }

    private sealed class Logger(Outbox outbox, ILogger logger) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logger.IsEnabled(logLevel);

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            outbox.Add(() => logger.Log(logLevel, eventId, state, exception, formatter));
    }
}
