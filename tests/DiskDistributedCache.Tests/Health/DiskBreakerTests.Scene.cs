using System.Collections.Concurrent;
using DiskDistributedCache.Health;
using DiskDistributedCache.Tests.Infrastructure;
using Microsoft.Extensions.Logging;

namespace DiskDistributedCache.Tests.Health;

/// <content>What the tests stand on.</content>
public sealed partial class DiskBreakerTests
{
    private static readonly TimeSpan s_break = TimeSpan.FromSeconds(30);

    private readonly TestClock _time = new();
    private readonly ConcurrentQueue<(BreakerState State, string? Reason)> _changes = new();
    private readonly LeveledLog _log = new();

    public void Dispose() => _log.Dispose();

    private DiskBreaker NewBreaker(int threshold = 3) =>
        new(threshold, s_break, _time, _log, (state, reason) => _changes.Enqueue((state, reason)));

    private static DiskOperation Begin(DiskBreaker breaker) =>
        breaker.TryBegin() ?? throw new InvalidOperationException("The breaker lets nothing through.");

    private static void Fail(DiskBreaker breaker) => Begin(breaker).Fail(new IOException("no disk"));

    private static void Succeed(DiskBreaker breaker) => Begin(breaker).Succeed();

    private static void FailOften(DiskBreaker breaker, int count)
    {
        for (int i = 0; i < count; i++)
        {
            Fail(breaker);
        }
    }

    private static DiskBreaker Opened(DiskBreaker breaker, int threshold = 3)
    {
        FailOften(breaker, threshold);
        Assert.Equal(BreakerState.Open, breaker.State);
        return breaker;
    }

    private DiskOperation Trial(DiskBreaker breaker)
    {
        _time.Advance(s_break);
        var trial = Begin(breaker);
        Assert.Equal(BreakerState.HalfOpen, breaker.State);
        Assert.Equal((BreakerState.HalfOpen, null), _changes.Last());
        return trial;
    }

    private void AssertChanges(params BreakerState[] states) => Assert.Equal(states, _changes.Select(change => change.State));

    private void HealAndProve(DiskBreaker breaker)
    {
        if (breaker.State == BreakerState.Open)
        {
            Trial(breaker).Succeed();
        }

        Assert.Equal(BreakerState.Closed, breaker.State);
        Succeed(breaker);
        FailOften(breaker, 2);
        Assert.Equal(BreakerState.Closed, breaker.State);
        Fail(breaker);
        Assert.Equal(BreakerState.Open, breaker.State);
    }

    private static void End(DiskOperation operation, Random random)
    {
        bool isFirst = random.Next(10) switch
        {
            < 4 => operation.Succeed(),
            < 9 => operation.Fail(new IOException("no disk")),
            _ => operation.Corrupt(random.Next(5)),
        };
        Assert.True(isFirst);
    }

    private static void OnThreads(int count, Action<int> action)
    {
        using var start = new Barrier(count);
        var failures = new ConcurrentQueue<Exception>();
        var threads = Enumerable.Range(0, count).Select(number => new Thread(() =>
        {
            try
            {
                start.SignalAndWait();
                action(number);
            }
            catch (Exception exception)
            {
                failures.Enqueue(exception);
            }
        })).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        Assert.Empty(failures);
    }

    /// <summary>A synchronization context whose thread never comes to what is posted.</summary>
    private sealed class StoppedContext : SynchronizationContext
    {
        public override void Post(SendOrPostCallback d, object? state)
        {
            // Never.
        }
    }

    private sealed class LeveledLog : LogSink
    {
        public ConcurrentQueue<(LogLevel Level, string Text)> Events { get; } = new();

        public bool Throws { get; set; }

        public Action? Logged { get; set; }

        public Action? AskedForLevel { get; set; }

        public override void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            Events.Enqueue((logLevel, formatter(state, exception)));
            if (logLevel >= LogLevel.Information)
            {
                Logged?.Invoke();
            }

            if (Throws)
            {
                throw new InvalidOperationException("This logger is broken.");
            }
        }

        public override bool IsEnabled(LogLevel logLevel)
        {
            AskedForLevel?.Invoke();
            return true;
        }
    }
}
