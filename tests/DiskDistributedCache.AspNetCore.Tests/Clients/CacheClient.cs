namespace DiskDistributedCache.AspNetCore.Tests.Clients;

/// <summary>
/// A client of the cache in an application, reduced to what all have in common: values of keys in groups. What a group is depends on the
/// client: a tag, or a session.
/// </summary>
public abstract class CacheClient : IAsyncDisposable
{
    internal abstract ClientScene Scene { get; }

    /// <summary>Whether a removal reaches the cache although the client could not read what it removes.</summary>
    public virtual bool ChangesWhatItCannotRead => true;

    /// <summary>What a key has; where it has nothing, <paramref name="ifMade"/> is made and kept. So the answer tells whether it was made.</summary>
    public abstract Task<string> AskAsync(string group, string key, string ifMade);

    /// <summary>Gives a key another value.</summary>
    public abstract Task SetAsync(string group, string key, string value);

    public abstract Task RemoveAsync(string group, string key);

    /// <summary>Removes every key of a group in one call.</summary>
    public abstract Task RemoveGroupAsync(string group);

    /// <summary>Whether an exception of the cache has no consequence beyond its call. Otherwise there must be none.</summary>
    public bool BearsExceptions { get; set; }

    /// <summary>Whether the client takes everything for removed when it cannot find out.</summary>
    public virtual bool TakesUnknownForRemoved => false;

    public async ValueTask DisposeAsync()
    {
        await Scene.DisposeAsync();
        GC.SuppressFinalize(this);
    }
}
