using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json;

namespace DiskDistributedCache.Reliability.Rivals;

/// <summary>What a judge is asked: to use the cache of a folder while its disk is full, or to read all of it and judge.</summary>
/// <param name="Folder">The folder.</param>
/// <param name="Ballast">The file that takes what the disk has free; null where nothing is to be filled.</param>
/// <param name="Allowed">Which versions a read of each key may return.</param>
internal sealed record RivalQuestion(string Folder, string? Ballast, Dictionary<string, List<int>> Allowed);

/// <summary>What came of it.</summary>
internal sealed record RivalAnswer(bool IsOpened, string? Problem, RivalReads Reads, bool HasThrown, bool IsUsable, Dictionary<string, List<int>> Allowed);

/// <summary>
/// Opens a contender in a process of its own, one image after the other: a cache may end its process, and that is a result as well.
/// </summary>
internal sealed class RivalJudge : IDisposable
{
    public const string Word = "rival-judge";

    private const int KeyCount = 200;
    private const int AnswerSeconds = 120;

    private readonly Process _process;

    private RivalJudge(string name)
    {
        var start = new ProcessStartInfo("dotnet")
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            ArgumentList = { typeof(RivalJudge).Assembly.Location, Word, name },
        };
        _process = Process.Start(start) ?? throw new InvalidOperationException("dotnet did not start.");
        _process.ErrorDataReceived += (_, _) => { };
        _process.BeginErrorReadLine();
    }

    /// <summary>Asks a judge that is free, or a new one. Null when the process has ended, or has not answered, instead of answering.</summary>
    public static async Task<RivalAnswer?> AskAsync(ConcurrentBag<RivalJudge> free, string name, RivalQuestion question)
    {
        if (!free.TryTake(out var judge))
        {
            judge = new RivalJudge(name);
        }

        using var late = new CancellationTokenSource(TimeSpan.FromSeconds(AnswerSeconds));
        try
        {
            await judge._process.StandardInput.WriteLineAsync(JsonSerializer.Serialize(question));
            if (await judge._process.StandardOutput.ReadLineAsync(late.Token) is { } answer)
            {
                free.Add(judge);
                return JsonSerializer.Deserialize<RivalAnswer>(answer);
            }
        }
        catch (Exception exception) when (exception is IOException or OperationCanceledException)
        {
            // As if it had ended.
        }

        judge.Dispose();
        return null;
    }

    /// <summary>The process itself.</summary>
    public static async Task<int> RunAsync(string[] args)
    {
        while (await Console.In.ReadLineAsync() is { } line)
        {
            var question = JsonSerializer.Deserialize<RivalQuestion>(line)!;
            var truth = new RivalTruth(question.Allowed);
            var answer = question.Ballast is null
                ? await JudgeAsync(args[1], question.Folder, truth)
                : await FillAsync(args[1], question.Folder, question.Ballast, truth);
            await Console.Out.WriteLineAsync(JsonSerializer.Serialize(answer));
        }

        return 0;
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
        }

        _process.Dispose();
    }

    private static async Task<RivalAnswer> JudgeAsync(string name, string folder, RivalTruth truth)
    {
        Contender cache;
        try
        {
            cache = await Contender.OpenAsync(name, folder);
        }
        catch (Exception exception)
        {
            return new RivalAnswer(false, exception.Message, new RivalReads(), false, false, truth.Allowed);
        }

        try
        {
            var reads = await truth.ReadAsync(cache);
            var after = new RivalTruth([]);
            bool isUsable = await after.MutateAsync(cache, "afterwards", 7) && (await after.ReadAsync(cache)).Hits == 1;
            return new RivalAnswer(true, null, reads, reads.Threw > 0, isUsable, truth.Allowed);
        }
        finally
        {
            await DisposeAsync(cache);
        }
    }

    /// <summary>Others take every byte while the cache is used, and give them back.</summary>
    private static async Task<RivalAnswer> FillAsync(string name, string folder, string ballast, RivalTruth truth)
    {
        var cache = await Contender.OpenAsync(name, folder);
        bool hasThrown = !await MutateAllAsync(truth, cache, version: 1);
        RivalFolder.FillDisk(ballast);
        hasThrown |= !await MutateAllAsync(truth, cache, version: 2);
        var reads = await truth.ReadAsync(cache);
        File.Delete(ballast);
        await DisposeAsync(cache);
        return new RivalAnswer(true, null, reads, hasThrown || reads.Threw > 0, true, truth.Allowed);
    }

    private static async Task<bool> MutateAllAsync(RivalTruth truth, Contender cache, int version)
    {
        bool isDone = true;
        for (int key = 0; key < KeyCount; key++)
        {
            isDone &= await truth.MutateAsync(cache, RivalTruth.Key(key), version == 2 && key % 10 == 0 ? 0 : version);
        }

        return isDone;
    }

    private static async Task DisposeAsync(Contender cache)
    {
        try
        {
            await cache.DisposeAsync();
        }
        catch (Exception)
        {
            // What it answered is counted; how it ends is not.
        }
    }
}
