namespace DiskDistributedCache.Testing;

/// <summary>
/// A call that changed something on disk, or made changes durable, with all that is needed to do it again. A call that failed
/// is none; a torn write is one with the bytes that were written. A sync of a file that failed is one too: what had been written to the
/// file until then is not made durable any more, whatever a later sync says.
/// </summary>
public sealed class DiskChange
{
    internal DiskChange(FileOperation operation, string path, TrackedFile? file)
    {
        Operation = operation;
        Path = path;
        File = file;
    }

    /// <summary>
    /// <see cref="FileOperation.Open"/> (a file was created), <see cref="FileOperation.Write"/>, <see cref="FileOperation.SetLength"/>,
    /// <see cref="FileOperation.Flush"/>, <see cref="FileOperation.Move"/>, <see cref="FileOperation.Delete"/>,
    /// <see cref="FileOperation.CreateDirectory"/> or <see cref="FileOperation.DeleteDirectory"/>.
    /// </summary>
    public FileOperation Operation { get; }

    /// <summary>The full path that the file or folder had; of a move, the new one.</summary>
    public string Path { get; }

    /// <summary>Of a move: the old path.</summary>
    public string? OldPath { get; internal init; }

    /// <summary>Of a write: where in the file. Of a <see cref="FileOperation.SetLength"/>: the new length.</summary>
    public long Offset { get; internal init; }

    /// <summary>Of a write: what was written.</summary>
    public ReadOnlyMemory<byte> Bytes { get; internal init; }

    /// <summary>The file whatever its name is; null for a folder.</summary>
    internal TrackedFile? File { get; }

    /// <summary>Of a <see cref="FileOperation.Flush"/>: whether it failed.</summary>
    internal bool IsFailed { get; init; }

    internal bool IsOfContent => Operation is FileOperation.Write or FileOperation.SetLength;

    /// <summary>What happened, for the message of a test that fails.</summary>
    public override string ToString() => Operation switch
    {
        FileOperation.Write => $"Write {Path} at {Offset}, {Bytes.Length} bytes",
        FileOperation.SetLength => $"SetLength {Path} to {Offset}",
        FileOperation.Move => $"Move {OldPath} to {Path}",
        _ => $"{Operation} {Path}{(IsFailed ? ", failed" : "")}",
    };
}
