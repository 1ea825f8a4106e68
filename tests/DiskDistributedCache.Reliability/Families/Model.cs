using System.Globalization;
using CsCheck;
using DiskDistributedCache.Reliability.Harness;
using DiskDistributedCache.Tests.Scenarios.Models;

namespace DiskDistributedCache.Reliability.Families;

/// <summary>
/// Random sequences of everything that callers, clocks, disks and operators do, drawn by CsCheck and judged by a model; and histories of real
/// threads, judged key by key. A case is one sequence, and every tenth has a history as well. What fails is drawn again smaller, as long as
/// something smaller fails; the message has the seed by which CsCheck draws that one.
/// </summary>
internal sealed class Model : Family
{
    private const int SequencesPerHistory = 10;
    private const int ShrinkTries = 2_000;

    private static readonly Gen<ModelStep> s_step = Gen.Select(
        Gen.Frequency([.. ModelStep.Weights.Select(act => (act.Weight, (IGen<ModelAct>)Gen.Const(act.Act)))]),
        Gen.Frequency([.. ModelStep.KeyWeights.Select(key => (key.Weight, (IGen<int>)Gen.Const(key.Key)))]),
        Gen.Int[0, ModelStep.MaxNumber],
        (act, key, number) => new ModelStep(act, key, number));

    private static readonly Gen<ModelSequence> s_sequence = Gen.Select(
        Gen.Int[0, ModelSettings.MaxNumber],
        s_step.Array[1, ModelSequence.MaxSteps],
        (settings, steps) => new ModelSequence(new ModelSettings(settings), steps));

    private readonly Lock _counting = new();
    private long _steps;
    private long _liveReads;
    private long _hits;
    private long _mustHits;
    private long _lateReads;
    private int _histories;
    private long _concurrentReads;
    private long _concurrentHits;
    private long _concurrentDiskHits;
    private long _concurrentMustHits;

    public override string Name => "model";

    public override string What =>
        "random sequences of every operation, with faults, restarts, kills, clock jumps and evictions, against a model; histories of real threads, checked per key for linearizability";

    public override string Unit => "sequences";

    public override Counts Counts => new(1_200, 100_000, 1_000_000);

    public override double CaseMilliseconds => 12;

    public override async Task RunAsync(FamilyRun run)
    {
        await run.ForEachCaseAsync(async one =>
        {
            await RunSequenceAsync(one);
            if (one.Number % SequencesPerHistory == 0)
            {
                RunHistory(one);
            }
        });
        Note(run);
        if (run.Done >= 100 && (_mustHits == 0 || _concurrentMustHits == 0))
        {
            run.Violate($"{_mustHits} and {_concurrentMustHits} reads had to be hits: a cache that forgets everything would pass");
        }
    }

    private async Task RunSequenceAsync(Case one)
    {
        var pcg = new PCG(1, (ulong)one.Seed);
        string seed = pcg.ToString();
        var sequence = s_sequence.Generate(pcg, null, out _);
        var result = await ModelRun.RunAsync(
            sequence,
            async (violations, disk) => one.Violate(
                $"CsCheck seed {seed}, {sequence}:\n{string.Join('\n', violations)}\n{await ShrinkAsync(seed)}", disk.CopyTo));
        lock (_counting)
        {
            _steps += sequence.Steps.Count;
            _liveReads += result.LiveReads;
            _hits += result.Hits;
            _mustHits += result.MustHits;
            _lateReads += result.LateReads;
        }
    }

    /// <summary>The simplest sequence that fails, as far as one was found.</summary>
    private static async Task<string> ShrinkAsync(string seed)
    {
        try
        {
            await s_sequence.SampleAsync(RunOrThrowAsync, seed: seed, iter: ShrinkTries, threads: 2, print: sequence => sequence.ToString());
            return "It was right when it was run again.";
        }
        catch (CsCheckException smaller)
        {
            return $"reduced: {smaller.Message}\n{smaller.InnerException?.Message}";
        }
    }

    private static async Task RunOrThrowAsync(ModelSequence sequence)
    {
        var result = await ModelRun.RunAsync(sequence);
        if (result.Violations.Count > 0)
        {
            throw new InvalidOperationException(string.Join('\n', result.Violations));
        }
    }

    private void RunHistory(Case one)
    {
        var result = ConcurrentRun.Run(
            one.Seed, (violations, disk) => one.Violate($"concurrent history {one.Seed}:\n{string.Join('\n', violations.Take(5))}", disk.CopyTo));
        lock (_counting)
        {
            _histories++;
            _concurrentReads += result.ReadCount;
            _concurrentHits += result.HitCount;
            _concurrentDiskHits += result.DiskHitCount;
            _concurrentMustHits += result.MustHitCount;
        }
    }

    private void Note(FamilyRun run)
    {
        run.Note(string.Create(
            CultureInfo.InvariantCulture,
            $"- sequences: {_steps:#,0} steps; {_liveReads:#,0} reads of keys that had a living value, {Percent(_hits, _liveReads)} of them hits; {_mustHits:#,0} had to be; {_lateReads:#,0} overtaken by a mutation while the disk read"));
        run.Note(string.Create(
            CultureInfo.InvariantCulture,
            $"- histories of 2 to 4 threads: {_histories:#,0}; {_concurrentReads:#,0} reads, {Percent(_concurrentHits, _concurrentReads)} hits, {_concurrentDiskHits:#,0} of them from disk; {_concurrentMustHits:#,0} keys had to have a value at the end"));
    }

    private static string Percent(long part, long whole) => string.Create(CultureInfo.InvariantCulture, $"{(whole == 0 ? 0 : 100.0 * part / whole):0.0} %");
}
