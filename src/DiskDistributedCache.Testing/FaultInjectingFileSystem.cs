using System.IO.Abstractions;

namespace DiskDistributedCache.Testing;

/// <summary>
/// A file system whose disk does what a test says: it fails, fills up, tears and flips what is written, loses it, forgets what was
/// not synced, and hangs. It stands before another <see cref="IFileSystem"/>, which really has the files: the real one, or a mock.
///
/// A fault is planned for calls of some kinds (<see cref="FileOperation"/>) on paths that contain a text. It leaves the first <c>skip</c> of
/// them alone and strikes the next <c>times</c>; without a number it strikes until it is healed. Faults may be planned and healed
/// while calls run. Several faults may strike one call, in the order in which they were planned.
///
/// It sees what is done through <see cref="File"/>, <see cref="Directory"/>, <see cref="RandomAccess"/>, streams, file infos, folder infos and
/// drives. Handles are those of the inner file system, so native calls on them work and go past it unseen, as does their closing.
/// Streams are unbuffered.
/// </summary>
/// <remarks>
/// Everything may be called from any thread. Exceptions are those that .NET throws on Linux, on every system
/// (<see cref="DiskErrors.ToException"/>).
/// </remarks>
/// <example>
/// <code>
/// var files = new FaultInjectingFileSystem();
/// var service = new MyService(files);
///
/// files.Fail(FileOperation.Write, "journal", times: 1, error: DiskError.NoSpace); // the next write to the journal
/// files.Fail(FileOperation.Any, skip: 41, times: 1);                              // call number 42 fails, whatever it is
/// files.Tear(keptBytes: 100, ".log");                                             // writes stop after 100 bytes
/// files.FreeBytes = 64 &lt;&lt; 10;                                                     // the disk is full after 64 KiB
///
/// var gate = files.Hold(FileOperation.Read);                                      // the disk hangs
/// var reading = service.ReadAsync();
/// await gate.Reached;
/// gate.Open();
///
/// files.Heal();                                                                   // and all is well again
/// </code>
/// </example>
public sealed class FaultInjectingFileSystem : FileSystemBase
{
    private readonly Disk _disk;

    /// <summary>Stands before the real file system.</summary>
    public FaultInjectingFileSystem()
        : this(new FileSystem())
    {
    }

    /// <summary>Stands before another file system.</summary>
    /// <param name="inner">Where the files really are.</param>
    public FaultInjectingFileSystem(IFileSystem inner)
    {
        ArgumentNullException.ThrowIfNull(inner);
        _disk = new Disk(this, inner);
        File = new FaultyFile(_disk);
        Directory = new FaultyDirectory(_disk);
        RandomAccess = new FaultyRandomAccess(_disk);
        FileStream = new FaultyStreamFactory(_disk);
        FileInfo = new FaultyFileInfoFactory(_disk);
        DirectoryInfo = new FaultyDirectoryInfoFactory(_disk);
        DriveInfo = new FaultyDriveFactory(_disk);
    }

    /// <inheritdoc/>
    public override IFile File { get; }

    /// <inheritdoc/>
    public override IDirectory Directory { get; }

    /// <inheritdoc/>
    public override IRandomAccess RandomAccess { get; }

    /// <inheritdoc/>
    public override IFileStreamFactory FileStream { get; }

    /// <inheritdoc/>
    public override IFileInfoFactory FileInfo { get; }

    /// <inheritdoc/>
    public override IDirectoryInfoFactory DirectoryInfo { get; }

    /// <inheritdoc/>
    public override IDriveInfoFactory DriveInfo { get; }

    /// <inheritdoc/>
    public override IPath Path => _disk.Inner.Path;

    /// <inheritdoc/>
    public override IFileVersionInfoFactory FileVersionInfo => _disk.Inner.FileVersionInfo;

    /// <inheritdoc/>
    public override IFileSystemWatcherFactory FileSystemWatcher => _disk.Inner.FileSystemWatcher;

    /// <summary>
    /// The free space of the disk in bytes; null, the default, for a disk that is never full. Writing and extending takes of it, cutting
    /// and deleting gives back, and drives report it. When it is used up, a write puts as many bytes on disk as fit and throws that
    /// the disk is full; what was preallocated can still be written. It may be set at any time, as if others filled the disk.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is negative.</exception>
    public long? FreeBytes
    {
        get => _disk.Space.FreeBytes;
        set => _disk.Space.FreeBytes = value;
    }

    /// <summary>Whether <see cref="Calls"/> and <see cref="CountCalls"/> know of the calls from now on. The default is true; turn it off for long runs.</summary>
    public bool KeepsCalls
    {
        get => _disk.Plan.KeepsCalls;
        set => _disk.Plan.KeepsCalls = value;
    }

    /// <summary>How many calls there were, of every kind. To fail the n-th call from here, plan a fault for <see cref="FileOperation.Any"/>.</summary>
    public long CallCount => _disk.Plan.CallCount;

    /// <summary>The calls, also those that failed.</summary>
    public IReadOnlyList<FileCall> Calls => _disk.Plan.Calls;

    /// <summary>Bytes of contents that were read, of all files.</summary>
    public long BytesRead => _disk.BytesRead;

    /// <summary>Bytes of contents that were written, of all files.</summary>
    public long BytesWritten => _disk.BytesWritten;

    /// <summary>How many handles and streams are open.</summary>
    public int OpenHandleCount => _disk.Table.OpenPaths.Count;

    /// <summary>The paths under which handles and streams were opened that are still open, in order; one for each of them.</summary>
    public IReadOnlyList<string> OpenPaths => _disk.Table.OpenPaths;

    /// <summary>How many calls of these kinds there were on paths that contain the text.</summary>
    public int CountCalls(FileOperation operation = FileOperation.Any, string pathPart = "") => _disk.Plan.Count(operation, pathPart);

    /// <summary>Forgets <see cref="Calls"/>; <see cref="CallCount"/> goes on.</summary>
    public void ForgetCalls() => _disk.Plan.ForgetCalls();

    /// <summary>Calls throw instead of being done.</summary>
    /// <param name="operation">The kinds of calls.</param>
    /// <param name="pathPart">What their paths contain.</param>
    /// <param name="skip">How many of these calls are left alone.</param>
    /// <param name="times">How many are struck then.</param>
    /// <param name="error">What the operating system says.</param>
    /// <param name="exception">Makes what is thrown; null for the exception of the error.</param>
    public Fault Fail(
        FileOperation operation,
        string pathPart = "",
        int skip = 0,
        int times = int.MaxValue,
        DiskError error = DiskError.InputOutput,
        Func<Exception>? exception = null) =>
        Plan(new Fault(operation, pathPart, skip, times)
        {
            Before = call => throw (exception is null ? error.ToException(call.Path) : exception()),
        });

    /// <summary>Writes put the first part of their bytes on disk and throw then. All bytes: the write is done and reported as failed.</summary>
    /// <param name="keptBytes">How many bytes of each write are written.</param>
    /// <param name="pathPart">What the paths of the files contain.</param>
    /// <param name="skip">How many of these writes are left alone.</param>
    /// <param name="times">How many are struck then.</param>
    /// <param name="error">What the operating system says.</param>
    public Fault Tear(
        int keptBytes, string pathPart = "", int skip = 0, int times = int.MaxValue, DiskError error = DiskError.InputOutput)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(keptBytes);
        return Plan(new Fault(FileOperation.Write, pathPart, skip, times)
        {
            AlterWrite = bytes => bytes[..Math.Min(keptBytes, bytes.Length)],
            AfterWrite = call => error.ToException(call.Path),
        });
    }

    /// <summary>Writes put other bytes on disk than they were given, and say nothing.</summary>
    /// <param name="alter">Gets the bytes, and returns what is written; that may be less.</param>
    /// <param name="pathPart">What the paths of the files contain.</param>
    /// <param name="skip">How many of these writes are left alone.</param>
    /// <param name="times">How many are struck then.</param>
    public Fault Alter(Func<byte[], byte[]> alter, string pathPart = "", int skip = 0, int times = int.MaxValue)
    {
        ArgumentNullException.ThrowIfNull(alter);
        return Plan(new Fault(FileOperation.Write, pathPart, skip, times) { AlterWrite = alter });
    }

    /// <summary>Reads give other bytes than there are, and say nothing.</summary>
    /// <param name="alter">Gets the bytes, and returns what the caller gets; that may be less, but nothing means the end of the file.</param>
    /// <param name="pathPart">What the paths of the files contain.</param>
    /// <param name="skip">How many of these reads are left alone.</param>
    /// <param name="times">How many are struck then.</param>
    public Fault AlterReads(Func<byte[], byte[]> alter, string pathPart = "", int skip = 0, int times = int.MaxValue)
    {
        ArgumentNullException.ThrowIfNull(alter);
        return Plan(new Fault(FileOperation.Read, pathPart, skip, times) { AlterRead = alter });
    }

    /// <summary>Writes put one bit the other way round on disk, and say nothing.</summary>
    /// <param name="bit">Which one, counted from the beginning of each write and, if that has fewer, from its beginning again.</param>
    /// <param name="pathPart">What the paths of the files contain.</param>
    /// <param name="skip">How many of these writes are left alone.</param>
    /// <param name="times">How many are struck then.</param>
    public Fault FlipWrites(long bit, string pathPart = "", int skip = 0, int times = int.MaxValue)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bit);
        return Alter(bytes => Flipped(bytes, bit), pathPart, skip, times);
    }

    /// <summary>Reads give one bit the other way round, and say nothing; what is on disk stays as it is.</summary>
    /// <param name="bit">Which one, counted as with <see cref="FlipWrites"/>.</param>
    /// <param name="pathPart">What the paths of the files contain.</param>
    /// <param name="skip">How many of these reads are left alone.</param>
    /// <param name="times">How many are struck then.</param>
    public Fault FlipReads(long bit, string pathPart = "", int skip = 0, int times = int.MaxValue)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bit);
        return AlterReads(bytes => Flipped(bytes, bit), pathPart, skip, times);
    }

    /// <summary>Reads return fewer bytes than there are, which is their right; a caller has to ask for the rest.</summary>
    /// <param name="maxBytes">The most that a read returns; at least 1.</param>
    /// <param name="pathPart">What the paths of the files contain.</param>
    /// <param name="skip">How many of these reads are left alone.</param>
    /// <param name="times">How many are struck then.</param>
    public Fault ShortenReads(int maxBytes, string pathPart = "", int skip = 0, int times = int.MaxValue)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(maxBytes);
        return AlterReads(bytes => bytes[..Math.Min(maxBytes, bytes.Length)], pathPart, skip, times);
    }

    /// <summary>Calls are not done and reported as done.</summary>
    /// <param name="operation">
    /// The kinds of calls, of <see cref="FileOperation.Write"/>, <see cref="FileOperation.SetLength"/>, <see cref="FileOperation.Flush"/>,
    /// <see cref="FileOperation.Move"/>, <see cref="FileOperation.Delete"/>, <see cref="FileOperation.CreateDirectory"/> and
    /// <see cref="FileOperation.DeleteDirectory"/>.
    /// </param>
    /// <param name="pathPart">What their paths contain.</param>
    /// <param name="skip">How many of these calls are left alone.</param>
    /// <param name="times">How many are struck then.</param>
    /// <exception cref="ArgumentException">Calls of another kind cannot be left out: their callers get something from them.</exception>
    public Fault Drop(FileOperation operation, string pathPart = "", int skip = 0, int times = int.MaxValue)
    {
        const FileOperation Droppable = FileOperation.Write | FileOperation.SetLength | FileOperation.Flush | FileOperation.Move
            | FileOperation.Delete | FileOperation.CreateDirectory | FileOperation.DeleteDirectory;
        if ((operation & ~Droppable) != 0)
        {
            throw new ArgumentException($"Of these calls only {Droppable} can be dropped.", nameof(operation));
        }

        return Plan(new Fault(operation, pathPart, skip, times) { Drops = true });
    }

    /// <summary>Calls hang at a gate until it is opened, or all faults are healed, and are done then.</summary>
    /// <param name="operation">The kinds of calls.</param>
    /// <param name="pathPart">What their paths contain.</param>
    /// <param name="skip">How many of these calls are left alone.</param>
    /// <param name="times">How many are struck then.</param>
    public Gate Hold(FileOperation operation, string pathPart = "", int skip = 0, int times = int.MaxValue)
    {
        var gate = new Gate();
        Plan(new Fault(operation, pathPart, skip, times) { Before = _ => gate.Pass(), Healed = gate.Open });
        return gate;
    }

    /// <summary>Reads hang at a gate with their bytes in hand: they return what was on disk when they began to hang.</summary>
    /// <param name="pathPart">What the paths of the files contain.</param>
    /// <param name="skip">How many of these reads are left alone.</param>
    /// <param name="times">How many are struck then.</param>
    public Gate HoldDoneReads(string pathPart = "", int skip = 0, int times = int.MaxValue)
    {
        var gate = new Gate();
        Plan(new Fault(FileOperation.Read, pathPart, skip, times) { AfterRead = gate.Pass, Healed = gate.Open });
        return gate;
    }

    /// <summary>Calls take longer: each waits for this time before it is done. The caller's thread is blocked, as by a slow disk.</summary>
    /// <param name="operation">The kinds of calls.</param>
    /// <param name="delay">How long each call waits.</param>
    /// <param name="pathPart">What their paths contain.</param>
    /// <param name="skip">How many of these calls are left alone.</param>
    /// <param name="times">How many are struck then.</param>
    /// <param name="timeProvider">Measures the delay; null for the system's clock.</param>
    public Fault Delay(
        FileOperation operation,
        TimeSpan delay,
        string pathPart = "",
        int skip = 0,
        int times = int.MaxValue,
        TimeProvider? timeProvider = null) =>
        Plan(new Fault(operation, pathPart, skip, times)
        {
            Before = _ =>
            {
                var gate = new Gate();
                using var timer = (timeProvider ?? TimeProvider.System).CreateTimer(_ => gate.Open(), null, delay, Timeout.InfiniteTimeSpan);
                gate.Pass();
            },
        });

    /// <summary>Somebody looks on before each of the calls is done; what they throw, the call throws.</summary>
    /// <param name="operation">The kinds of calls.</param>
    /// <param name="look">Gets the call, in the thread of the caller.</param>
    /// <param name="pathPart">What their paths contain.</param>
    public Fault Watch(FileOperation operation, Action<FileCall> look, string pathPart = "")
    {
        ArgumentNullException.ThrowIfNull(look);
        return Plan(new Fault(operation, pathPart, 0, int.MaxValue) { Before = look });
    }

    /// <summary>Heals every fault and opens every gate. Free space and texts of others stay as they are set.</summary>
    public void Heal() => _disk.Plan.Heal();

    /// <summary>
    /// Gives a file another content for those who read all of it at once (<c>File.ReadAllText</c> and its like), and lets it exist
    /// for them: what the system says of itself in <c>/proc</c>, for instance.
    /// </summary>
    /// <param name="path">The file; it need not exist.</param>
    /// <param name="text">The content; null for the true one.</param>
    public void OverrideText(string path, string? text) => _disk.OverrideText(path, text);

    /// <summary>
    /// Begins to follow what is not durable under a folder, for images of what a power cut leaves behind. Begin before files are opened;
    /// what is there counts as durable.
    /// </summary>
    /// <param name="folder">The folder.</param>
    /// <param name="areNamesDurableAtOnce">
    /// Whether a created, renamed or deleted name is durable at once, as is the default; otherwise when its folder is synced
    /// (<see cref="SyncFolder"/>).
    /// </param>
    public UnsyncedWrites TrackUnsynced(string folder, bool areNamesDurableAtOnce = true)
    {
        folder = _disk.FolderPath(folder);
        return _disk.Recorder.Begin(folder, () => new UnsyncedWrites(_disk.Recorder, _disk.Look(folder), areNamesDurableAtOnce));
    }

    /// <summary>
    /// Begins to record what changes under a folder, for images of what a killed process leaves behind. Begin before files are opened.
    /// </summary>
    /// <param name="folder">The folder.</param>
    public WriteRecording RecordWrites(string folder)
    {
        folder = _disk.FolderPath(folder);
        return _disk.Recorder.Begin(folder, () => new WriteRecording(_disk.Recorder, _disk.Look(folder)));
    }

    /// <summary>
    /// Says that a folder is synced, which .NET has no call for: a caller that does it natively says so here, before or after. It is
    /// a call of <see cref="FileOperation.Flush"/> that faults may strike.
    /// </summary>
    /// <param name="path">The folder.</param>
    public void SyncFolder(string path) => _disk.SyncFolder(path);

    private static byte[] Flipped(byte[] bytes, long bit)
    {
        if (bytes.Length > 0)
        {
            bit %= 8L * bytes.Length;
            bytes[bit / 8] ^= (byte)(1 << (int)(bit % 8));
        }

        return bytes;
    }

    private Fault Plan(Fault fault) => _disk.Plan.Add(fault);
}
