using DiskDistributedCache.Health;
using Microsoft.Extensions.Logging;

namespace DiskDistributedCache.Tests.Health;

/// <content>Many threads, odd threads, and who is told of a change.</content>
public sealed partial class DiskBreakerTests
{
    // Planted: the outcome by way of a TaskCompletionSource, awaited in the callback.
    [Fact]
    public void The_state_has_changed_when_an_outcome_was_reported_whatever_the_thread()
    {
        var breaker = NewBreaker();
        var before = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(new StoppedContext());
        try
        {
            Opened(breaker);
            Trial(breaker).Succeed();
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(before);
        }

        Assert.Equal(BreakerState.Closed, breaker.State);
        AssertChanges(BreakerState.Open, BreakerState.HalfOpen, BreakerState.Closed);
    }

    // Planted: the level of Polly's event for the end of an execution; the log without a delay.
    [Fact]
    public void Only_changes_are_logged_and_a_logger_that_throws_hurts_nobody()
    {
        _log.Throws = true;
        var breaker = NewBreaker();
        Succeed(breaker);
        Assert.DoesNotContain(_log.Events, entry => entry.Level >= LogLevel.Information);

        Opened(breaker);
        Trial(breaker).Succeed();

        Assert.Equal(
            [LogLevel.Error, LogLevel.Warning, LogLevel.Information],
            _log.Events.Select(entry => entry.Level).Where(level => level >= LogLevel.Information));
        Assert.Contains(_log.Events, entry => entry.Text.Contains("'DiskDistributedCache/", StringComparison.Ordinal));
        AssertChanges(BreakerState.Open, BreakerState.HalfOpen, BreakerState.Closed);
    }

    // Planted: the log without a delay.
    [Fact]
    public void A_logger_and_a_listener_may_use_the_breaker()
    {
        DiskBreaker? breaker = null;
        var seen = new List<BreakerState>();
        breaker = new DiskBreaker(2, s_break, _time, _log, (state, _) =>
        {
            // A change may begin an operation, and even close the circuit that has just opened.
            seen.Add(state);
            OnThreads(1, _ => breaker!.TryBegin()?.Succeed());
            if (state == BreakerState.Open)
            {
                breaker!.Close();
            }
        });
        _log.Logged = () => OnThreads(1, _ => breaker.TryBegin()?.Succeed());

        FailOften(breaker, 2);

        Assert.Equal([BreakerState.Open, BreakerState.Closed], seen);
        Assert.Equal(BreakerState.Closed, breaker.State);
    }

    // Planted: an operation is returned whether it has begun or not; late outcomes are told to Polly.
    [Fact]
    public void Under_many_threads_there_is_never_a_second_trial_and_the_changes_are_those_of_a_circuit()
    {
        const int Rounds = 2_000;
        int trials = 0;
        var breaker = NewBreaker();
        int seed = Environment.TickCount;
        TestContext.Current.SendDiagnosticMessage("seed {0}", seed);

        OnThreads(8, thread =>
        {
            var random = new Random(seed + thread);
            var late = new Queue<DiskOperation>();
            for (int i = 0; i < Rounds; i++)
            {
                if (thread == 0 && i % 3 == 0)
                {
                    _time.Advance(s_break / 2);
                }

                if (breaker.TryBegin() is { } operation)
                {
                    late.Enqueue(operation);
                }

                if (late.Count > random.Next(4))
                {
                    End(late.Dequeue(), random);
                }
            }

            while (late.TryDequeue(out var operation))
            {
                End(operation, random);
            }
        });

        var state = BreakerState.Closed;
        foreach (var change in _changes)
        {
            bool isPossible = (state, change.State) switch
            {
                (BreakerState.Closed, BreakerState.Open) => true,
                (BreakerState.Open, BreakerState.HalfOpen) => true,
                (BreakerState.HalfOpen, _) => change.State != BreakerState.HalfOpen,
                _ => false,
            };
            Assert.True(isPossible, $"from {state} to {change.State}, seed {seed}");
            trials += change.State == BreakerState.HalfOpen ? 1 : 0;
            state = change.State;
        }

        Assert.True(trials > 0);
        Assert.Equal(breaker.State, state);
        Assert.NotEqual(BreakerState.HalfOpen, state);
        HealAndProve(breaker);
    }
}
