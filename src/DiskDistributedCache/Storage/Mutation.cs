using DiskDistributedCache.Entries;

namespace DiskDistributedCache.Storage;

/// <summary>
/// One change on its way to the log. Its task completes when the change is acknowledged: when its record is with the operating
/// system, or when it is owed because the disk is late or failed, and the next process has been told so. It never faults.
///
/// The write lane guards what is written here.
/// </summary>
internal sealed class Mutation(RecordKind kind) : TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)
{
    public RecordKind Kind { get; private set; } = kind;

    /// <summary>Of a value: what is stored.</summary>
    public CacheEntry? Entry { get; private set; }

    /// <summary>Of a value: the form in which the record has it, once it is encoded; only while the caller waits or the lane writes.</summary>
    public StoredValue? Stored { get; set; }

    /// <summary>Of a clear: whether it only stands for barriers that were merged, and kills no more than they did.</summary>
    public bool IsMerged { get; init; }

    /// <summary>The next one in the writer's queue.</summary>
    public Mutation? Next { get; set; }

    /// <summary>The one before it in the writer's queue.</summary>
    public Mutation? Previous { get; set; }

    /// <summary>Of a value or a removal.</summary>
    public CacheKey Key { get; init; }

    /// <summary>Whether it waits in the writer's queue.</summary>
    public bool IsQueued { get; set; }

    /// <summary>Whether its caller has been let go, or is about to be, without the change being on disk.</summary>
    public bool IsOwed { get; set; }

    /// <summary>Of a tag eviction.</summary>
    public string? Tag { get; init; }

    /// <summary>The place in the order of mutations. Of a value it is the entry's.</summary>
    public long Sequence { get; set; }

    public ulong KeyHash { get; set; }

    /// <summary>Of a touch: the number that it extends, and until when.</summary>
    public long Extended { get; init; }

    public long Deadline { get; init; }

    /// <summary>When the caller began to wait, as a timestamp of the real clock.</summary>
    public long AcceptedAt { get; set; }

    public bool IsAcknowledged => Task.IsCompleted;

    /// <summary>
    /// Of a value: whether it is written back from memory, which has been swept of what forgotten barriers kill. Else one that is older than those
    /// cannot be judged.
    /// </summary>
    public bool IsJudged { get; init; }

    /// <summary>Of a value: when its making began; the default where that is when it is accepted.</summary>
    public Ticket Ticket { get; private init; }

    public static Mutation Of(CacheEntry entry, Ticket ticket = default) =>
        new(RecordKind.Value) { Entry = entry, Key = entry.Key, Ticket = ticket };

    /// <summary>A value that memory has and the log has not any more.</summary>
    public static Mutation Again(CacheEntry entry) => new(RecordKind.Value) { Entry = entry, Key = entry.Key, IsJudged = true };

    /// <summary>Becomes a newer change of the same key.</summary>
    public void TakeOver(Mutation newer) =>
        (Kind, Entry, Stored, Sequence, KeyHash) = (newer.Kind, newer.Entry, null, newer.Sequence, newer.KeyHash);

    /// <summary>Gives the value up: what is left is the removal of whatever the key had before.</summary>
    public CacheEntry DropValue()
    {
        var dropped = Entry!;
        (Kind, Entry, Stored) = (RecordKind.Removal, null, null);
        return dropped;
    }

    /// <summary>The most bytes that the record can take; of a value that is not encoded yet, as it is.</summary>
    public long RecordBytes => Kind switch
    {
        RecordKind.Value => RecordFormat.LengthOf(Entry!, Stored),
        RecordKind.TagEviction => RecordFormat.LengthOfEviction(Tag!),
        _ => RecordFormat.LengthOf(0),
    };
}
