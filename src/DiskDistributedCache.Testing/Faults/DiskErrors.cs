namespace DiskDistributedCache.Testing;

/// <summary>From errors of the operating system to exceptions.</summary>
public static class DiskErrors
{
    private const int IoHResult = unchecked((int)0x80131620); // COR_E_IO

    /// <summary>
    /// The exception that .NET on Linux throws for the error: of the same type, with the same <see cref="Exception.HResult"/> (for an
    /// <see cref="IOException"/> mostly the error number itself) and the same inner exception. The text is like it, not the same.
    /// </summary>
    /// <param name="error">The error; also one that has no name in the enum.</param>
    /// <param name="path">The file or folder, for the text.</param>
    /// <exception cref="ArgumentOutOfRangeException">The error is not positive.</exception>
    public static Exception ToException(this DiskError error, string? path = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero((int)error, nameof(error));
        string message = path is null ? TextOf(error) : $"{TextOf(error)} : '{path}'";
        return error switch
        {
            DiskError.NotFound => new FileNotFoundException($"Could not find file '{path}'.", path),
            DiskError.NotADirectory => new DirectoryNotFoundException($"Could not find a part of the path '{path}'."),
            DiskError.AccessDenied or DiskError.NotPermitted or DiskError.BadDescriptor or DiskError.IsADirectory =>
                new UnauthorizedAccessException($"Access to the path '{path}' is denied.", new IOException(TextOf(error), (int)error)),
            DiskError.NameTooLong => new PathTooLongException($"The path '{path}' is too long, or a component of it is."),
            DiskError.FileTooLarge => TooLarge(message),
            DiskError.Canceled => new OperationCanceledException(),
            DiskError.NoSpaceToPreallocate =>
                new IOException($"Failed to create '{path}' with allocation size, because the disk was full.", IoHResult),
            _ => new IOException(message, (int)error),
        };
    }

    /// <summary>.NET takes it for the fault of an argument, whoever called.</summary>
    private static ArgumentOutOfRangeException TooLarge(string value) =>
        new(nameof(value), $"Specified file length was too large for the file system. {value}");

    private static string TextOf(DiskError error) => error switch
    {
        DiskError.NotPermitted => "Operation not permitted",
        DiskError.InputOutput => "Input/output error",
        DiskError.NoSuchDeviceOrAddress => "No such device or address",
        DiskError.BadDescriptor => "Bad file descriptor",
        DiskError.SharingViolation => "The process cannot access the file because it is being used by another process",
        DiskError.OutOfMemory => "Cannot allocate memory",
        DiskError.AccessDenied => "Permission denied",
        DiskError.Busy => "Device or resource busy",
        DiskError.AlreadyExists => "The file already exists",
        DiskError.CrossDevice => "Invalid cross-device link",
        DiskError.NoSuchDevice => "No such device",
        DiskError.IsADirectory => "Is a directory",
        DiskError.InvalidArgument => "Invalid argument",
        DiskError.TooManyOpenFilesInSystem => "Too many open files in system",
        DiskError.TooManyOpenFiles => "Too many open files",
        DiskError.FileTooLarge => "File too large",
        DiskError.NoSpace => "No space left on device",
        DiskError.ReadOnlyFileSystem => "Read-only file system",
        DiskError.DirectoryNotEmpty => "Directory not empty",
        DiskError.TooManyLinks => "Too many levels of symbolic links",
        DiskError.NotSupported => "Operation not supported",
        DiskError.NotConnected => "Transport endpoint is not connected",
        DiskError.TimedOut => "Connection timed out",
        DiskError.StaleHandle => "Stale file handle",
        DiskError.NeedsCleaning => "Structure needs cleaning",
        DiskError.QuotaExceeded => "Disk quota exceeded",
        _ => $"Error {(int)error} of the operating system",
    };
}
