using System.Runtime.InteropServices;
using DiskDistributedCache.Benchmarks.Http;

namespace DiskDistributedCache.Benchmarks;

/// <summary>Runs the wanted claims one after the other and deletes what they made.</summary>
internal static class ClaimsCommand
{
    private static readonly ClaimFamily[] s_families =
    [
        new DiskTierClaims(), new MemoryTierClaims(), new EvictingSetClaims(), new AllocationClaims(), new IndexClaims(), new ReopenClaims(), new RestartClaims(),
        new ReclaimClaims(), new FallbackClaims(), new CompressionClaims(), new HttpClaims(), new GrowthClaims(),
    ];

    /// <returns>The exit code: 0, 1 when a claim could not be measured, 2 when no claim has a wanted name, 130 when stopped.</returns>
    public static async Task<int> RunAsync(ClaimsArguments arguments)
    {
        string[] names = [.. s_families.SelectMany(family => family.Names)];
        if (arguments.ListsNames)
        {
            Console.Out.WriteLine(string.Join('\n', names));
            return 0;
        }

        string[] unknown = [.. arguments.Only.Where(part => !names.Any(name => name.Contains(part, StringComparison.Ordinal)))];
        if (unknown.Length > 0)
        {
            Console.Error.WriteLine($"No claim has '{string.Join("', '", unknown)}' in its name. --list prints the names.");
            return 2;
        }

        using var cancelKey = new CancelKey();
        string directory = Path.Combine(arguments.Directory, "ddc-claims-" + Path.GetRandomFileName());
        try
        {
            return await MeasureAsync(new ClaimRun(arguments, directory, cancelKey.Pressed));
        }
        finally
        {
            if (Directory.Exists(directory))
            {
                Directory.Delete(directory, recursive: true);
            }
        }
    }

    private static async Task<int> MeasureAsync(ClaimRun run)
    {
        run.Progress(
            $"{RuntimeInformation.OSDescription}, {RuntimeInformation.FrameworkDescription}, {Environment.ProcessorCount} processors");
        bool failed = false;
        ClaimFamily[] wanted = [.. s_families.Where(family => family.Names.Any(run.Wants))];
        foreach (var family in wanted)
        {
            run.Progress($"part {Array.IndexOf(wanted, family) + 1} of {wanted.Length}: {family.GetType().Name}");
            try
            {
                await family.RunAsync(run);
            }
            catch (OperationCanceledException) when (run.Stopped.IsCancellationRequested)
            {
                run.Progress($"stopped");
                return 130;
            }
            catch (Exception problem)
            {
                // The other families may still be measured; the exit code tells that something is missing.
                run.Progress($"{family.GetType().Name} failed: {problem}");
                failed = true;
            }
        }

        return failed ? 1 : 0;
    }
}
