namespace DiskDistributedCache.Storage;

/// <summary>What an exception of the file system says about the disk.</summary>
internal enum FaultKind
{
    /// <summary>An operation failed. The next one may succeed.</summary>
    Error = 0,

    /// <summary>There is no room. Not a fault of the disk: it goes on with less.</summary>
    Full = 1,

    /// <summary>Nothing that is tried soon will succeed: the disk may not be written, or its folder is not there any more.</summary>
    Hard = 2,
}

/// <summary>
/// Tells faults apart by what .NET makes of the operating system's errors, which are not all <see cref="IOException"/>s. On Unix its
/// <c>HResult</c> is the error number itself.
/// </summary>
internal static class Faults
{
    /// <summary>ENOSPC.</summary>
    public const int NoSpace = 28;

    private const int NoMemory = 12; // ENOMEM
    private const int TooManyFilesInSystem = 23; // ENFILE
    private const int TooManyFiles = 24; // EMFILE
    private const int ReadOnly = 30; // EROFS
    private const int Stale = 116; // ESTALE
    private const int QuotaExceeded = 122; // EDQUOT
    private const int NoNumber = unchecked((int)0x80131620); // COR_E_IO, where an exception was given none
    private const int WindowsDiskFull = unchecked((int)0x80070070);
    private const int WindowsHandleDiskFull = unchecked((int)0x80070027);

    /// <summary>
    /// The exception of a preallocation, with the number that the runtime has dropped. Only who preallocates can tell: any other
    /// exception without a number says nothing about room.
    /// </summary>
    public static Exception OfPreallocation(IOException exception) =>
        exception.HResult == NoNumber ? new IOException(exception.Message, NoSpace) : exception;

    /// <summary>Whether it is the disk's trouble, and not that the process or the system has run out of something.</summary>
    public static bool IsOfDisk(IOException exception) => exception.HResult is not (NoMemory or TooManyFilesInSystem or TooManyFiles);

    public static FaultKind KindOf(Exception exception) => exception switch
    {
        UnauthorizedAccessException or DirectoryNotFoundException or StoreGoneException => FaultKind.Hard,
        IOException { HResult: NoSpace or QuotaExceeded or WindowsDiskFull or WindowsHandleDiskFull } => FaultKind.Full,
        IOException { HResult: ReadOnly or Stale } => FaultKind.Hard,
        _ => FaultKind.Error,
    };
}

/// <summary>The disk does not give something that an opening has to read. Another opening may get it, or may go without.</summary>
internal sealed class UnreadableException : IOException
{
    public UnreadableException(IOException inner)
        : base(inner.Message, inner) => HResult = inner.HResult;
}

/// <summary>
/// The store itself says that there is no room: what it would have to add would not leave free what has to stay free, and nothing of
/// its own is left that could go instead. <see cref="FaultKind.Full"/>, and not worth another try at once.
/// </summary>
internal sealed class NoRoomException() : IOException("The disk has no room for another segment of the cache.", Faults.NoSpace);
