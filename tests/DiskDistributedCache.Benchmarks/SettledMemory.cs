namespace DiskDistributedCache.Benchmarks;

/// <summary>
/// Memory once it has stopped to fall. A cache that has just been closed lingers for a moment on its threads, and free memory is given back little by little;
/// counted at first and gone afterwards, it would hide what is weighed.
/// </summary>
internal static class SettledMemory
{
    private const int SteadyLooks = 10;

    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(50);

    /// <param name="look">Collects what is garbage, and says how much memory there is.</param>
    /// <param name="steadyBytes">By less than this it may fall and still be steady.</param>
    public static async Task<long> LeastAsync(Func<long> look, long steadyBytes)
    {
        long least = long.MaxValue;
        for (int steady = 0; steady < SteadyLooks; steady++)
        {
            await Task.Delay(s_pause);
            long now = look();
            if (now < least - steadyBytes)
            {
                steady = 0;
            }

            least = Math.Min(least, now);
        }

        return least;
    }
}
