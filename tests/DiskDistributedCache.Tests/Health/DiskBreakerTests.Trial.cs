using System.Collections.Concurrent;
using DiskDistributedCache.Health;

namespace DiskDistributedCache.Tests.Health;

/// <content>The break, the trial after it, and outcomes that come late.</content>
public sealed partial class DiskBreakerTests
{
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

    // Planted: the trial keeps the period that was read before Polly was asked, so that its outcome counts nowhere.
    [Fact]
    public void A_trial_counts_even_when_the_circuit_opened_while_it_was_begun()
    {
        var breaker = NewBreaker();
        _log.AskedForLevel = () =>
        {
            // Polly asks before it looks at the circuit.
            _log.AskedForLevel = null;
            Opened(breaker);
            _time.Advance(s_break);
        };

        var trial = Begin(breaker);
        Assert.Equal(BreakerState.HalfOpen, breaker.State);
        trial.Succeed();

        Assert.Equal(BreakerState.Closed, breaker.State);
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
}
