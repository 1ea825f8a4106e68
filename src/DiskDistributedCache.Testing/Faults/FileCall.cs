namespace DiskDistributedCache.Testing;

/// <summary>A call to the file system, whether it succeeded or not.</summary>
/// <param name="Number">Its place in the order of all calls; the first has number 1.</param>
/// <param name="Operation">What was to be done.</param>
/// <param name="Path">The full path; of an open file, the path under which it was opened; of a move, the new one.</param>
/// <param name="Bytes">How many bytes were to be read or written.</param>
/// <param name="Offset">Where in the file; of a <see cref="FileOperation.SetLength"/>, the new length.</param>
public sealed record FileCall(long Number, FileOperation Operation, string Path, int Bytes = 0, long Offset = 0)
{
    /// <summary>Whether the call is of one of the kinds and its path contains the text.</summary>
    public bool IsA(FileOperation operation, string pathPart = "") =>
        (Operation & operation) != 0 && Path.Contains(pathPart, StringComparison.Ordinal);
}
