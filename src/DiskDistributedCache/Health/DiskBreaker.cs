using System.Threading.Tasks.Sources;
using Microsoft.Extensions.Logging;
using Polly;
using Polly.CircuitBreaker;
using Polly.Telemetry;

namespace DiskDistributedCache.Health;

/// <summary>What the breaker lets through.</summary>
internal enum BreakerState
{
    /// <summary>Every operation.</summary>
    Closed = 0,

    /// <summary>Nothing, until the break is over.</summary>
    Open = 1,

    /// <summary>One operation, the trial, is under way; its outcome closes or opens.</summary>
    HalfOpen = 2,
}

/// <summary>
/// Leaves the disk alone for a moment after it has failed several times in a row. The state machine, its log events and its metrics are
/// Polly's; what counts as a failure is decided here, because Polly counts shares of failures and not runs of them. The only file
/// that knows Polly.
///
/// A disk operation is one execution of a pipeline, and the callback waits for what its owner reports. So a hung operation is ended
/// from outside, by whoever watches deadlines, and what comes later from the disk is ignored: a trial cannot hang. No
/// cancellation token goes in: Polly counts a cancelled execution as a success.
///
/// What opens: so many failures in a row, or records in three different segments that do not verify without one that does in
/// between. A record that does not verify is an answer of the disk: it neither adds to the failures in a row nor ends them, and as the
/// trial it closes, unless it is of a third segment. Success ends both runs. An operation that was begun before the circuit
/// opened, or before it was closed by hand, says nothing about the disk of now: its outcome counts nowhere, and its
/// execution is left to the garbage collector, because a half-open circuit would take any outcome for the trial's.
///
/// Polly breaks at a failure it is told to handle, if it has seen two executions within a day. All failures but the one that completes
/// a run are therefore shown to it as not to be handled, and an empty execution goes before that one. A run that has opened the circuit
/// stays complete until it closes, since only the trial counts meanwhile: so a trial that fails is always handled.
///
/// Concurrency: outcomes are counted and told to Polly under one lock, so three failures at the same moment are three in a row.
/// Polly's continuation runs in the call that reports the outcome: when it returns, the state has changed. The state is a copy that
/// Polly's own events keep, inside its lock; reading it takes no lock, and while it says that nothing is let through Polly is not asked,
/// which would cost an exception. Under the locks runs nothing of others but listeners of Polly's meter: log events
/// and the notice of a change go through an outbox, each change once, in order, before the call returns that made it, or by a thread
/// that is just delivering.
///
/// Time: a break lasts exactly its duration by the monotonic clock, whatever the wall clock does.
/// </summary>
internal sealed class DiskBreaker
{
    public const int MinThreshold = 2;
    public const int MaxThreshold = 1000;
    private const int CorruptSegmentThreshold = 3;
    private const string Name = "DiskDistributedCache";
    private const string Verified = "verified";
    private const string DidNotVerify = "did not verify";

    private readonly int _failureThreshold;
    private readonly TimeSpan _breakDuration;
    private readonly Action<BreakerState, string?> _changed;
    private readonly BreakClock _clock;
    private readonly Outbox _outbox = new();
    private readonly CircuitBreakerManualControl _control = new();
    private readonly ResiliencePipeline<string> _pipeline;
    private readonly Lock _lock = new();

    // Guarded by _lock.
    private readonly List<long> _corruptSegments = new(CorruptSegmentThreshold);
    private int _failuresInARow;
    private string? _fault;

    // Changed under _lock; read without it by whoever begins an operation.
    private long _period;

    // Changed under Polly's lock, by its events; read without it. The state last.
    private long _breakEndsTicks;
    private ResilienceContext? _trial;
    private volatile BreakerState _state;

    /// <param name="failureThreshold">Failures in a row that open; 2 to 1,000.</param>
    /// <param name="breakDuration">How long nothing is let through; 500 ms to 1 day.</param>
    /// <param name="timeProvider">The clock of the break.</param>
    /// <param name="loggerFactory">For Polly's log events, category <c>Polly</c>: changes of state, and at level Debug each operation.</param>
    /// <param name="changed">Told each change and, of an opening, the reason.</param>
    /// <param name="cacheName">Tells the breakers of several caches apart in Polly's log events and metrics.</param>
    public DiskBreaker(
        int failureThreshold,
        TimeSpan breakDuration,
        TimeProvider timeProvider,
        ILoggerFactory loggerFactory,
        Action<BreakerState, string?> changed,
        string? cacheName = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(failureThreshold, MinThreshold);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(failureThreshold, MaxThreshold);
        (_failureThreshold, _breakDuration, _changed) = (failureThreshold, breakDuration, changed);
        _clock = new BreakClock(timeProvider);
        _pipeline = BuildPipeline(_outbox.PutOff(loggerFactory), cacheName);
    }

    /// <summary>What the breaker does at the moment. Open until a trial begins, even when the break is over.</summary>
    public BreakerState State => _state;

    /// <summary>Whether it is worth asking for permission.</summary>
    public bool LetsThrough =>
        _state != BreakerState.HalfOpen && (_state != BreakerState.Open || NowTicks >= Volatile.Read(ref _breakEndsTicks));

    /// <summary>
    /// Permission for one disk operation, whose outcome has to be reported. Null while the circuit is open, and while it is half-open
    /// with its one trial under way.
    /// </summary>
    public DiskOperation? TryBegin()
    {
        if (!LetsThrough)
        {
            return null;
        }

        var operation = new DiskOperation(this) { Period = Volatile.Read(ref _period) };
        var context = ResilienceContextPool.Shared.Get(CancellationToken.None);
        var execution = _pipeline.ExecuteOutcomeAsync(static (_, operation) => operation.BeginAsync(), context, operation);
        if (ReferenceEquals(Volatile.Read(ref _trial), context))
        {
            // The circuit may have opened, and its break ended, since the period was read.
            operation.Period = Volatile.Read(ref _period);
        }

        _ = ReturnAsync(execution, context);
        _outbox.Deliver();
        return operation.HasBegun ? operation : null;
    }

    /// <summary>Lets everything through again: recovery has proved the disk by other means.</summary>
    public void Close()
    {
        lock (_lock)
        {
            // The runs first: Polly may be asked as soon as it is closed.
            _period++;
            _failuresInARow = 0;
            _corruptSegments.Clear();
            _control.CloseAsync(CancellationToken.None).GetAwaiter().GetResult();
        }

        _outbox.Deliver();
    }

    /// <summary>Counts the first outcome of an operation and tells it to Polly.</summary>
    /// <param name="operation">The operation.</param>
    /// <param name="failure">Why it failed.</param>
    /// <param name="corruptSegment">Where it found what does not verify.</param>
    /// <param name="fault">How its owner tells of the failure; null for type and message.</param>
    internal void Report(DiskOperation operation, Exception? failure, long? corruptSegment, string? fault)
    {
        lock (_lock)
        {
            if (operation.Period != _period)
            {
                return;
            }

            _fault = fault;
            var outcome = Count(failure, corruptSegment);
            if (_state == BreakerState.Closed && IsBreaking)
            {
                FeedPolly();
            }

            operation.End(outcome);
        }

        _outbox.Deliver();
    }

    private long NowTicks => _clock.GetUtcNow().Ticks;

    private bool IsBreaking => _failuresInARow >= _failureThreshold || _corruptSegments.Count >= CorruptSegmentThreshold;

    private ResiliencePipeline<string> BuildPipeline(ILoggerFactory loggerFactory, string? cacheName)
    {
        var telemetry = new TelemetryOptions { LoggerFactory = loggerFactory, SeverityProvider = SeverityOf };
        telemetry.TelemetryListeners.Add(new Listener(this));
        return new ResiliencePipelineBuilder<string> { Name = Name, InstanceName = cacheName, TimeProvider = _clock }
            .ConfigureTelemetry(telemetry)
            .AddCircuitBreaker(new CircuitBreakerStrategyOptions<string>
            {
                FailureRatio = 0,
                MinimumThroughput = 2,
                SamplingDuration = TimeSpan.FromDays(1),
                BreakDuration = _breakDuration,
                ManualControl = _control,
                ShouldHandle = arguments => new ValueTask<bool>(arguments.Outcome.Exception is not null && IsBreaking),
            })
            .Build();
    }

    /// <summary>Polly's level for the end of an execution is Information; an operation of a disk is no news.</summary>
    private static ResilienceEventSeverity SeverityOf(SeverityProviderArguments arguments) =>
        arguments.Event.Severity == ResilienceEventSeverity.Information && arguments.Event.EventName == "PipelineExecuted"
            ? ResilienceEventSeverity.Debug
            : arguments.Event.Severity;

    private Outcome<string> Count(Exception? failure, long? corruptSegment)
    {
        if (failure is not null)
        {
            _failuresInARow++;
            return Outcome.FromException<string>(failure);
        }

        if (corruptSegment is not { } segment)
        {
            _failuresInARow = 0;
            _corruptSegments.Clear();
            return Outcome.FromResult(Verified);
        }

        if (_corruptSegments.Count < CorruptSegmentThreshold && !_corruptSegments.Contains(segment))
        {
            _corruptSegments.Add(segment);
        }

        return _corruptSegments.Count < CorruptSegmentThreshold
            ? Outcome.FromResult(DidNotVerify)
            : Outcome.FromException<string>(new InvalidDataException(
                $"Records in {CorruptSegmentThreshold} segments did not verify, and none in between did."));
    }

    /// <summary>An execution that says nothing, so that Polly has seen enough of them to break. The circuit is closed, so it is no trial.</summary>
    private void FeedPolly()
    {
        var context = ResilienceContextPool.Shared.Get(CancellationToken.None);
        _ = ReturnAsync(
            _pipeline.ExecuteOutcomeAsync(static (_, _) => new ValueTask<Outcome<string>>(Outcome.FromResult(Verified)), context, 0), context);
    }

    private async Task ReturnAsync(ValueTask<Outcome<string>> execution, ResilienceContext context)
    {
        await execution.ConfigureAwait(false);
        ResilienceContextPool.Shared.Return(context);
        if (!_lock.IsHeldByCurrentThread)
        {
            // Under a synchronization context the end of an execution is logged later than its outcome was reported.
            _outbox.Deliver();
        }
    }

    /// <summary>Called by Polly inside its lock, with the circuit changed already.</summary>
    private void OnChanged(BreakerState state, ResilienceContext context, Exception? failure)
    {
        switch (state)
        {
            case BreakerState.Closed:
                _failuresInARow = 0;
                break;
            case BreakerState.Open:
                _period++;
                Volatile.Write(ref _breakEndsTicks, NowTicks + _breakDuration.Ticks);
                break;
        }

        Volatile.Write(ref _trial, state == BreakerState.HalfOpen ? context : null);
        _state = state;
        string? reason = failure is null ? null : _fault ?? $"{failure.GetType().Name}: {failure.Message}";
        _outbox.Add(() => _changed(state, reason));
    }

    /// <summary>
    /// Polly's callbacks for changes run later, on the thread pool, and make the executing call wait; its telemetry is told inside
    /// the lock.
    /// </summary>
    private sealed class Listener(DiskBreaker breaker) : TelemetryListener
    {
        public override void Write<TResult, TArgs>(in TelemetryEventArguments<TResult, TArgs> args)
        {
            if (typeof(TArgs) == typeof(OnCircuitOpenedArguments<string>))
            {
                breaker.OnChanged(BreakerState.Open, args.Context, args.Outcome?.Exception);
            }
            else if (typeof(TArgs) == typeof(OnCircuitHalfOpenedArguments))
            {
                breaker.OnChanged(BreakerState.HalfOpen, args.Context, failure: null);
            }
            else if (typeof(TArgs) == typeof(OnCircuitClosedArguments<string>))
            {
                breaker.OnChanged(BreakerState.Closed, args.Context, failure: null);
            }
        }
    }
}

/// <summary>
/// One disk operation, however many callers wait for it. Its owner reports the outcome; the first one counts, later ones are ignored,
/// and each call says whether it was the first. An operation without an outcome may keep a half-open circuit half-open.
/// </summary>
internal sealed class DiskOperation : IValueTaskSource<Outcome<string>>
{
    private readonly DiskBreaker _breaker;
    private ManualResetValueTaskSourceCore<Outcome<string>> _outcome;
    private int _outcomes;

    internal DiskOperation(DiskBreaker breaker) => _breaker = breaker;

    /// <summary>The period of the breaker in which it was begun.</summary>
    internal long Period { get; set; }

    internal bool HasBegun { get; private set; }

    /// <summary>The disk did what it was asked for, and what was read back is right.</summary>
    public bool Succeed() => Report(failure: null, corruptSegment: null, fault: null);

    /// <summary>An I/O error, or a <see cref="TimeoutException"/> for an operation that does not return.</summary>
    /// <param name="exception">What failed.</param>
    /// <param name="fault">How that is to be told as the reason of an open circuit; null for type and message.</param>
    public bool Fail(Exception exception, string? fault = null) => Report(exception, corruptSegment: null, fault);

    /// <summary>The disk answered, with bytes of this segment that do not verify.</summary>
    public bool Corrupt(long segment) => Report(failure: null, segment, fault: null);

    internal ValueTask<Outcome<string>> BeginAsync()
    {
        HasBegun = true;
        return new ValueTask<Outcome<string>>(this, _outcome.Version);
    }

    /// <summary>Polly goes on within this call: a task's continuation might not, where there is a synchronization context.</summary>
    internal void End(Outcome<string> outcome) => _outcome.SetResult(outcome);

    Outcome<string> IValueTaskSource<Outcome<string>>.GetResult(short token) => _outcome.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<Outcome<string>>.GetStatus(short token) => _outcome.GetStatus(token);

    void IValueTaskSource<Outcome<string>>.OnCompleted(
        Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _outcome.OnCompleted(continuation, state, token, flags);

    private bool Report(Exception? failure, long? corruptSegment, string? fault)
    {
        if (Interlocked.Increment(ref _outcomes) != 1)
        {
            return false;
        }

        _breaker.Report(this, failure, corruptSegment, fault);
        return true;
    }
}
