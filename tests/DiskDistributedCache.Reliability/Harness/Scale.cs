namespace DiskDistributedCache.Reliability.Harness;

/// <summary>How much of everything: within 5 minutes, within 4 hours, or for a release.</summary>
internal enum Scale
{
    Pr,
    Nightly,
    Release,
}

/// <summary>How many cases of a family there are at each scale.</summary>
internal readonly record struct Counts(int Pr, int Nightly, int Release)
{
    public int At(Scale scale) => scale switch
    {
        Scale.Pr => Pr,
        Scale.Nightly => Nightly,
        _ => Release,
    };
}
