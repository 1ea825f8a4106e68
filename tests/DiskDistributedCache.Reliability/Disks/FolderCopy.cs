namespace DiskDistributedCache.Reliability.Disks;

/// <summary>What is kept of a store for people: what it looked like when something was wrong with it.</summary>
internal static class FolderCopy
{
    /// <summary>A disk may be broken, and a cache still at work on it: what can be copied has to do.</summary>
    public static void AsFarAsPossible(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (string file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            string copy = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            try
            {
                File.Copy(file, copy, overwrite: true);
            }
            catch (IOException)
            {
                // The others may still be there.
            }
        }
    }
}
