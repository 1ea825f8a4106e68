namespace DiskDistributedCache;

/// <summary>What a read answers when it is not known whether the key has a value, because the disk could not be asked in time.</summary>
public enum UnknownRead
{
    /// <summary>The same as for a key that has none. The caller makes the value again.</summary>
    Miss = 0,

    /// <summary>
    /// A <see cref="DiskCacheUnavailableException"/>. For callers who take a miss for the truth and overwrite what they have not
    /// seen, as ASP.NET Core's sessions do.
    /// </summary>
    Throw = 1,
}
