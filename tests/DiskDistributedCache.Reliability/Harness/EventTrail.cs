using System.Globalization;
using DiskDistributedCache.Tests.Infrastructure;
using Microsoft.Extensions.Logging;

namespace DiskDistributedCache.Reliability.Harness;

/// <summary>
/// The last of what callers did and of what the cache logged, in the order in which it happened. For families whose threads and disks no seed
/// makes do the same again: it is kept beside the image.
/// </summary>
internal sealed class EventTrail : LogSink
{
    private const int MaxEvents = 50_000;
    private const string FileName = "events.txt";

    private readonly Lock _lock = new();
    private readonly Queue<(DateTime Time, string What)> _events = new(MaxEvents);

    public void Add(string what)
    {
        lock (_lock)
        {
            if (_events.Count == MaxEvents)
            {
                _events.Dequeue();
            }

            _events.Enqueue((DateTime.UtcNow, what));
        }
    }

    /// <summary>Writes a line for each into a folder that is kept.</summary>
    public void Keep(string folder)
    {
        (DateTime Time, string What)[] events;
        lock (_lock)
        {
            events = [.. _events];
        }

        File.WriteAllLines(
            Path.Combine(folder, FileName), events.Select(one => string.Create(CultureInfo.InvariantCulture, $"{one.Time:HH:mm:ss.fffffff} {one.What}")));
    }

    public override void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        Add($"{logLevel} {eventId.Id}: {formatter(state, exception)}{(exception is null ? "" : $" {exception.GetType().Name}: {exception.Message}")}");

    public override bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Debug;
}
