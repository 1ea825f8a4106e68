namespace DiskDistributedCache.Testing;

/// <summary>
/// Everything that changed under a folder since the recording began, call by call: <see cref="ImageAfter"/> is what a process that was
/// killed after any of these calls, or in the middle of a write, leaves behind; <see cref="UnsyncedAfter"/> leads to what a power
/// cut at that moment leaves behind.
///
/// All bytes that are written are kept in memory. It begins with <see cref="FaultInjectingFileSystem.RecordWrites"/> and ends when it
/// is disposed; the images can be made before and after that.
/// </summary>
/// <example>
/// Kill after every call and at every byte of every write:
/// <code>
/// for (int call = 0; call &lt;= recording.Changes.Count; call++)
/// {
///     for (int bytes = 0; bytes &lt;= recording.BytesAfter(call); bytes++)
///     {
///         recording.ImageAfter(call, bytes).WriteTo(copy);
///         Check(copy);
///     }
/// }
/// </code>
/// </example>
public sealed class WriteRecording : IDisposable, IChangeListener
{
    private readonly ChangeRecorder _recorder;
    private readonly DiskImage _start;
    private readonly Lock _lock = new();

    // Guarded by _lock. The image that was made last is kept, since the next one is mostly one call further.
    private readonly List<DiskChange> _changes = [];
    private IReadOnlyList<DiskChange>? _copyOfChanges;
    private DiskImage _reached;
    private int _reachedCount;

    internal WriteRecording(ChangeRecorder recorder, DiskImage start)
    {
        _recorder = recorder;
        _start = start;
        _reached = start.Copy();
    }

    /// <summary>The changes so far, in the order in which they happened.</summary>
    public IReadOnlyList<DiskChange> Changes
    {
        get
        {
            lock (_lock)
            {
                return _copyOfChanges ??= [.. _changes];
            }
        }
    }

    /// <summary>How many bytes the change after the first ones writes; 0 when it is no write, or there is none.</summary>
    public int BytesAfter(int changeCount) => Changes is var changes && changeCount < changes.Count ? changes[changeCount].Bytes.Length : 0;

    /// <summary>What the folder held after the first changes and a part of the next write.</summary>
    /// <param name="changeCount">How many changes were done; from 0 to the count of <see cref="Changes"/>.</param>
    /// <param name="bytesOfNext">How many bytes of the next change, which has to be a write, were done.</param>
    /// <exception cref="ArgumentOutOfRangeException">There are not as many changes, or not as many bytes.</exception>
    public DiskImage ImageAfter(int changeCount, int bytesOfNext = 0)
    {
        var changes = ChangesUntil(changeCount);
        ArgumentOutOfRangeException.ThrowIfNegative(bytesOfNext);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytesOfNext, BytesAfter(changeCount));
        DiskImage image;
        lock (_lock)
        {
            if (changeCount < _reachedCount)
            {
                _reached = _start.Copy();
                _reachedCount = 0;
            }

            for (; _reachedCount < changeCount; _reachedCount++)
            {
                _reached.Apply(changes[_reachedCount]);
            }

            image = _reached.Copy();
        }

        if (bytesOfNext > 0)
        {
            image.Apply(changes[changeCount], bytesOfNext);
        }

        return image;
    }

    /// <summary>What was not yet durable after the first changes.</summary>
    /// <param name="changeCount">How many changes were done; from 0 to the count of <see cref="Changes"/>.</param>
    /// <param name="areNamesDurableAtOnce">As with <see cref="FaultInjectingFileSystem.TrackUnsynced"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">There are not as many changes.</exception>
    public UnsyncedWrites UnsyncedAfter(int changeCount, bool areNamesDurableAtOnce = true)
    {
        var changes = ChangesUntil(changeCount);
        var unsynced = new UnsyncedWrites(_recorder, _start.Copy(), areNamesDurableAtOnce);
        for (int i = 0; i < changeCount; i++)
        {
            unsynced.Note(changes[i]);
        }

        return unsynced;
    }

    /// <summary>Ends the recording; what was recorded stays.</summary>
    public void Dispose() => _recorder.End(this);

    void IChangeListener.Note(DiskChange change)
    {
        lock (_lock)
        {
            _changes.Add(change);
            _copyOfChanges = null;
        }
    }

    private IReadOnlyList<DiskChange> ChangesUntil(int count)
    {
        var changes = Changes;
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, changes.Count);
        return changes;
    }
}
