using DiskDistributedCache.Entries;

namespace DiskDistributedCache.Storage;

/// <summary>A value in the form in which a record has it: its bytes, and what has been done to make them.</summary>
/// <param name="bytes">What is stored.</param>
/// <param name="codec">How it is compressed.</param>
/// <param name="rawBytes">The length of the value.</param>
/// <param name="isProtected">Whether it is encrypted and authenticated.</param>
/// <param name="store">The store that it was protected for; null where that is not known, or where it is not protected.</param>
internal sealed class StoredValue(EntryValue bytes, RecordCodec codec, int rawBytes, bool isProtected, StoreBinding? store)
{
    /// <summary>Stands for a value that could not be protected and must not be written.</summary>
    public static StoredValue Refused { get; } = new(default, RecordCodec.None, 0, isProtected: false, null);

    public EntryValue Bytes { get; } = bytes;

    public RecordCodec Codec { get; } = codec;

    public int RawBytes { get; } = rawBytes;

    public bool IsProtected { get; } = isProtected;

    /// <summary>Whether it may be written to a store: one that is protected belongs to one store.</summary>
    public bool IsFor(StoreBinding? other) => !IsProtected || store == other;
}

/// <summary>A record on its way to the end of the log: the entry, whose value is what is stored, and its form.</summary>
internal sealed record StoredEntry(CacheEntry Entry, StoredValue Stored);

/// <summary>Names a store in what is protected for it. Compared by reference.</summary>
internal sealed class StoreBinding(Guid storeId)
{
    public Guid StoreId { get; } = storeId;
}
