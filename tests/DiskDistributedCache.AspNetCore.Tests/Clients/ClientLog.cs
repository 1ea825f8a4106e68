using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace DiskDistributedCache.AspNetCore.Tests.Clients;

/// <summary>Keeps what the clients of the cache complain about, and lets a test wait for an event of the cache itself.</summary>
internal sealed class ClientLog : ILoggerProvider
{
    private static readonly string[] s_clients =
    [
        "Microsoft.AspNetCore.OutputCaching",
        "Microsoft.AspNetCore.Session",
        "Microsoft.Extensions.Caching.Hybrid",
        "ZiggyCreatures.Caching.Fusion",
        "Microsoft.AspNetCore.Diagnostics",
        "Microsoft.AspNetCore.Server",
    ];

    private readonly ConcurrentQueue<string> _complaints = new();
    private readonly ConcurrentDictionary<int, TaskCompletionSource> _awaited = new();

    /// <summary>Warnings and errors of the clients, one a line.</summary>
    public string Complaints => string.Join('\n', _complaints);

    /// <summary>Completes with the next event of the cache that has this id.</summary>
    public Task NextAsync(int id) =>
        _awaited.GetOrAdd(id, _ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;

    public ILogger CreateLogger(string categoryName) => new Logger(this, categoryName);

    public void Dispose()
    {
        // Nothing is held.
    }

    private sealed class Logger(ClientLog log, string category) : ILogger
    {
        private readonly bool _isClient = s_clients.Any(client => category.StartsWith(client, StringComparison.Ordinal));

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (_isClient && logLevel >= LogLevel.Warning)
            {
                log._complaints.Enqueue($"{category}: {formatter(state, exception)} {exception?.Message}");
            }

            if (category == "DiskDistributedCache" && log._awaited.TryRemove(eventId.Id, out var awaited))
            {
                awaited.SetResult();
            }
        }
    }
}
