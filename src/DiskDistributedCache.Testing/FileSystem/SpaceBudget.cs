namespace DiskDistributedCache.Testing;

/// <summary>
/// The free space of the simulated disk. A file takes as much as it is long, or as was preallocated for it; the space of its holes as
/// well, so that extending a file can fail.
/// </summary>
internal sealed class SpaceBudget
{
    private readonly Lock _lock = new();
    private long? _freeBytes;

    /// <summary>Null: as much as anybody wants.</summary>
    public long? FreeBytes
    {
        get
        {
            lock (_lock)
            {
                return _freeBytes;
            }
        }

        set
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value ?? 0, nameof(value));
            lock (_lock)
            {
                _freeBytes = value;
            }
        }
    }

    /// <summary>Takes the space for a write, and returns how many of its bytes fit.</summary>
    public int Take(TrackedFile file, long offset, int count)
    {
        lock (_lock)
        {
            long end = offset + count;
            if (_freeBytes is { } free && end - file.AllocatedBytes > free)
            {
                end = Math.Max(offset, file.AllocatedBytes + free);
                count = (int)(end - offset);
            }

            if (count > 0)
            {
                Allocate(file, Math.Max(end, file.AllocatedBytes));
            }

            return count;
        }
    }

    /// <summary>Makes a file take at least so much; false when that is not there.</summary>
    public bool TryReserve(TrackedFile file, long bytes)
    {
        lock (_lock)
        {
            if (bytes - file.AllocatedBytes > (_freeBytes ?? long.MaxValue))
            {
                return false;
            }

            Allocate(file, Math.Max(bytes, file.AllocatedBytes));
            return true;
        }
    }

    /// <summary>Gives back what a file takes above a length.</summary>
    public void Cut(TrackedFile file, long bytes)
    {
        lock (_lock)
        {
            Allocate(file, Math.Min(bytes, file.AllocatedBytes));
        }
    }

    private void Allocate(TrackedFile file, long bytes)
    {
        _freeBytes -= bytes - file.AllocatedBytes;
        file.AllocatedBytes = bytes;
    }
}
