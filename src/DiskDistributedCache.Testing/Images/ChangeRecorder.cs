using System.Collections.Immutable;

namespace DiskDistributedCache.Testing;

/// <summary>Somebody who is told of every change under a folder, in the order in which they happen.</summary>
internal interface IChangeListener
{
    void Note(DiskChange change);
}

/// <summary>
/// Brings changes and listeners together. As long as somebody listens, one change is done at a time, so that the order in which they
/// are told is the order in which they happened; a call that hangs in a gate has not begun to change anything and holds nobody up.
/// </summary>
internal sealed class ChangeRecorder
{
    private readonly object _lock = new();
    private ImmutableList<(string Folder, IChangeListener Listener)> _listeners = [];

    /// <summary>Makes a listener while nothing changes, and tells it what happens from then on.</summary>
    public T Begin<T>(string folder, Func<T> begin)
        where T : IChangeListener
    {
        lock (_lock)
        {
            var listener = begin();
            _listeners = _listeners.Add((folder, listener));
            return listener;
        }
    }

    public void End(IChangeListener listener)
    {
        lock (_lock)
        {
            _listeners = _listeners.RemoveAll(other => other.Listener == listener);
        }
    }

    public bool IsListening => !_listeners.IsEmpty;

    /// <summary>A change and the note of it happen inside of this.</summary>
    public Turn Enter() => new(_listeners.IsEmpty ? null : _lock);

    public void Note(DiskChange change)
    {
        foreach (var (folder, listener) in _listeners)
        {
            if (FilePath.IsIn(change.Path, folder) || (change.OldPath is { } old && FilePath.IsIn(old, folder)))
            {
                listener.Note(change);
            }
        }
    }

    public readonly ref struct Turn
    {
        private readonly object? _lock;

        public Turn(object? guard)
        {
            _lock = guard;
            if (guard is not null)
            {
                Monitor.Enter(guard);
            }
        }

        public void Dispose()
        {
            if (_lock is not null)
            {
                Monitor.Exit(_lock);
            }
        }
    }
}
