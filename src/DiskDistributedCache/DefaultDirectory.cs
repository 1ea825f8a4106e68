using System.Buffers;
using System.IO.Hashing;
using System.Reflection;
using System.Runtime.InteropServices;

namespace DiskDistributedCache;

/// <summary>
/// Where the cache lives when nobody says: a folder per application under the cache folder of the user. The user's own
/// folder and not a shared temp directory, where anybody may make a folder of a known name first. The folder carries the
/// name of the application for people, and a hash of its root for the case that one machine has two checkouts of it.
/// </summary>
internal static class DefaultDirectory
{
    private const int MaxNameLength = 64;

    private static readonly SearchValues<char> s_nameChars =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.");

    /// <summary>The path, or <see langword="null"/> where the user has no folder to put it in.</summary>
    /// <param name="applicationName">The host's name of the application; without one, the name of the entry assembly.</param>
    /// <param name="contentRoot">The host's content root; without one, the folder of the program.</param>
    public static string? Find(string? applicationName, string? contentRoot)
    {
        string? parent = UserCacheFolder();
        if (parent is null)
        {
            return null;
        }

        string name = string.IsNullOrEmpty(applicationName) ? EntryName() : applicationName;
        string root = string.IsNullOrEmpty(contentRoot) ? AppContext.BaseDirectory : contentRoot;
        return Path.Combine(parent, $"{Printable(name)}-{Hash(Path.TrimEndingDirectorySeparator(root))}");
    }

    /// <summary>The folder of a named cache inside the directory of the default one.</summary>
    /// <param name="parent">The directory of the default cache.</param>
    /// <param name="name">The name. One that is no harmless file name everywhere becomes one, with a hash, so that two stay two.</param>
    public static string Within(string parent, string name)
    {
        bool isHarmless = name.Length <= MaxNameLength
            && name.AsSpan().IndexOfAnyExcept(s_nameChars) < 0
            && name[0] != '.' && name[^1] != '.'
            && !name.StartsWith("diskcache-", StringComparison.OrdinalIgnoreCase);
        return Path.Combine(parent, isHarmless ? name : $"cache-{Printable(name).TrimEnd('.')}-{Hash(name)}");
    }

    private static string? UserCacheFolder()
    {
        if (OperatingSystem.IsWindows())
        {
            string local = Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData);
            return local.Length > 0 ? local : null;
        }

        // The XDG rules have a relative path ignored.
        if (Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { } caches && Path.IsPathRooted(caches))
        {
            return caches;
        }

        string home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        return home.Length > 0 ? Path.Combine(home, ".cache") : null;
    }

    private static string EntryName() => Assembly.GetEntryAssembly()?.GetName().Name ?? "app";

    private static string Printable(string name)
    {
        int length = Math.Min(name.Length, MaxNameLength);
        return string.Create(length, name, static (chars, name) =>
        {
            for (int i = 0; i < chars.Length; i++)
            {
                chars[i] = s_nameChars.Contains(name[i]) ? name[i] : '_';
            }
        });
    }

    private static string Hash(string root) =>
        ((uint)XxHash3.HashToUInt64(MemoryMarshal.AsBytes(root.AsSpan()))).ToString("x8");
}
