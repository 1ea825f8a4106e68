namespace DiskDistributedCache.Entries;

/// <summary>
/// When an entry dies: an absolute moment, a sliding window, or both; the earlier of the two rules. Times are UTC ticks
/// (100 ns), and all sums saturate at <see cref="Never"/>, so that no window is too large to be added to a moment.
/// An entry is dead as soon as its deadline is <em>reached</em>.
/// </summary>
internal readonly record struct Expiry(long AbsoluteTicks, long SlidingTicks)
{
    /// <summary>The moment that is never reached.</summary>
    public const long Never = long.MaxValue;

    /// <summary>Neither an absolute nor a sliding limit.</summary>
    public static Expiry None { get; } = new(Never, 0);

    public bool IsSliding => SlidingTicks > 0;

    /// <summary>The moment of death of an entry that was last used at <paramref name="nowTicks"/>.</summary>
    public long DeadlineFrom(long nowTicks) =>
        IsSliding ? Math.Min(AbsoluteTicks, Add(nowTicks, SlidingTicks)) : AbsoluteTicks;

    /// <summary>The sum of a moment and a duration that is not negative; <see cref="Never"/> where it would overflow.</summary>
    public static long Add(long momentTicks, long durationTicks) =>
        durationTicks >= Never - momentTicks ? Never : momentTicks + durationTicks;
}
