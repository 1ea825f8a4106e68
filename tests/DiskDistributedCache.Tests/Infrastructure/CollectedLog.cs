using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace DiskDistributedCache.Tests.Infrastructure;

/// <summary>Keeps the ids and texts of the cache's log events, and lets a test wait for one. Those of others have ids of their own.</summary>
internal sealed class CollectedLog : LogSink
{
    private readonly ConcurrentQueue<(int Id, string Text)> _events = new();
    private readonly ConcurrentDictionary<int, TaskCompletionSource> _awaited = new();

    public int Count(int id) => _events.Count(entry => entry.Id == id);

    public IEnumerable<string> Texts(int id) => _events.Where(entry => entry.Id == id).Select(entry => entry.Text);

    /// <summary>Completes with the next event of this id.</summary>
    public Task NextAsync(int id) =>
        _awaited.GetOrAdd(id, _ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;

    public override void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        _events.Enqueue((eventId.Id, formatter(state, exception)));
        if (_awaited.TryRemove(eventId.Id, out var awaited))
        {
            awaited.SetResult();
        }
    }

    public override ILogger CreateLogger(string categoryName) =>
        categoryName == "DiskDistributedCache" ? this : NullLogger.Instance;
}
