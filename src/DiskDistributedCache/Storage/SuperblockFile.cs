using System.Security.Cryptography;
using DiskDistributedCache.Entries;

namespace DiskDistributedCache.Storage;

/// <summary>What a slot of the superblock says beyond the identity of its store.</summary>
internal readonly record struct StoreState(LogMark Mark, bool IsMarkFinal, bool IsClean, bool IsSuspect);

/// <summary>
/// The superblock of the store that this process has open: judges whether what it found may be believed, and is the only writer of the two
/// slots, on the writer lane.
///
/// What is found is believed if both slots verify, say the same store, and either say that it was closed clean, or the witness vouches
/// for its last session, which belonged to this run of the operating system and to this mount; and if nobody has acknowledged
/// mutations that it does not have; and if its values are protected when they should be, and only then. Everything else begins a new
/// store.
///
/// Order of effects: a heartbeat writes the slot that is not the newest, so that one of the two is always whole.
/// </summary>
internal sealed class SuperblockFile : IDisposable
{
    private static readonly TimeSpan s_maxClockLead = TimeSpan.FromHours(1);

    private readonly CacheDirectory _directory;
    private readonly CacheClock _clock;
    private readonly StoreFile _file;
    private long _generation;

    private SuperblockFile(CacheDirectory directory, CacheClock clock, StoreFile file, Superblock identity, Superblock? found, string reason)
    {
        (_directory, _clock, _file, Identity, Found, Reason) = (directory, clock, file, identity, found, reason);
        _generation = identity.Generation;
    }

    /// <summary>Store, session, and where they belong. The state in it is of no meaning.</summary>
    public Superblock Identity { get; }

    /// <summary>The superblock of the store that was found and may be believed; null where a new one begins.</summary>
    public Superblock? Found { get; }

    /// <summary>Why, for people.</summary>
    public string Reason { get; }

    /// <summary>Opens the superblock of a directory that this process has locked.</summary>
    /// <param name="directory">The directory.</param>
    /// <param name="trust">What this process is known by.</param>
    /// <param name="clock">The clock that deadlines go by.</param>
    /// <param name="isProtected">Whether the values of this process's store are protected. A store in which that is different is not believed.</param>
    /// <param name="reads">What is read is read through this. A superblock that is not to be had is one that does not verify.</param>
    public static SuperblockFile Open(CacheDirectory directory, TrustMark trust, CacheClock clock, bool isProtected, OpeningReads reads) =>
        Open(directory, trust, clock, isProtected, previous: null, (file, here) => Judge(file, here, directory, trust, clock, isProtected, reads));

    /// <summary>Opens it for a store after one that this process gave up: nothing that is found is believed, and keys are hashed as before.</summary>
    public static SuperblockFile OpenAnew(CacheDirectory directory, TrustMark trust, CacheClock clock, bool isProtected, Superblock previous) =>
        Open(directory, trust, clock, isProtected, previous, (_, _) => (null, "the content of the disk was given up"));

    private static SuperblockFile Open(
        CacheDirectory directory,
        TrustMark trust,
        CacheClock clock,
        bool isProtected,
        Superblock? previous,
        Func<StoreFile, (Guid BootId, long MountId), (Superblock? Found, string Reason)> judge)
    {
        var file = directory.Open(directory.Superblock, FileMode.OpenOrCreate);
        try
        {
            var here = (BootId: directory.ReadBootId(), directory.MountId);
            var (found, reason) = judge(file, here);
            var identity = (found ?? NewIdentity(previous)) with
            {
                SessionId = trust.Session,
                BootId = here.BootId,
                MountId = here.MountId,
                IsClean = found?.IsClean ?? false,
                IsProtected = isProtected,
            };
            return new SuperblockFile(directory, clock, file, identity, found, reason);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Writes the slot that is not the newest. One that may be torn is not: it is written again before the good one is touched.</summary>
    public void WriteNext(in StoreState state)
    {
        long next = _generation + 1;
        WriteSlot((int)(next % Superblock.SlotCount), next, state);
        _generation = next;
    }

    /// <summary>Writes both slots and makes them durable.</summary>
    public void WriteBoth(in StoreState state)
    {
        _generation++;
        for (int slot = 0; slot < Superblock.SlotCount; slot++)
        {
            WriteSlot(slot, _generation, state);
        }

        _file.Sync();
        _directory.SyncFolder(_directory.Path);
    }

    /// <summary>Makes sure that the store is still this process's: that its lock and its superblock are where others would find them.</summary>
    /// <exception cref="StoreGoneException">It is not.</exception>
    public void CheckIdentity()
    {
        if (!_directory.HoldsLock())
        {
            throw new StoreGoneException("The cache folder or its lock was removed or replaced.");
        }

        Span<byte> slot = new byte[Superblock.SlotBytes];
        try
        {
            using var file = _directory.OpenToRead(_directory.Superblock);
            for (int number = 0; number < Superblock.SlotCount; number++)
            {
                int read = file.Read(slot, (long)number * Superblock.SlotBytes);
                if (Superblock.TryRead(slot[..read], number) is { } found && found.SessionId != Identity.SessionId)
                {
                    throw new StoreGoneException("Another process has taken the store over.");
                }
            }
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new StoreGoneException("The superblock was removed.");
        }
    }

    public void Dispose() => _file.Dispose();

    private static (Superblock? Found, string Reason) Judge(
        StoreFile file,
        (Guid BootId, long MountId) here,
        CacheDirectory directory,
        TrustMark trust,
        CacheClock clock,
        bool isProtected,
        OpeningReads reads)
    {
        (Superblock, Superblock)? slots = null;
        if (!reads.TryRead(() => slots = ReadSlots(file)))
        {
            return (null, "the superblock cannot be read");
        }

        if (slots is not var (first, second))
        {
            return (null, file.Length == 0 ? "there was none" : "the superblock does not verify");
        }

        var newest = first.Generation > second.Generation ? first : second;
        if (newest.ClockHighWater > Expiry.Add(clock.UtcTicks, s_maxClockLead.Ticks))
        {
            return (null, "the clock was set back by more than an hour");
        }

        if (first.IsSuspect || second.IsSuspect)
        {
            return (null, "it owed mutations");
        }

        if (trust.Witness.IsRevokedByOther(trust.Session) || directory.DeadWaiters(trust.Session).Count > 0)
        {
            return (null, "a process that could not write to it has ended");
        }

        if (first.IsProtected != isProtected || second.IsProtected != isProtected)
        {
            return (null, isProtected ? "its values are not encrypted" : "its values are encrypted");
        }

        if (first.IsClean && second.IsClean)
        {
            return (newest, "closed clean");
        }

        string? doubt = here.BootId == Guid.Empty || newest.BootId != here.BootId ? "the operating system has restarted since"
            : here.MountId == 0 || newest.MountId != here.MountId ? "its file system was mounted anew"
            : !trust.Witness.VouchesFor(newest.SessionId) ? "nothing vouches for it"
            : null;
        return doubt is null
            ? (newest with { IsClean = false }, "the process was killed")
            : (null, "it was not closed clean and " + doubt);
    }

    private static (Superblock First, Superblock Second)? ReadSlots(StoreFile file)
    {
        byte[] bytes = new byte[Superblock.SlotCount * Superblock.SlotBytes];
        var read = bytes.AsSpan(0, file.Read(bytes, 0));
        return read.Length == bytes.Length
            && file.Length == bytes.Length
            && Superblock.TryRead(read[..Superblock.SlotBytes], 0) is { } first
            && Superblock.TryRead(read[Superblock.SlotBytes..], 1) is { } second
            && first.StoreId == second.StoreId
            ? (first, second)
            : null;
    }

    private static Superblock NewIdentity(Superblock? previous) => new()
    {
        StoreId = new Guid(RandomNumberGenerator.GetBytes(16)),
        HashSeed = previous?.HashSeed ?? BitConverter.ToInt64(RandomNumberGenerator.GetBytes(sizeof(long))),
        SessionId = Guid.Empty,
        BootId = Guid.Empty,
    };

    private void WriteSlot(int slot, long generation, in StoreState state)
    {
        byte[] bytes = new byte[Superblock.SlotBytes];
        var content = Identity with
        {
            Generation = generation,
            IsClean = state.IsClean,
            IsSuspect = state.IsSuspect,
            IsMarkFinal = state.IsMarkFinal,
            ClockHighWater = _clock.NowTicks,
            Mark = state.Mark,
        };
        content.WriteTo(bytes, slot);
        _file.Write(bytes, (long)slot * Superblock.SlotBytes);
    }
}

/// <summary>The store on disk is not this process's any more.</summary>
internal sealed class StoreGoneException(string message) : IOException(message);
