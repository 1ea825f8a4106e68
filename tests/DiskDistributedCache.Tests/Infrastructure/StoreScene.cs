using System.Text;
using DiskDistributedCache.Entries;
using DiskDistributedCache.Storage;

namespace DiskDistributedCache.Tests.Infrastructure;

/// <summary>
/// A store without tiers and lanes above it, in a directory of its own: everything happens in the test's thread, in the order in
/// which the test says it. A mutation is accepted (it gets its number, and index and barriers follow it) and then appended, or
/// both at once. A killed process is a store that is let go without being closed: what it wrote is with the operating system.
/// </summary>
internal sealed class StoreScene : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("diskcache-test-").FullName;
    private CacheDirectory? _directory;
    private SegmentStore? _store;
    private long _sequence;

    public StoreScene() => Clock = new CacheClock(Time);

    public StoreSettings Settings { get; set; } = new()
    {
        MaxDiskBytes = 1 << 20,
        SegmentBytes = 4 << 10,
        MaxEntries = 100_000,
        VerifyWrites = true,
        MaxQuarantineBytes = 1 << 20,
    };

    public TestClock Time { get; } = new();

    public CacheClock Clock { get; private set; }

    public FaultyFileSystem Files { get; } = new();

    public Listener Tiers { get; } = new();

    public SegmentStore Store => _store ?? throw new InvalidOperationException("The store is not open.");

    public EntryIndex Index => Store.Index;

    public Quarantine Quarantine { get; private set; } = null!;

    /// <summary>Called with everything that does not verify.</summary>
    public Action? WhenCorrupt { get; set; }

    public TrustMark Trust { get; private set; } = null!;

    /// <summary>Where witnesses go.</summary>
    public string WitnessDirectory { get; set; } = WitnessFolder.Path;

    /// <summary>The directory that the cache was given.</summary>
    public string Root => _root;

    /// <summary>The cache's own folder.</summary>
    public string Folder => Path.Combine(_root, "diskcache-v1");

    public string QuarantineFolder => Path.Combine(Folder, "quarantine");

    /// <summary>The segments on disk, oldest first; the spare is not among them.</summary>
    public IReadOnlyList<FileInfo> SegmentFiles =>
        [.. new DirectoryInfo(Folder).GetFiles("*.seg", SearchOption.AllDirectories).OrderBy(file => file.Name, StringComparer.Ordinal)];

    /// <summary>Bytes of everything under the folder of the segments.</summary>
    public long SegmentBytesOnDisk =>
        new DirectoryInfo(Path.Combine(Folder, "segments")).GetFiles("*", SearchOption.AllDirectories).Sum(file => file.Length);

    /// <summary>Opens the store.</summary>
    /// <param name="isLastTry">Whether what the disk does not give counts as damaged.</param>
    public StoreScene Open(bool isLastTry = false)
    {
        Clock = new CacheClock(Time);
        var directory = new CacheDirectory(Files, _root, WitnessDirectory);
        Trust = new TrustMark(directory, Guid.NewGuid());
        Quarantine = new Quarantine(directory, Clock, Settings.MaxQuarantineBytes) { Met = _ => WhenCorrupt?.Invoke() };
        try
        {
            _store = SegmentStore.Open(directory, Settings, Clock, Quarantine, Trust, Tiers, isLastTry);
            _store.FitRecovered();
        }
        catch
        {
            directory.Dispose();
            throw;
        }

        _directory = directory;
        _sequence = Store.FirstSequence;
        return this;
    }

    public void Close()
    {
        Assert.True(Store.TryClose());
        Kill();
    }

    public void Kill()
    {
        _store?.Dispose();
        _store = null;
        _directory?.Dispose();
        _directory = null;
    }

    public void ReopenClosed()
    {
        Close();
        Open();
    }

    public void ReopenKilled()
    {
        Kill();
        Open();
    }

    public Mutation AcceptValue(
        string key, string value, string[]? tags = null, Expiry? expiry = null, long? ticket = null, bool isRetained = false)
    {
        var moments = expiry ?? Expiry.None;
        var entry = new CacheEntry(
            KeyOf(key), Encoding.UTF8.GetBytes(value), tags ?? [], moments, moments.DeadlineFrom(Clock.NowTicks))
        {
            IsRetained = isRetained,
        };
        var mutation = Mutation.Of(entry);
        mutation.Sequence = ++_sequence;
        mutation.KeyHash = Store.HashOf(entry.Key);
        entry.Number(mutation.Sequence, ticket ?? mutation.Sequence);
        Index.SetPending(mutation.KeyHash, mutation.Sequence, entry.Deadline, isRetained);
        return mutation;
    }

    public Mutation AcceptRemoval(string key)
    {
        var removal = new Mutation(RecordKind.Removal) { Key = KeyOf(key), KeyHash = Store.HashOf(KeyOf(key)), Sequence = ++_sequence };
        Index.Remove(removal.KeyHash, removal.Sequence);
        return removal;
    }

    public Mutation AcceptEviction(string tag)
    {
        var eviction = new Mutation(RecordKind.TagEviction) { Tag = tag, Sequence = ++_sequence };
        Store.Barriers.Evict(tag, eviction.Sequence);
        return eviction;
    }

    public Mutation AcceptClear()
    {
        var clear = new Mutation(RecordKind.Clear) { Sequence = ++_sequence };
        Store.Barriers.Clear(clear.Sequence);
        Index.Clear(clear.Sequence);
        return clear;
    }

    public Mutation AcceptTouch(string key, DateTimeOffset deadline)
    {
        var entry = Find(key)!.Value;
        Index.Touch(entry.KeyHash, entry.Sequence, deadline.UtcTicks);
        return new Mutation(RecordKind.Touch)
        {
            KeyHash = entry.KeyHash,
            Extended = entry.Sequence,
            Deadline = deadline.UtcTicks,
            Sequence = ++_sequence,
        };
    }

    /// <summary>What memory writes of a value that the log has not any more, under its old number.</summary>
    public static Mutation Again(Mutation value)
    {
        var again = Mutation.Again(value.Entry!);
        (again.Sequence, again.KeyHash) = (value.Sequence, value.KeyHash);
        return again;
    }

    public void Append(params Mutation[] batch) => Store.Append(batch);

    public Mutation Set(string key, string value, string[]? tags = null, Expiry? expiry = null)
    {
        var mutation = AcceptValue(key, value, tags, expiry);
        Append(mutation);
        return mutation;
    }

    /// <summary>Sets a value that must not be lost before what is older than it.</summary>
    public void SetRetained(string key, string value) => Append(AcceptValue(key, value, isRetained: true));

    public void Remove(string key) => Append(AcceptRemoval(key));

    public void Evict(string tag) => Append(AcceptEviction(tag));

    public void Clear() => Append(AcceptClear());

    public IndexedEntry? Find(string key) => Index.TryGet(Store.HashOf(KeyOf(key)), out var where) ? where : null;

    /// <summary>Notes that an entry was used, as a hit in a tier does.</summary>
    public void MarkUsed(string key)
    {
        var entry = Find(key)!.Value;
        Index.TryMarkRead(entry.KeyHash, entry.Sequence);
    }

    /// <summary>The value that a reader gets: the index, the record, barriers and expiry.</summary>
    public string? Read(string key)
    {
        if (Find(key) is not { IsPending: false } where || where.Deadline <= Clock.NowTicks)
        {
            return null;
        }

        return Store.Read(KeyOf(key), where, out var entry) == ReadOutcome.Hit
            && !entry!.IsExpired(Clock.NowTicks)
            && !Store.Barriers.Covers(entry.Tags, entry.Ticket)
            ? Encoding.UTF8.GetString(entry.Value.ToArray())
            : null;
    }

    /// <summary>Fills at least this many segments with values that nobody reads.</summary>
    public void FillSegments(int count)
    {
        long until = SegmentNumber + count;
        for (int i = 0; SegmentNumber < until; i++)
        {
            Set($"filler {i}", new string('f', 500));
        }
    }

    /// <summary>The number of the newest segment.</summary>
    public long SegmentNumber => SegmentFiles is [.., var newest] ? SegmentName.NumberIn(newest.Name) : 0;

    public static CacheKey KeyOf(string key) => new(KeySpace.Data, key);

    public void Dispose()
    {
        Files.Heal();
        Kill();
        Directory.Delete(_root, recursive: true);
    }

    /// <summary>Stands for the tiers above the store.</summary>
    internal sealed class Listener : StoreListener
    {
        public Action? WhenMarkingUsed { get; set; }

        public Action? WhenSweeping { get; set; }

        public override void MarkUsed() => WhenMarkingUsed?.Invoke();

        public override void SweepMemory() => WhenSweeping?.Invoke();

        public override void ContentGivenUp()
        {
        }

        public int RetainedLeftCount { get; private set; }

        public Action? WhenRetainedLeft { get; set; }

        public override void RetainedLeft()
        {
            RetainedLeftCount++;
            WhenRetainedLeft?.Invoke();
        }

        public List<Exception> Faults { get; } = [];

        public override void Faulted(Exception exception) => Faults.Add(exception);
    }
}
