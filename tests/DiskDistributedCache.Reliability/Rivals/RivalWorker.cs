using System.Globalization;

namespace DiskDistributedCache.Reliability.Rivals;

/// <summary>The process that is killed: sets and removes keys and says what it begins and what is done, until something ends it.</summary>
internal static class RivalWorker
{
    public const string Word = "rival-worker";
    public const string Ready = "ready";
    public const int KeyCount = 100;

    public static async Task<int> RunAsync(string[] args)
    {
        var random = new Random(int.Parse(args[3], CultureInfo.InvariantCulture));
        await using var cache = await Contender.OpenAsync(args[1], args[2]);
        await Console.Out.WriteLineAsync(Ready);
        for (int version = 1; ; version++)
        {
            int key = random.Next(KeyCount);
            int what = random.Next(4) == 0 ? 0 : version;
            await Console.Out.WriteLineAsync($"begun {key} {what}");
            await (what == 0 ? cache.RemoveAsync(RivalTruth.Key(key)) : cache.SetAsync(RivalTruth.Key(key), RivalTruth.Value(RivalTruth.Key(key), what)));
            await Console.Out.WriteLineAsync($"done {key} {what}");
        }
    }
}
