namespace DiskDistributedCache.Testing;

/// <summary>
/// What an operating system says when a disk call fails: the values are the error numbers of Linux (<c>errno</c>), so that one that
/// has no name here can be cast. <see cref="DiskErrors.ToException"/> makes the exception that .NET throws for it.
/// </summary>
public enum DiskError
{
    /// <summary>No error. There is no exception for it.</summary>
    None = 0,

    /// <summary>EPERM. Thrown as <see cref="UnauthorizedAccessException"/>.</summary>
    NotPermitted = 1,

    /// <summary>ENOENT. Thrown as <see cref="FileNotFoundException"/>.</summary>
    NotFound = 2,

    /// <summary>EIO: the device failed.</summary>
    InputOutput = 5,

    /// <summary>ENXIO: the device is gone.</summary>
    NoSuchDeviceOrAddress = 6,

    /// <summary>EBADF. Thrown as <see cref="UnauthorizedAccessException"/>.</summary>
    BadDescriptor = 9,

    /// <summary>EWOULDBLOCK: the file is locked by somebody else.</summary>
    SharingViolation = 11,

    /// <summary>ENOMEM.</summary>
    OutOfMemory = 12,

    /// <summary>EACCES. Thrown as <see cref="UnauthorizedAccessException"/>.</summary>
    AccessDenied = 13,

    /// <summary>EBUSY.</summary>
    Busy = 16,

    /// <summary>EEXIST.</summary>
    AlreadyExists = 17,

    /// <summary>EXDEV: a rename from one file system to another.</summary>
    CrossDevice = 18,

    /// <summary>ENODEV.</summary>
    NoSuchDevice = 19,

    /// <summary>ENOTDIR. Thrown as <see cref="DirectoryNotFoundException"/>.</summary>
    NotADirectory = 20,

    /// <summary>EISDIR. Thrown as <see cref="UnauthorizedAccessException"/>.</summary>
    IsADirectory = 21,

    /// <summary>EINVAL.</summary>
    InvalidArgument = 22,

    /// <summary>ENFILE: the system has no file descriptor left.</summary>
    TooManyOpenFilesInSystem = 23,

    /// <summary>EMFILE: the process has no file descriptor left.</summary>
    TooManyOpenFiles = 24,

    /// <summary>EFBIG. Thrown as <see cref="ArgumentOutOfRangeException"/>.</summary>
    FileTooLarge = 27,

    /// <summary>ENOSPC: the disk is full.</summary>
    NoSpace = 28,

    /// <summary>EROFS: the file system is, or has become, read-only.</summary>
    ReadOnlyFileSystem = 30,

    /// <summary>ENAMETOOLONG. Thrown as <see cref="PathTooLongException"/>.</summary>
    NameTooLong = 36,

    /// <summary>ENOTEMPTY.</summary>
    DirectoryNotEmpty = 39,

    /// <summary>ELOOP.</summary>
    TooManyLinks = 40,

    /// <summary>EOPNOTSUPP.</summary>
    NotSupported = 95,

    /// <summary>ENOTCONN: what a file system in user space says when its process is gone.</summary>
    NotConnected = 107,

    /// <summary>ETIMEDOUT: what a network file system says.</summary>
    TimedOut = 110,

    /// <summary>ESTALE: the file of a network file system is not there any more.</summary>
    StaleHandle = 116,

    /// <summary>EUCLEAN: the file system found itself damaged.</summary>
    NeedsCleaning = 117,

    /// <summary>EDQUOT: the quota is used up.</summary>
    QuotaExceeded = 122,

    /// <summary>ECANCELED. Thrown as <see cref="OperationCanceledException"/>, without any token having been cancelled.</summary>
    Canceled = 125,

    /// <summary>ENOSPC when a file is opened with a preallocation size: the exception carries no error number.</summary>
    NoSpaceToPreallocate = 0x1_0000 + NoSpace,
}
