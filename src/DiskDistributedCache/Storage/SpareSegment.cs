namespace DiskDistributedCache.Storage;

/// <summary>
/// The next segment, made in advance under a name of its own: so a segment is begun quickly, and on a disk that fills up what is
/// worth keeping of the oldest segment can be appended before that one goes. At most one; everything happens on the writer lane.
///
/// It is made out of free space, or the oldest segment becomes it: the file is renamed and every byte of it is overwritten with zeros,
/// which keeps its blocks, so that nobody else gets them in between. It has as many bytes as could be had, and that is the
/// capacity of the segment that is begun with it.
///
/// Order of effects: the name first, with which the segment has left the log, then the zeros. A file with this name is whatever a kill
/// left of it, and the next open deletes it.
/// </summary>
internal sealed class SpareSegment(CacheDirectory directory, StoreSettings settings, Guid storeId)
{
    private static readonly byte[] s_zeros = new byte[64 << 10];

    private readonly string _path = directory.SpareOf(storeId);

    /// <summary>The length of the file, 0 when there is none.</summary>
    public long Bytes { get; private set; }

    /// <summary>Makes it out of free space.</summary>
    public void Make()
    {
        try
        {
            using var file = directory.Open(_path, FileMode.Create, settings.SegmentBytes);
            file.Length = settings.SegmentBytes;
            Bytes = settings.SegmentBytes;
        }
        catch
        {
            Discard();
            throw;
        }
    }

    /// <summary>Takes a segment's file out of the log, under the name of the spare. It is none before it has been zeroed.</summary>
    public void Rename(long segmentNumber) => directory.Rename(directory.SegmentOf(storeId, segmentNumber), _path);

    /// <summary>Makes the spare of a file that has been renamed.</summary>
    /// <param name="ownBytes">Bytes of the file that have blocks.</param>
    /// <param name="moreBytes">Bytes that may be added.</param>
    public void Zero(long ownBytes, long moreBytes)
    {
        try
        {
            using var file = directory.Open(_path, FileMode.Open);
            if (ownBytes > settings.SegmentBytes)
            {
                ownBytes = settings.SegmentBytes;
                file.Length = ownBytes;
            }

            WriteZeros(file, 0, ownBytes);
            Bytes = Extend(file, ownBytes, Math.Min(settings.SegmentBytes, ownBytes + moreBytes));
        }
        catch
        {
            Discard();
            throw;
        }
    }

    /// <summary>
    /// Opens the file of the segment that begins, with this capacity: the spare where it has just that, or a new file in its place.
    /// There is no spare afterwards.
    /// </summary>
    public StoreFile Take(long capacity)
    {
        bool isSpare = Bytes == capacity;
        Bytes = 0;
        return directory.Open(_path, isSpare ? FileMode.OpenOrCreate : FileMode.Create, isSpare ? 0 : capacity);
    }

    /// <summary>Gives its bytes back to the file system.</summary>
    public void Drop()
    {
        directory.Delete(_path);
        Bytes = 0;
    }

    /// <summary>Takes away what a failure has left.</summary>
    public void Discard()
    {
        Bytes = 0;
        try
        {
            directory.Delete(_path);
        }
        catch (Exception)
        {
            // What is left is overwritten by the next spare, or deleted at the next open.
        }
    }

    /// <summary>Returns the new length: the old one where the disk has no more.</summary>
    private static long Extend(StoreFile file, long from, long to)
    {
        try
        {
            WriteZeros(file, from, to);
            return Math.Max(from, to);
        }
        catch (IOException exception) when (Faults.KindOf(exception) == FaultKind.Full)
        {
            // A shorter spare is one too.
            file.Length = from;
            return from;
        }
    }

    /// <summary>Written and not cut and extended: that would give the blocks back.</summary>
    private static void WriteZeros(StoreFile file, long from, long to)
    {
        for (long at = from; at < to; at += s_zeros.Length)
        {
            file.Write(s_zeros.AsSpan(0, (int)Math.Min(s_zeros.Length, to - at)), at);
        }
    }
}
