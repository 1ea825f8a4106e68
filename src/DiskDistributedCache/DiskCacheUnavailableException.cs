namespace DiskDistributedCache;

/// <summary>
/// It is not known whether a key has a value: the disk could not be asked in time, or does not answer at present. Thrown by reads only, and
/// only where a miss would be taken for the truth: for the marks by which HybridCache and FusionCache remember that a tag was
/// invalidated, for keys that <see cref="DiskDistributedCacheOptions.RetainKey"/> names, and for all keys with
/// <see cref="UnknownRead.Throw"/>.
/// </summary>
public sealed class DiskCacheUnavailableException : IOException
{
    private const string DefaultMessage =
        "It is not known whether the cache has a value for this key: the disk does not answer at present. See DiskCache.GetStatus().";

    /// <summary>Creates the exception with its usual message.</summary>
    public DiskCacheUnavailableException()
        : base(DefaultMessage)
    {
    }

    /// <summary>Creates the exception with a message.</summary>
    /// <param name="message">The message.</param>
    public DiskCacheUnavailableException(string? message)
        : base(message ?? DefaultMessage)
    {
    }

    /// <summary>Creates the exception with a message and its cause.</summary>
    /// <param name="message">The message.</param>
    /// <param name="innerException">The cause.</param>
    public DiskCacheUnavailableException(string? message, Exception? innerException)
        : base(message ?? DefaultMessage, innerException)
    {
    }
}
