using System.Collections.Concurrent;
using System.Globalization;
using DiskDistributedCache.Reliability.Fuzzing;
using DiskDistributedCache.Reliability.Harness;
using DiskDistributedCache.Tests.Fuzzing;

namespace DiskDistributedCache.Reliability.Families;

/// <summary>
/// Bytes that nobody wrote, where a record, a log or a superblock should be. First everything in the corpus; then, where AFL++ is installed,
/// what it finds by looking for inputs that take new branches.
/// </summary>
internal sealed class Fuzz : Family
{
    private readonly ConcurrentDictionary<string, string> _lines = new();

    public override string Name => "fuzz";

    public override string What => "coverage-guided fuzzing of record decoding, recovery and superblock, with checksums repaired after mutation";

    public override string Unit => "inputs";

    public override Counts Counts => new(20_000, 5_000_000, 30_000_000);

    public override double CaseMilliseconds => 0.25;

    public override async Task RunAsync(FamilyRun run)
    {
        foreach (string target in FuzzTargets.All.Keys)
        {
            Replay(run, target);
        }

        if (FuzzEngine.WhyNot() is { } why)
        {
            run.Note($"- only the corpus: {why}");
        }
        else
        {
            using var engine = new FuzzEngine();
            var options = new ParallelOptions { MaxDegreeOfParallelism = 2, CancellationToken = run.Stopped };
            await Parallel.ForEachAsync(FuzzTargets.All.Keys, options, async (target, stopped) => await FuzzAsync(run, engine, target, stopped));
        }

        run.Count = run.Done;
        foreach (var (_, line) in _lines.OrderBy(line => line.Key, StringComparer.Ordinal))
        {
            run.Note(line);
        }
    }

    private static void Replay(FamilyRun run, string target)
    {
        string folder = Path.Combine(AppContext.BaseDirectory, "Corpus", target);
        byte[][] inputs = [.. FuzzSeeds.Of(target), .. Directory.EnumerateFiles(folder).Order(StringComparer.Ordinal).Select(File.ReadAllBytes)];
        foreach (byte[] input in inputs)
        {
            if (FuzzTargets.Judge(target, input) is { } wrong)
            {
                run.Violate($"{target}: {wrong}", keepImage: image => File.WriteAllBytes(Path.Combine(image, target), input));
            }

            run.Progress();
        }
    }

    private async Task FuzzAsync(FamilyRun run, FuzzEngine engine, string target, CancellationToken stopped)
    {
        var seconds = TimeSpan.FromSeconds(run.Scale switch { Scale.Pr => 5, Scale.Nightly => 600, _ => 3600 });
        var found = await engine.RunAsync(target, seconds, stopped);
        run.Progress((int)Math.Min(int.MaxValue / 4, found.Executions));
        foreach (string crash in found.Crashes)
        {
            string wrong = FuzzTargets.Judge(target, await File.ReadAllBytesAsync(crash, stopped)) ?? "it hung, or ended the process";
            run.Violate($"{target}: {wrong}", keepImage: image => File.Copy(crash, Path.Combine(image, Path.GetFileName(crash).Replace(':', '-')), overwrite: true));
        }

        _lines[target] = string.Create(
            CultureInfo.InvariantCulture,
            $"- {target}: {found.Executions:#,0} executions in {seconds.TotalSeconds:0} s, {found.Paths:#,0} inputs kept, {found.Edges:#,0} branches, {found.Crashes.Count} crashes and hangs");
    }
}
