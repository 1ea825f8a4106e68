using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Scenarios.Sweeps;

/// <summary>
/// What the callers of a cache do, from a seed: every kind of mutation, over ten keys and four tags, with values from nothing to more
/// than a segment, and now and then a step of the monitor. What is done never depends on what was found.
/// </summary>
internal static class SweepWorkload
{
    public const int StepCount = 50;

    public static async Task RunAsync(SweepProcess process, int seed, int steps = StepCount)
    {
        var random = new Random(seed);
        for (int step = 1; step <= steps; step++)
        {
            process.Stage = $"step {step}";
            await StepAsync(process, random);
        }
    }

    private static Task StepAsync(SweepProcess process, Random random)
    {
        string key = SweepProcess.Keys[random.Next(SweepProcess.Keys.Length)];
        int kind = random.Next(100);
        switch (kind)
        {
            case < 46:
                return SetAsync(process, random, key);
            case < 62:
                return process.GetAsync(key);
            case < 72:
                return process.RemoveAsync(key);
            case < 78:
                return process.EvictAsync($"tag {random.Next(4)}");
            case < 80:
                return process.ClearAsync();
            case < 88:
                return process.HeartbeatAsync();
            case < 91:
                return process.ProbeAsync();
            case < 94:
                process.Wait();
                return process.HeartbeatAsync();
            case < 96:
                return process.RecoverAsync();
            case < 98:
                return process.TrustAsync();
            default:
                return process.DrainAsync();
        }
    }

    private static Task SetAsync(SweepProcess process, Random random, string key)
    {
        int length = random.Next(12) == 0 ? 20_000 : random.Next(100, 4000);
        string[] tags = [$"tag {random.Next(4)}"];
        return random.Next(4) switch
        {
            0 => process.SetAsync(key, length, tags, absolute: TimeSpan.FromSeconds(random.Next(30, 300))),
            1 => process.SetAsync(key, length, tags, sliding: TimeSpan.FromSeconds(random.Next(90, 600))),
            _ => process.SetAsync(key, length, tags),
        };
    }
}
