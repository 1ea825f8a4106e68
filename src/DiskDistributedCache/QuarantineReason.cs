namespace DiskDistributedCache;

/// <summary>What was wrong with bytes that did not verify. The numbers are on disk.</summary>
public enum QuarantineReason
{
    /// <summary>The file in quarantine cannot be read or does not verify itself: nothing is known but what its name says.</summary>
    Unreadable = 0,

    /// <summary>The segment ends before the record does.</summary>
    Truncated = 1,

    /// <summary>There is no record header that verifies. That of a record which belongs elsewhere does not.</summary>
    HeaderDamaged = 2,

    /// <summary>The header verifies; key, tags or value do not.</summary>
    PayloadDamaged = 3,

    /// <summary>A record that verifies in its place and is another one than was written there.</summary>
    WrongRecord = 4,

    /// <summary>At a start: a part of the log does not verify, and everything up to the end of this segment was given up.</summary>
    SegmentDamaged = 5,

    /// <summary>
    /// The record verifies, and its value cannot be decrypted: its key is gone, somebody has changed it, or it was written for another
    /// key or store. Only the first ones of a run are listed and kept.
    /// </summary>
    Undecryptable = 6,
}
