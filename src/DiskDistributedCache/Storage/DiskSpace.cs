namespace DiskDistributedCache.Storage;

/// <summary>
/// How much the store may add to the file system: what is free there, less what has to stay free, and nothing once the disk has said
/// that it is full.
///
/// The file system is asked when a segment is begun and at probes, not at every write. Between two answers the store's own bytes are
/// counted: what it erased is free again, also where the file system gives it back later (or shows it later), so that a slow
/// answer never costs another segment.
///
/// A disk that says "full" is believed more than its number of free bytes: a quota, an exhausted table of files and a file system that
/// copies on write all have free bytes and no room. It is believed until the number has risen by a segment, or until the next
/// probe; then growing is tried again.
///
/// Concurrency: everything but <see cref="IsShort"/> belongs to the writer lane.
/// </summary>
internal sealed class DiskSpace(CacheDirectory directory, StoreSettings settings, Func<long> ownBytes)
{
    private const long Unknown = long.MaxValue;

    // What the file system answered last, and the store's own bytes at that time.
    private long _freeBytes = Unknown;
    private long _ownBytesThen;

    // When the disk last said that it is full, and whether it is still believed.
    private bool _hasRunOut;
    private bool _isBelieved;
    private long _freeBytesAtRunOut;
    private long _ownBytesAtRunOut;

    private volatile bool _isShort;

    /// <summary>Whether the file system keeps the store from growing: a segment more would be too much for it.</summary>
    public bool IsShort => _isShort;

    /// <summary>Bytes that may be added. Below zero when others have taken what has to stay free.</summary>
    public long HeadroomBytes
    {
        get
        {
            long measured = _freeBytes == Unknown ? Unknown : _freeBytes + _ownBytesThen - ownBytes() - settings.MinFreeDiskBytes;
            return _isBelieved ? Math.Min(measured, _ownBytesAtRunOut - ownBytes()) : measured;
        }
    }

    /// <summary>Whether what is given back to the file system might not be had again: less than a segment could be added.</summary>
    public bool IsTight => HeadroomBytes < settings.SegmentBytes;

    /// <summary>Whether this many bytes more are too many.</summary>
    public bool Lacks(long newBytes) => newBytes > 0 && newBytes > HeadroomBytes;

    /// <summary>Asks the file system. Never throws: where it does not say, only a disk that is full limits the store.</summary>
    public void Measure()
    {
        _freeBytes = directory.FreeBytes() ?? Unknown;
        _ownBytesThen = ownBytes();
        if (_hasRunOut && _freeBytes != Unknown && _freeBytes >= _freeBytesAtRunOut + settings.SegmentBytes)
        {
            (_hasRunOut, _isBelieved) = (false, false);
        }

        _isShort = _hasRunOut || IsTight;
    }

    /// <summary>Asks, and lets growing be tried again, whatever the disk said earlier.</summary>
    public void MeasureAnew()
    {
        _isBelieved = false;
        Measure();
    }

    /// <summary>The disk said that it is full.</summary>
    public void RunOut()
    {
        (_hasRunOut, _isBelieved, _isShort) = (true, true, true);
        _ownBytesAtRunOut = ownBytes();
        _freeBytesAtRunOut = _freeBytes == Unknown ? 0 : _freeBytes + _ownBytesThen - _ownBytesAtRunOut;
    }

    /// <summary>A file of the store was added or became longer.</summary>
    public void Grew()
    {
        (_hasRunOut, _isBelieved) = (false, false);
        _isShort = IsTight;
    }
}
