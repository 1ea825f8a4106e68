using System.IO.Abstractions;
using DiskDistributedCache.Entries;
using DiskDistributedCache.Storage;

namespace DiskDistributedCache.Tests.Infrastructure;

/// <summary>
/// One process with an open store, without tiers and threads: it does to the store what the tiers do, on the calling thread, so
/// that tens of thousands of damaged stores can be opened. Disposing it without closing is what a kill leaves behind.
/// </summary>
internal sealed class StoreSession : IDisposable
{
    private static readonly FileSystem s_realFileSystem = new();

    private readonly CacheDirectory _directory;
    private readonly CacheClock _clock;
    private long _sequence;

    /// <param name="root">The folder.</param>
    /// <param name="time">The clock.</param>
    /// <param name="model">What the callers know.</param>
    /// <param name="fileSystem">Null for the real one.</param>
    /// <param name="settings">Null for <see cref="SmallSettings"/>.</param>
    /// <param name="vouches">Whether the witness is made to fit whatever the superblock says; otherwise it is as somebody has left it.</param>
    public StoreSession(
        string root, TestClock time, CacheModel model, IFileSystem? fileSystem = null, StoreSettings? settings = null, bool vouches = true)
    {
        if (vouches)
        {
            WitnessFolder.Vouch(root);
        }

        _directory = new CacheDirectory(fileSystem ?? s_realFileSystem, root, WitnessFolder.Path);
        _clock = new CacheClock(time);
        (Acknowledged, InFlight) = (model, model);
        var quarantine = new Quarantine(_directory, _clock, 1 << 20);
        try
        {
            var trust = new TrustMark(_directory, Guid.NewGuid());
            Store = SegmentStore.Open(_directory, settings ?? SmallSettings, _clock, quarantine, trust, new NoTiers());
            Store.FitRecovered();
        }
        catch
        {
            _directory.Dispose();
            throw;
        }

        _sequence = Store.FirstSequence;
    }

    public static StoreSettings SmallSettings { get; } = new()
    {
        MaxDiskBytes = 16 << 20,
        SegmentBytes = 64 << 10,
        MaxEntries = 10_000,
        VerifyWrites = true,
        MaxQuarantineBytes = 1 << 20,
    };

    public SegmentStore Store { get; }

    /// <summary>Called with the number of a mutation that was acknowledged and all that has been acknowledged by then.</summary>
    public event Action<long, CacheModel>? Appended;

    /// <summary>What has been acknowledged.</summary>
    public CacheModel Acknowledged { get; private set; }

    /// <summary>What will have been acknowledged when the mutation that is under way is through.</summary>
    public CacheModel InFlight { get; private set; }

    public long NowTicks => _clock.NowTicks;

    public void Set(CacheKey key, byte[] value, string[]? tags = null, TimeSpan? absolute = null, TimeSpan? sliding = null)
    {
        var expiry = new Expiry(absolute is null ? Expiry.Never : NowTicks + absolute.Value.Ticks, sliding?.Ticks ?? 0);
        var entry = new CacheEntry(key, value, tags ?? [], expiry, expiry.DeadlineFrom(NowTicks));
        var mutation = Mutation.Of(entry);
        mutation.Sequence = ++_sequence;
        mutation.KeyHash = Store.HashOf(key);
        entry.Number(_sequence, _sequence);
        Change(model => model.Set(key, value, entry.Tags, entry.Deadline));
        Store.Index.SetPending(mutation.KeyHash, _sequence, entry.Deadline);
        Append(mutation);
    }

    public void Remove(CacheKey key)
    {
        var mutation = new Mutation(RecordKind.Removal) { Key = key, KeyHash = Store.HashOf(key), Sequence = ++_sequence };
        Change(model => model.Remove(key));
        Store.Index.Remove(mutation.KeyHash, mutation.Sequence);
        Append(mutation);
    }

    public void EvictByTag(string tag)
    {
        var mutation = new Mutation(RecordKind.TagEviction) { Tag = tag, Sequence = ++_sequence };
        Change(model => model.EvictByTag(tag));
        Store.Barriers.Evict(tag, mutation.Sequence);
        Append(mutation);
    }

    public void Clear()
    {
        var mutation = new Mutation(RecordKind.Clear) { Sequence = ++_sequence };
        Change(model => model.Clear());
        Store.Barriers.Clear(mutation.Sequence);
        Store.Index.Clear(mutation.Sequence);
        Append(mutation);
    }

    /// <summary>Extends a sliding entry to this moment.</summary>
    public void Touch(CacheKey key, TimeSpan fromNow)
    {
        ulong hash = Store.HashOf(key);
        Assert.True(Store.Index.TryGet(hash, out var where));
        long deadline = NowTicks + fromNow.Ticks;
        Change(model => model.Touch(key, deadline));
        Store.Index.Touch(hash, where.Sequence, deadline);
        Append(new Mutation(RecordKind.Touch)
        {
            KeyHash = hash,
            Extended = where.Sequence,
            Deadline = deadline,
            Sequence = ++_sequence,
        });
    }

    /// <summary>A read as the tiers make it: index, record, then barriers and expiry.</summary>
    public byte[]? Get(CacheKey key)
    {
        ulong hash = Store.HashOf(key);
        if (!Store.Index.TryGet(hash, out var where) || where.Deadline <= NowTicks)
        {
            return null;
        }

        Store.Read(key, where, out var entry);
        if (entry is null || entry.IsExpired(NowTicks) || Store.Barriers.Covers(entry.Tags, entry.Ticket))
        {
            return null;
        }

        Store.Index.TryMarkRead(hash, entry.Sequence);
        return entry.Value.ToArray();
    }

    public void Close() => Assert.True(Store.TryClose());

    public void Dispose()
    {
        Store.Dispose();
        _directory.Dispose();
    }

    private void Change(Action<CacheModel> change)
    {
        InFlight = Acknowledged.Copy();
        change(InFlight);
    }

    /// <summary>Once more when it fails, as the writer does with what is owed.</summary>
    private void Append(Mutation mutation)
    {
        try
        {
            Store.Append([mutation]);
        }
        catch (IOException)
        {
            Store.Append([mutation]);
        }

        Acknowledged = InFlight;
        Appended?.Invoke(mutation.Sequence, Acknowledged);
    }

    private sealed class NoTiers : StoreListener
    {
        public override void Faulted(Exception exception)
        {
        }

        public override void MarkUsed()
        {
        }

        public override void SweepMemory()
        {
        }

        public override void ContentGivenUp()
        {
        }

        public override void RetainedLeft()
        {
        }
    }
}
