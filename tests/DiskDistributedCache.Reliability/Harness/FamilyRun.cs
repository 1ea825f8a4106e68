using System.Collections.Concurrent;
using System.Diagnostics;

namespace DiskDistributedCache.Reliability.Harness;

/// <summary>
/// One family at work: hands out the cases, each with a seed of its own that depends only on the seed of the run and the number of the
/// case, so that one case can be run again alone, and takes down what is wrong with them.
/// </summary>
internal sealed class FamilyRun
{
    private const int MaxKept = 20;

    private readonly ReliabilityArguments _arguments;
    private readonly Action<FamilyRun> _progressed;
    private readonly ConcurrentQueue<Violation> _violations = new();
    private readonly ConcurrentQueue<string> _notes = new();
    private readonly long _started = Stopwatch.GetTimestamp();
    private int _done;
    private int _violationCount;

    public FamilyRun(Family family, ReliabilityArguments arguments, Action<FamilyRun> progressed, CancellationToken stopped)
    {
        (Family, _arguments, _progressed, Stopped) = (family, arguments, progressed, stopped);
        Count = arguments.Count ?? family.Counts.At(arguments.Scale);
    }

    public Family Family { get; }

    public Scale Scale => _arguments.Scale;

    public int Seed => _arguments.Seed;

    /// <summary>The number of the first case: not 0 in a later part of a run.</summary>
    public int First => _arguments.First;

    /// <summary>How many cases there are to be.</summary>
    public int Count { get; set; }

    public int Done => Volatile.Read(ref _done);

    public int ViolationCount => Volatile.Read(ref _violationCount);

    public TimeSpan Elapsed => Stopwatch.GetElapsedTime(_started);

    /// <summary>
    /// Whether the cases that are done are the first ones, without a gap, also when the run was stopped: what it found is a result then.
    /// </summary>
    public bool IsInOrder { get; private set; }

    /// <summary>Ends when the user asks for it, or when the first violation is enough.</summary>
    public CancellationToken Stopped { get; }

    /// <summary>Why nothing was run: this machine lacks a right or a tool. Null when something was.</summary>
    public string? SkippedBecause { get; private set; }

    /// <summary>The first violations; all are counted.</summary>
    public IReadOnlyCollection<Violation> Violations => _violations;

    /// <summary>Figures for the report, lines of Markdown.</summary>
    public IReadOnlyCollection<string> Notes => _notes;

    public bool IsEnough => Stopped.IsCancellationRequested || (_arguments.StopsAtFirst && ViolationCount > 0);

    public void Skip(string why) => SkippedBecause = why;

    public void Note(string line) => _notes.Enqueue(line);

    /// <summary>Runs <see cref="Count"/> cases from the <see cref="First"/> on, or the one that was asked for, over so many workers.</summary>
    public Task ForEachCaseAsync(Func<Case, Task> run, int workers = 2)
    {
        var numbers = _arguments.Case is { } only ? [only] : Enumerable.Range(First, Count);
        var options = new ParallelOptions { MaxDegreeOfParallelism = workers };
        IsInOrder = true;
        return Parallel.ForEachAsync(numbers.TakeWhile(_ => !IsEnough), options, async (number, _) => await RunAsync(new Case(this, number), run));
    }

    /// <summary>
    /// Runs cases that follow on one another, so many in a chain: a chain is begun as the case of its first one, and tells its own
    /// <see cref="Progress"/>. The one that was asked for is run with its whole chain.
    /// </summary>
    /// <param name="length">How many cases there are in a chain; the last may be shorter.</param>
    /// <param name="run">Gets the first case of the chain and how many there are in it.</param>
    /// <param name="workers">How many chains run at the same time.</param>
    public Task ForEachChainAsync(int length, Func<Case, int, Task> run, int workers = 2)
    {
        int start = First / length * length;
        int[] all = [.. Enumerable.Range(0, (Count + length - 1) / length).Select(chain => start + (chain * length))];
        int[] firsts = _arguments.Case is { } only ? [only / length * length] : all;
        var options = new ParallelOptions { MaxDegreeOfParallelism = workers };
        return Parallel.ForEachAsync(firsts.TakeWhile(_ => !IsEnough), options, async (first, _) =>
        {
            var one = new Case(this, first);
            try
            {
                await run(one, Math.Clamp(start + Count - first, 1, length));
            }
            catch (Exception exception) when (!Stopped.IsCancellationRequested)
            {
                one.Violate($"threw {exception}");
            }
        });
    }

    /// <summary>So many more cases are done.</summary>
    public void Progress(int cases = 1)
    {
        Interlocked.Add(ref _done, cases);
        _progressed(this);
    }

    /// <summary>Something is wrong.</summary>
    /// <param name="what">What, in full.</param>
    /// <param name="number">The case.</param>
    /// <param name="keepImage">Puts what reproduces it into a folder; null when the seed is all that it takes.</param>
    public void Violate(string what, int number = 0, Action<string>? keepImage = null)
    {
        if (Interlocked.Increment(ref _violationCount) > MaxKept)
        {
            return;
        }

        string? folder = keepImage is null ? null : Path.Combine(_arguments.Directory, "images", $"{Family.Name}-{Seed}-{number}");
        if (folder is not null)
        {
            Keep(keepImage!, folder);
        }

        var violation = new Violation(what, Seed, number, folder);
        _violations.Enqueue(violation);
        Console.Out.WriteLine($"VIOLATION  {Family.Name}: {violation}");
        Console.Out.WriteLine($"           again: --scale {Scale} --only {Family.Name} --seed {Seed} --case {number}{(folder is null ? "" : $"; image: {folder}")}");
    }

    private static void Keep(Action<string> keepImage, string folder)
    {
        try
        {
            Directory.CreateDirectory(folder);
            keepImage(folder);
        }
        catch (IOException exception)
        {
            // The violation itself matters more than its image.
            Console.Out.WriteLine($"{folder} could not be kept: {exception.Message}");
        }
    }

    private async Task RunAsync(Case one, Func<Case, Task> run)
    {
        try
        {
            await run(one);
        }
        catch (Exception exception) when (!Stopped.IsCancellationRequested)
        {
            one.Violate($"threw {exception}");
        }

        Progress();
    }
}

/// <summary>One case of a family.</summary>
internal sealed class Case(FamilyRun family, int number)
{
    public int Number => number;

    /// <summary>The same for the same seed of the run, family and number.</summary>
    public int Seed { get; } = SeedOf(family, number);

    public Random NewRandom() => new(Seed);

    public void Violate(string what, Action<string>? keepImage = null) => family.Violate(what, number, keepImage);

    private static int SeedOf(FamilyRun family, int number)
    {
        unchecked
        {
            uint hash = 2166136261;
            foreach (char letter in family.Family.Name)
            {
                hash = (hash ^ letter) * 16777619;
            }

            hash = (hash ^ (uint)family.Seed) * 16777619;
            hash = (hash ^ (uint)number) * 2654435761;
            return (int)((hash ^ (hash >> 15)) & int.MaxValue);
        }
    }
}

/// <summary>What was wrong with a case, and where it can be looked at.</summary>
internal sealed record Violation(string What, int Seed, int Case, string? Image)
{
    public override string ToString() => $"seed {Seed}, case {Case}: {What}";
}
