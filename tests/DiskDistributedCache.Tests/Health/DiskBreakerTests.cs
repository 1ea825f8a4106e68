using System.Collections.Concurrent;
using DiskDistributedCache.Health;
using DiskDistributedCache.Tests.Infrastructure;
using Microsoft.Extensions.Logging;

namespace DiskDistributedCache.Tests.Health;

/// <summary>
/// When the disk is left alone, and when it is tried again. Every test has been seen to fail with what it is about taken out of
/// DiskBreaker; what that was stands above it.
/// </summary>
public sealed class DiskBreakerTests : IDisposable
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
        return trial;
    }

    private void AssertChanges(params BreakerState[] states) => Assert.Equal(states, _changes.Select(change => change.State));

    // Planted: a threshold one higher, one lower; a failure share of a half instead of none.
    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(5)]
    [InlineData(1000)]
    public void The_circuit_opens_at_the_failure_that_completes_the_run_and_not_before(int threshold)
    {
        var breaker = NewBreaker(threshold);
        for (int i = 0; i < 100; i++)
        {
            Succeed(breaker);
        }

        FailOften(breaker, threshold - 1);
        Assert.Equal(BreakerState.Closed, breaker.State);
        Fail(breaker);

        Assert.Equal(BreakerState.Open, breaker.State);
        Assert.Null(breaker.TryBegin());
        Assert.Equal([(BreakerState.Open, (string?)"IOException: no disk")], _changes);
    }

    // Planted: no empty execution before the failure that breaks.
    [Fact]
    public void Failures_in_a_row_count_however_long_ago_they_were()
    {
        var breaker = NewBreaker(2);
        Fail(breaker);
        _time.Advance(TimeSpan.FromDays(3));
        Fail(breaker);

        Assert.Equal(BreakerState.Open, breaker.State);
    }

    // Planted: a success leaves the run as it is.
    [Fact]
    public void A_success_in_between_begins_the_run_anew()
    {
        var breaker = NewBreaker();
        FailOften(breaker, 2);
        Succeed(breaker);
        FailOften(breaker, 2);
        Assert.Equal(BreakerState.Closed, breaker.State);

        Fail(breaker);
        Assert.Equal(BreakerState.Open, breaker.State);
    }

    // Planted: outcomes are not counted under the lock: failures are lost.
    [Fact]
    public void Failures_at_the_same_moment_are_failures_in_a_row()
    {
        const int Threads = 4;
        const int Failures = 250;
        for (int round = 0; round < 20; round++)
        {
            var breaker = NewBreaker(Threads * Failures);
            var operations = Enumerable.Range(0, Threads * Failures).Select(_ => Begin(breaker)).ToArray();
            OnThreads(Threads, thread =>
            {
                for (int i = thread == 0 ? 1 : 0; i < Failures; i++)
                {
                    operations[(thread * Failures) + i].Fail(new IOException("no disk"));
                }
            });

            Assert.Equal(BreakerState.Closed, breaker.State);
            operations[0].Fail(new IOException("no disk"));
            Assert.Equal(BreakerState.Open, breaker.State);
        }
    }

    // Planted: the state is not looked at in TryBegin and the break of Polly is a second shorter, then longer.
    [Fact]
    public void Nothing_is_let_through_until_the_break_is_over()
    {
        var breaker = Opened(NewBreaker());
        _time.Advance(s_break - TimeSpan.FromTicks(1));
        Assert.Null(breaker.TryBegin());
        Assert.Equal(BreakerState.Open, breaker.State);

        _time.Advance(TimeSpan.FromTicks(1));
        Assert.Equal(BreakerState.Open, breaker.State);
        Assert.NotNull(breaker.TryBegin());
        Assert.Equal(BreakerState.HalfOpen, breaker.State);
    }

    // Planted: in TryBegin an operation is returned whether it has begun or not, and the state is not looked at.
    [Fact]
    public void A_half_open_circuit_lets_one_of_a_hundred_threads_through()
    {
        var breaker = Opened(NewBreaker());
        _time.Advance(s_break);
        var begun = new ConcurrentBag<DiskOperation>();

        OnThreads(100, _ =>
        {
            if (breaker.TryBegin() is { } operation)
            {
                begun.Add(operation);
            }
        });

        var trial = Assert.Single(begun);
        Assert.Null(breaker.TryBegin());
        trial.Succeed();
        Assert.Equal(BreakerState.Closed, breaker.State);
        Assert.NotNull(breaker.TryBegin());
        AssertChanges(BreakerState.Open, BreakerState.HalfOpen, BreakerState.Closed);
    }

    // Planted: the break of Polly's generator is a second shorter at the second time.
    [Fact]
    public void A_trial_that_fails_opens_for_another_full_break()
    {
        var breaker = Opened(NewBreaker());
        Trial(breaker).Fail(new IOException("still no disk"));

        Assert.Equal(BreakerState.Open, breaker.State);
        Assert.Equal("IOException: still no disk", _changes.Last().Reason);
        _time.Advance(s_break - TimeSpan.FromTicks(1));
        Assert.Null(breaker.TryBegin());
        _time.Advance(TimeSpan.FromTicks(1));
        Begin(breaker).Succeed();
        Assert.Equal(BreakerState.Closed, breaker.State);
    }

    // Planted: a success from before the break is counted. Then the trial is the first failure of a run, which Polly is not to handle.
    [Fact]
    public void A_trial_that_fails_opens_again_after_a_late_success()
    {
        var breaker = NewBreaker();
        var late = Begin(breaker);
        Opened(breaker);
        late.Succeed();

        Trial(breaker).Fail(new IOException("still no disk"));
        Assert.Equal(BreakerState.Open, breaker.State);
    }

    // Planted: only a run of failures is complete, not that of segments.
    [Fact]
    public void A_trial_that_fails_opens_again_when_bad_records_had_opened()
    {
        var breaker = NewBreaker();
        for (long segment = 1; segment <= 3; segment++)
        {
            Begin(breaker).Corrupt(segment);
        }

        Assert.Equal(BreakerState.Open, breaker.State);
        Trial(breaker).Fail(new IOException("no disk either"));
        Assert.Equal(BreakerState.Open, breaker.State);
        Trial(breaker).Corrupt(1);
        Assert.Equal(BreakerState.Open, breaker.State);
        Trial(breaker).Succeed();
        Assert.Equal(BreakerState.Closed, breaker.State);
    }

    // Planted: the exceptions of Polly's default predicate, which takes a cancelled execution for a success.
    [Fact]
    public void A_trial_that_was_cancelled_does_not_close()
    {
        var breaker = Opened(NewBreaker());
        Trial(breaker).Fail(new OperationCanceledException("the client has gone"));

        Assert.Equal(BreakerState.Open, breaker.State);
    }

    // Planted: every outcome is told to Polly, not the first one only.
    [Fact]
    public void A_trial_that_hangs_is_ended_from_outside_and_its_late_success_is_ignored()
    {
        var breaker = Opened(NewBreaker());
        var hung = Trial(breaker);
        _time.Advance(TimeSpan.FromHours(1));
        Assert.Null(breaker.TryBegin());

        Assert.True(hung.Fail(new TimeoutException("over its time")));
        Assert.Equal(BreakerState.Open, breaker.State);
        Assert.False(hung.Succeed());
        Assert.Equal(BreakerState.Open, breaker.State);

        Trial(breaker).Succeed();
        Assert.Equal(BreakerState.Closed, breaker.State);
    }

    // Planted: the outcomes of operations from before the break are told to Polly.
    [Fact]
    public void A_late_success_from_before_the_break_does_not_close_and_a_late_failure_does_not_open()
    {
        var breaker = NewBreaker();
        var lateSuccess = Begin(breaker);
        var lateFailure = Begin(breaker);
        Opened(breaker);
        var trial = Trial(breaker);

        Assert.True(lateSuccess.Succeed());
        Assert.Equal(BreakerState.HalfOpen, breaker.State);
        Assert.True(lateFailure.Fail(new IOException("no disk then")));
        Assert.Equal(BreakerState.HalfOpen, breaker.State);
        Assert.Null(breaker.TryBegin());

        trial.Succeed();
        Assert.Equal(BreakerState.Closed, breaker.State);
        AssertChanges(BreakerState.Open, BreakerState.HalfOpen, BreakerState.Closed);
    }

    // Planted: Polly gets the time provider itself.
    [Theory]
    [InlineData(-365)]
    [InlineData(365)]
    public void A_wall_clock_that_is_set_back_or_forth_changes_nothing_about_a_break(int days)
    {
        var breaker = Opened(NewBreaker());
        _time.WallClockError = TimeSpan.FromDays(days);
        _time.Advance(s_break - TimeSpan.FromTicks(1));
        Assert.Null(breaker.TryBegin());
        Assert.Equal(BreakerState.Open, breaker.State);

        _time.Advance(TimeSpan.FromTicks(1));
        Assert.NotNull(breaker.TryBegin());
        Assert.Equal(BreakerState.HalfOpen, breaker.State);
    }

    // Planted: Close leaves the run as it is; Close resets it after closing, by way of a change only.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Closing_by_hand_begins_the_run_anew(bool isOpen)
    {
        var breaker = NewBreaker();
        FailOften(breaker, isOpen ? 3 : 2);

        breaker.Close();
        FailOften(breaker, 2);
        Assert.Equal(BreakerState.Closed, breaker.State);

        Fail(breaker);
        Assert.Equal(BreakerState.Open, breaker.State);
    }

    // Planted: Close leaves the period as it is.
    [Fact]
    public void What_was_begun_before_closing_by_hand_counts_nowhere()
    {
        var breaker = Opened(NewBreaker());
        var trial = Trial(breaker);
        breaker.Close();
        Assert.Equal(BreakerState.Closed, breaker.State);

        FailOften(breaker, 2);
        trial.Fail(new IOException("no disk then"));
        Assert.Equal(BreakerState.Closed, breaker.State);
        Fail(breaker);
        Assert.Equal(BreakerState.Open, breaker.State);
        AssertChanges(BreakerState.Open, BreakerState.HalfOpen, BreakerState.Closed, BreakerState.Open);
    }

    // Planted: records of the same segment count each.
    [Fact]
    public void One_bad_segment_never_opens()
    {
        var breaker = NewBreaker();
        for (int i = 0; i < 100; i++)
        {
            Begin(breaker).Corrupt(segment: 7);
            Begin(breaker).Corrupt(segment: 8);
        }

        Assert.Equal(BreakerState.Closed, breaker.State);
    }

    // Planted: a third segment is a success like the others; a success leaves the segments as they are.
    [Fact]
    public void Three_bad_segments_open_unless_a_record_verifies_in_between()
    {
        var breaker = NewBreaker(1000);
        Begin(breaker).Corrupt(1);
        Begin(breaker).Corrupt(2);
        Succeed(breaker);
        Begin(breaker).Corrupt(3);
        Begin(breaker).Corrupt(3);
        Begin(breaker).Corrupt(1);
        Assert.Equal(BreakerState.Closed, breaker.State);

        Begin(breaker).Corrupt(2);
        Assert.Equal(BreakerState.Open, breaker.State);
        Assert.Contains("3 segments", Assert.Single(_changes).Reason, StringComparison.Ordinal);
    }

    // Planted: a record that does not verify ends the run of failures; it adds to it.
    [Fact]
    public void A_bad_record_neither_ends_nor_prolongs_the_failures_in_a_row()
    {
        var breaker = NewBreaker();
        FailOften(breaker, 2);
        Begin(breaker).Corrupt(1);
        Begin(breaker).Corrupt(1);
        Assert.Equal(BreakerState.Closed, breaker.State);

        Fail(breaker);
        Assert.Equal(BreakerState.Open, breaker.State);
    }

    // Planted: a change to closed leaves the run as it is; a record that does not verify fails the trial.
    [Fact]
    public void A_trial_that_reads_a_bad_record_closes_and_begins_the_run_anew()
    {
        var breaker = Opened(NewBreaker());
        Trial(breaker).Corrupt(1);
        Assert.Equal(BreakerState.Closed, breaker.State);

        FailOften(breaker, 2);
        Assert.Equal(BreakerState.Closed, breaker.State);
        Fail(breaker);
        Assert.Equal(BreakerState.Open, breaker.State);
    }

    // Planted: no empty execution before the failure that breaks; a closing that forgets the segments.
    [Fact]
    public void A_trial_that_reads_a_bad_record_counts_among_the_three_segments()
    {
        var breaker = NewBreaker();
        Begin(breaker).Corrupt(1);
        Opened(breaker);
        Trial(breaker).Corrupt(2);
        Assert.Equal(BreakerState.Closed, breaker.State);

        Begin(breaker).Corrupt(3);
        Assert.Equal(BreakerState.Open, breaker.State);
        Trial(breaker).Corrupt(4);
        Assert.Equal(BreakerState.Open, breaker.State);
        Trial(breaker).Succeed();
        Assert.Equal(BreakerState.Closed, breaker.State);
    }

    // Planted: every outcome is counted.
    [Fact]
    public void The_first_outcome_of_an_operation_counts_and_no_other()
    {
        var breaker = NewBreaker();
        var failed = Begin(breaker);
        Assert.True(failed.Fail(new IOException("no disk")));
        Assert.False(failed.Fail(new IOException("no disk")));
        Assert.False(failed.Fail(new IOException("no disk")));
        Assert.False(failed.Corrupt(1));
        Assert.Equal(BreakerState.Closed, breaker.State);

        var succeeded = Begin(breaker);
        Assert.True(succeeded.Succeed());
        Assert.False(succeeded.Fail(new IOException("no disk")));
        FailOften(breaker, 2);
        Assert.Equal(BreakerState.Closed, breaker.State);
    }

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

    [Fact]
    public void Settings_out_of_range_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => NewBreaker(1));
        Assert.Throws<ArgumentOutOfRangeException>(() => NewBreaker(1001));
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

    private sealed class LeveledLog : ILoggerFactory, ILogger
    {
        public ConcurrentQueue<(LogLevel Level, string Text)> Events { get; } = new();

        public bool Throws { get; set; }

        public Action? Logged { get; set; }

        public void Log<TState>(
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

        public ILogger CreateLogger(string categoryName) => this;

        public bool IsEnabled(LogLevel logLevel) => true;

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
}
