namespace DiskDistributedCache.Tiers;

/// <summary>
/// Who leaves the memory tier next. It is S3-FIFO (Yang, Zhang, Qiu, Yue, Rashmi: "FIFO queues are all you need for cache
/// eviction", SOSP 2023) by weight. A new entry enters the small queue. One that was hit at least twice before it reached
/// the old end goes on to the main queue; any other leaves, and its ghost, the hash of its key, is remembered. What
/// comes back while it is remembered enters main at once. In main, an entry that was hit goes round again, once for
/// each hit, at most 3 times.
///
/// The share of the small queue adapts. The 10 % of the paper suit most workloads, but where recency is everything they are far
/// too little: on one of the traces that we measure with they lose a fifth of the hits of LRU. The ghosts of both queues
/// know how many bytes their queue evicted between the leaving of an entry and its return. A return within a quarter of the
/// space says that the queue is too short: the share grows by a quarter of the entry's weight when it had left small, and
/// shrinks by half of it when it had left main. Down is twice up because an entry that left small too early misses only
/// once; it is in main from then on. The figures are the middle of a wide plateau on those traces.
///
/// Guarded by the lock of the tier, but for what says otherwise.
/// </summary>
internal sealed class EvictionOrder
{
    public const byte MaximumFrequency = 3;

    /// <summary>How many windows there are in the space: a return within one says that a queue is too short.</summary>
    public const int WindowsPerSpace = 4;

    private const byte PromotionFrequency = 2;
    private const double InitialSmallShare = 0.1;
    private const double MinimumSmallShare = 0.05;
    private const double MinimumReturnShare = 0.1;
    private const double StepUp = 0.25;
    private const double StepDown = 0.5;

    private readonly ResidentQueue _small = new(Place.Small);
    private readonly ResidentQueue _main = new(Place.Main);
    private readonly GhostTable _ghosts = new();

    public bool IsEmpty => _small.Oldest is null && _main.Oldest is null;

    /// <summary>The part of the space that the small queue is meant to have now.</summary>
    public double SmallShare { get; private set; } = InitialSmallShare;

    /// <summary>
    /// The queue for a key that is not resident, of the <paramref name="spaceBytes"/> that both queues have. Adapts the share if
    /// the key left not long ago.
    /// </summary>
    public Place HomeOf(int hash, long weightBytes, long spaceBytes)
    {
        if (!_ghosts.TryTake(hash, out var left, out long distanceBytes))
        {
            return Place.Small;
        }

        if (distanceBytes <= spaceBytes / WindowsPerSpace)
        {
            double step = left == Place.Main ? -StepDown : StepUp;
            SmallShare = Math.Clamp(SmallShare + (step * Math.Min(1, weightBytes / (double)spaceBytes)), MinimumSmallShare, 1);
        }

        return left == Place.Small && distanceBytes <= spaceBytes * Math.Max(1 - SmallShare, MinimumReturnShare) ? Place.Main : Place.Small;
    }

    /// <summary>Adds a resident at the young end of its home.</summary>
    public void Add(Resident resident) => QueueAt(resident.Home).Add(resident);

    public void Remove(Resident resident) => QueueAt(resident.Place).Remove(resident);

    /// <summary>Who is due in the queue of one that has just left it; null where nobody is.</summary>
    public Resident? NextAfter(Resident left) => QueueAt(left.Place).Oldest;

    /// <summary>Prefetches what the ghosts have of a key. Takes no lock.</summary>
    public void Expect(int hash) => _ghosts.Expect(hash);

    /// <summary>
    /// Looks at the one resident that is due: returns it if it has to leave, taken out of its queue and remembered, or
    /// gives it another chance and returns null. Call it only if the order is not empty.
    /// </summary>
    public Resident? Pass(long spaceBytes, int residentCount)
    {
        bool smallIsDue = _main.Oldest is null || _small.Bytes >= SmallShare * spaceBytes;
        if (smallIsDue && _small.Oldest is { } small)
        {
            _small.Remove(small);
            if (small.Entry.Frequency < PromotionFrequency)
            {
                _ghosts.Add(small.Hash, Place.Small, small.WeightBytes, residentCount);
                return small;
            }

            small.Entry.Frequency = 0;
            small.Home = Place.Main;
            _main.Add(small);
            return null;
        }

        var main = _main.Oldest!;
        _main.Remove(main);
        if (main.Entry.Frequency == 0)
        {
            _ghosts.Add(main.Hash, Place.Main, main.WeightBytes, residentCount);
            return main;
        }

        main.Entry.Frequency--;
        _main.Add(main);
        return null;
    }

    public void Clear()
    {
        _small.Clear();
        _main.Clear();
        _ghosts.Clear();
    }

    private ResidentQueue QueueAt(Place place) => place == Place.Main ? _main : _small;
}
