namespace DiskDistributedCache.Testing;

/// <summary>
/// What can be done to a file or a folder. The values are flags, so that one fault can strike several kinds of calls.
/// Calls that do several things, such as <c>File.WriteAllText</c>, are seen as what they do: an open, writes and a close.
/// </summary>
[Flags]
public enum FileOperation
{
    /// <summary>No call at all.</summary>
    None = 0,

    /// <summary>A file is opened or created, as a handle or as a stream.</summary>
    Open = 1 << 0,

    /// <summary>Bytes are read.</summary>
    Read = 1 << 1,

    /// <summary>Bytes are written.</summary>
    Write = 1 << 2,

    /// <summary>A file is cut or extended.</summary>
    SetLength = 1 << 3,

    /// <summary>The length of a file is asked for.</summary>
    GetLength = 1 << 4,

    /// <summary>A file or a folder is made durable: <c>RandomAccess.FlushToDisk</c>, <c>FileStream.Flush(true)</c>.</summary>
    Flush = 1 << 5,

    /// <summary>A stream is closed. Closing a handle goes past the file system and is not seen.</summary>
    Close = 1 << 6,

    /// <summary>A file or a folder gets another name. The path of the call is the new one.</summary>
    Move = 1 << 7,

    /// <summary>A file is deleted.</summary>
    Delete = 1 << 8,

    /// <summary>It is asked whether a file or a folder exists. As in .NET the answer is no when the call fails.</summary>
    Exists = 1 << 9,

    /// <summary>A folder is created.</summary>
    CreateDirectory = 1 << 10,

    /// <summary>A folder is deleted.</summary>
    DeleteDirectory = 1 << 11,

    /// <summary>The names in a folder are listed.</summary>
    List = 1 << 12,

    /// <summary>Attributes, times or access rights are read or set.</summary>
    Attributes = 1 << 13,

    /// <summary>A symbolic link is created, or its target is asked for.</summary>
    Link = 1 << 14,

    /// <summary>The size or the free space of a drive is asked for.</summary>
    FreeSpace = 1 << 15,

    /// <summary>Every call, whatever it is.</summary>
    Any = (1 << 16) - 1,
}
