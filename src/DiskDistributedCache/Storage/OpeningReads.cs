namespace DiskDistributedCache.Storage;

/// <summary>
/// What an opening has to read. What the disk does not give ends the opening, because another one may get it; at the last try it counts as
/// what does not verify. Else a single bad sector would keep the store closed for ever.
/// </summary>
/// <param name="isLastTry">Whether the openings before have ended here.</param>
/// <param name="listener">Is told what was gone without.</param>
internal sealed class OpeningReads(bool isLastTry, StoreListener listener)
{
    /// <summary>Returns false where the disk does not give it and there is no other try.</summary>
    /// <exception cref="UnreadableException">The disk does not give it, and there is.</exception>
    public bool TryRead(Action read)
    {
        try
        {
            read();
            return true;
        }
        catch (IOException exception) when (Faults.IsOfDisk(exception))
        {
            if (!isLastTry)
            {
                throw new UnreadableException(exception);
            }

            listener.Faulted(exception);
            return false;
        }
    }
}
