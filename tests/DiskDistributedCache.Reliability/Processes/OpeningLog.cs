using DiskDistributedCache.Tests.Infrastructure;
using Microsoft.Extensions.Logging;

namespace DiskDistributedCache.Reliability.Processes;

/// <summary>Keeps why a store was trusted when it was opened, or why a new one was begun (events 1 and 2), and how it was closed (4 and 5).</summary>
internal sealed class OpeningLog : LogSink
{
    public string? Trust { get; private set; }

    /// <summary>Null when it was closed clean.</summary>
    public string? Closing { get; private set; }

    public override void Log<TState>(
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
}
