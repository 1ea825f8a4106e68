namespace DiskDistributedCache.Testing;

/// <summary>
/// What was written under a folder and is not durable: what a power cut may take away. The content of a file becomes durable when it
/// is flushed to disk. Its name (created, renamed, deleted) becomes durable at once, or when its folder is synced, which has to
/// be said with <see cref="FaultInjectingFileSystem.SyncFolder"/> because .NET has no call for it.
///
/// A sync that fails loses what it was asked for, as with Linux, which says so once and takes the pages for written from then on: a later
/// sync of the file makes only durable what was written after that, and the rest stays what a power cut may take away. Here that is
/// counted in writes; a system that writes whole pages may save a little more, where a later write is to the same page.
///
/// In memory are the durable contents, of which pages of zeros take nothing, and the changes since; a file that is flushed gives
/// its changes up. It begins with <see cref="FaultInjectingFileSystem.TrackUnsynced"/> and ends when it is disposed; what was there
/// at the beginning counts as durable.
/// </summary>
/// <example>
/// <code>
/// using var unsynced = files.TrackUnsynced(folder);
/// Work();
/// unsynced.AfterPowerCut().WriteTo(copy);           // nothing but what is durable
/// unsynced.AfterPowerCut(seed: 7).WriteTo(another); // and some of the rest
/// </code>
/// </example>
public sealed class UnsyncedWrites : IDisposable, IChangeListener
{
    private readonly ChangeRecorder _recorder;
    private readonly bool _areNamesDurableAtOnce;
    private readonly Lock _lock = new();

    // Guarded by _lock. Changes have the number of their place in the order of all. Those that were given up are of syncs that failed.
    private readonly DiskImage _durable;
    private readonly Dictionary<TrackedFile, List<(long Number, DiskChange Change)>> _contents = [];
    private readonly Dictionary<TrackedFile, List<(long Number, DiskChange Change)>> _givenUp = [];
    private List<(long Number, DiskChange Change)> _names = [];
    private long _noted;

    internal UnsyncedWrites(ChangeRecorder recorder, DiskImage start, bool areNamesDurableAtOnce)
    {
        _recorder = recorder;
        _durable = start;
        _areNamesDurableAtOnce = areNamesDurableAtOnce;
    }

    /// <summary>The changes that are not durable, in the order in which they happened.</summary>
    public IReadOnlyList<DiskChange> Changes
    {
        get
        {
            lock (_lock)
            {
                return [.. Pending().Select(pending => pending.Change)];
            }
        }
    }

    /// <summary>What the folder holds when the power is cut now, and nothing of what is not durable has survived.</summary>
    public DiskImage AfterPowerCut() => AfterPowerCut(_ => false);

    /// <summary>The same, with some of what is not durable: each change is kept or lost by the throw of a coin.</summary>
    /// <param name="seed">The same seed and the same changes give the same image.</param>
    public DiskImage AfterPowerCut(int seed)
    {
        ulong state = (uint)seed;
        return AfterPowerCut(_ => Coin(ref state));
    }

    /// <summary>The same, with those changes that the caller keeps. A lost write below a kept one leaves zeros or what was there.</summary>
    /// <param name="keeps">Is asked once for every change that is not durable, in the order in which they happened.</param>
    public DiskImage AfterPowerCut(Func<DiskChange, bool> keeps)
    {
        ArgumentNullException.ThrowIfNull(keeps);
        DiskImage image;
        List<DiskChange> changes;
        lock (_lock)
        {
            image = _durable.Copy();
            changes = [.. Pending().Select(pending => pending.Change)];
        }

        foreach (var change in changes.Where(keeps))
        {
            image.Apply(change);
        }

        return image;
    }

    /// <summary>Follows no more changes.</summary>
    public void Dispose() => _recorder.End(this);

    void IChangeListener.Note(DiskChange change) => Note(change);

    internal void Note(DiskChange change)
    {
        lock (_lock)
        {
            var numbered = (++_noted, change);
            if (change.Operation == FileOperation.Flush)
            {
                Sync(change);
            }
            else if (!change.IsOfContent)
            {
                NoteName(numbered);
            }
            else if (_contents.TryGetValue(change.File!, out var pending))
            {
                pending.Add(numbered);
            }
            else
            {
                _contents[change.File!] = [numbered];
            }
        }
    }

    private void NoteName((long Number, DiskChange Change) numbered)
    {
        if (!_areNamesDurableAtOnce)
        {
            _names.Add(numbered);
            return;
        }

        _durable.Apply(numbered.Change);
        if (numbered.Change is { Operation: FileOperation.Delete, File: { } deleted })
        {
            _contents.Remove(deleted);
            _givenUp.Remove(deleted);
        }
    }

    private void Sync(DiskChange flush)
    {
        if (flush.File is null)
        {
            var isSynced = _names.ToLookup(name => Path.GetDirectoryName(name.Change.Path) == flush.Path);
            _names = [.. isSynced[false]];
            foreach (var (_, change) in isSynced[true])
            {
                _durable.Apply(change);
            }
        }
        else if (!_contents.Remove(flush.File, out var pending))
        {
            return;
        }
        else if (!flush.IsFailed)
        {
            pending.ForEach(content => _durable.Apply(content.Change));
        }
        else if (_givenUp.TryGetValue(flush.File, out var before))
        {
            before.AddRange(pending);
        }
        else
        {
            _givenUp[flush.File] = pending;
        }
    }

    private IEnumerable<(long Number, DiskChange Change)> Pending() =>
        _contents.Values.Concat(_givenUp.Values).SelectMany(pending => pending).Concat(_names).OrderBy(pending => pending.Number);

    /// <summary>One bit of splitmix64, by Sebastiano Vigna: the same on every runtime.</summary>
    private static bool Coin(ref ulong state)
    {
        ulong z = state += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return ((z ^ (z >> 31)) & 1) != 0;
    }
}
