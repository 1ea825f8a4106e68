using Microsoft.Extensions.Options;

namespace DiskDistributedCache;

/// <summary>
/// One cache that the application has registered. The container holds one of these for each, so that what concerns all of
/// them (the hosted service, the section of the configuration, the directories) knows them without creating one.
/// </summary>
/// <param name="Key">The key of the service; <see langword="null"/> for the default cache.</param>
/// <param name="Name">The name of its options: the text of the key, or <see cref="Options.DefaultName"/>.</param>
internal sealed record DiskCacheRegistration(object? Key, string Name)
{
    public static DiskCacheRegistration Default { get; } = new(null, Options.DefaultName);

    /// <summary>The cache as a message names it.</summary>
    public string Title => Key is null ? "the default cache" : $"the cache with the key '{Name}'";

    /// <summary>The section of the configuration with the settings of this cache: messages begin with it.</summary>
    public static string SectionOf(string name) =>
        name.Length == 0 ? DiskDistributedCacheOptions.SectionName : $"{DiskDistributedCacheOptions.SectionName}:{name}";
}
