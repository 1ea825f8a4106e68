namespace DiskDistributedCache.Testing;

/// <summary>What can be said of full paths without asking a file system.</summary>
internal static class FilePath
{
    /// <summary>Whether the path is below the folder.</summary>
    public static bool IsUnder(string path, string folder) =>
        path.Length > folder.Length && path.StartsWith(folder, StringComparison.Ordinal)
        && (IsSeparator(path[folder.Length]) || (folder.Length > 0 && IsSeparator(folder[^1])));

    /// <summary>Whether the path is the folder itself or below it.</summary>
    public static bool IsIn(string path, string folder) => path == folder || IsUnder(path, folder);

    /// <summary>The path of something when the folder above it has moved.</summary>
    public static string Moved(string path, string from, string to) => string.Concat(to, path.AsSpan(from.Length));

    private static bool IsSeparator(char c) => c == Path.DirectorySeparatorChar || c == Path.AltDirectorySeparatorChar;
}
