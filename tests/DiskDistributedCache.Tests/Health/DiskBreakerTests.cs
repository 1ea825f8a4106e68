using DiskDistributedCache.Health;

namespace DiskDistributedCache.Tests.Health;

/// <summary>
/// When the disk is left alone, and when it is tried again. Every test has been seen to fail with what it is about taken out of
/// DiskBreaker; what that was stands above it.
/// </summary>
public sealed partial class DiskBreakerTests : IDisposable
{
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

    // Planted: Close leaves the run to the change of state, which a closed circuit does not have.
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

    // Planted: Close leaves the segments as they are.
    [Fact]
    public void Closing_by_hand_forgets_the_bad_segments()
    {
        var breaker = NewBreaker();
        Begin(breaker).Corrupt(1);
        Begin(breaker).Corrupt(2);

        breaker.Close();
        Begin(breaker).Corrupt(3);
        Begin(breaker).Corrupt(4);
        Assert.Equal(BreakerState.Closed, breaker.State);
        Begin(breaker).Corrupt(1);
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
        Fail(breaker);
        Begin(breaker).Corrupt(1);
        Begin(breaker).Corrupt(1);
        Fail(breaker);
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

    [Fact]
    public void Settings_out_of_range_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => NewBreaker(1));
        Assert.Throws<ArgumentOutOfRangeException>(() => NewBreaker(1001));
    }
}
