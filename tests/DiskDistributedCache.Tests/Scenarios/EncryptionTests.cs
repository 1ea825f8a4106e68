using System.Security.Cryptography;
using DiskDistributedCache.Entries;
using DiskDistributedCache.Storage;
using DiskDistributedCache.Tests.Infrastructure;
using DiskDistributedCache.Tiers;
using Microsoft.Extensions.Logging.Abstractions;

namespace DiskDistributedCache.Tests.Scenarios;

/// <summary>Encryption through the whole cache: nothing in clear text, and nothing that was put in another place.</summary>
public sealed class EncryptionTests : IAsyncDisposable
{
    private const string Secret = "a secret that must not be on disk";

    private readonly TierScene _scene = new();
    private readonly TestProtector _protector = new();

    public EncryptionTests() => _scene.Options.UseProtector(_protector);

    public ValueTask DisposeAsync() => _scene.DisposeAsync();

    // Seen to fail when values were written as they are.
    [Fact]
    public async Task A_value_is_not_on_disk_in_clear_text_and_comes_back_after_a_restart_and_a_kill()
    {
        await _scene.OpenAsync();
        await _scene.Set("key in clear", Secret, ["t"]);
        Assert.True(RecordOnDisk.Holds(_scene.Folder, "key in clear"));
        Assert.False(RecordOnDisk.Holds(_scene.Folder, Secret));

        await _scene.ReopenClosedAsync();
        Assert.Equal(Secret, await _scene.Get("key in clear"));
        await _scene.ReopenKilledAsync();
        Assert.Equal(Secret, await _scene.Get("key in clear"));
        await _scene.Evict("t");
        await _scene.ReopenKilledAsync();
        Assert.Null(await _scene.Get("key in clear"));
    }

    [Fact]
    public async Task A_value_is_compressed_before_it_is_encrypted()
    {
        _scene.Options.Compression = DiskCacheCompression.GZip;
        string text = new('x', 4000);
        await _scene.OpenAsync();
        await _scene.Set("k", text);
        await _scene.CloseAsync();

        var record = RecordOnDisk.Find(_scene.Folder, "k");

        Assert.Equal((1, 1, 4000), (record.Codec, record.Protection, record.RawBytes));
        Assert.InRange(record.Stored.Length, 1, 400);
        _scene.Options.Compression = DiskCacheCompression.None;
        await _scene.OpenAsync();
        Assert.Equal(text, await _scene.Get("k"));
    }

    // Seen to fail when the lane encoded everything.
    [Fact]
    public async Task A_value_is_encrypted_by_its_caller_and_not_by_the_thread_that_writes()
    {
        const string Writer = "DiskDistributedCache writer";
        await _scene.OpenAsync();
        await _scene.Set("k", "v");
        Assert.NotEqual(Writer, _protector.ProtectedOn);

        await _scene.LoseDiskAsync();
        await _scene.Set("owed", "v");
        await _scene.RegainDiskAsync();
        Assert.Equal(Writer, _protector.ProtectedOn);
    }

    // Seen to fail when the protector was left alone for a while after any failure.
    [Fact]
    public async Task A_value_that_alone_cannot_be_encrypted_costs_no_other_one()
    {
        _protector.MaxBytes = 1000;
        await _scene.OpenAsync();
        await _scene.Set("long", new string('l', 2000));
        await _scene.Set("short", Secret);

        Assert.True(RecordOnDisk.Holds(_scene.Folder, "short"));
        Assert.Equal(new string('l', 2000), await _scene.Get("long"));
        await _scene.LoseDiskAsync();
        await _scene.Set("owed", Secret);
        await _scene.RegainDiskAsync();
        await _scene.ReopenClosedAsync();
        Assert.Equal(Secret, await _scene.Get("owed"));
        Assert.Equal(Secret, await _scene.Get("short"));
        Assert.Null(await _scene.Get("long"));
    }

    // Seen to fail when what is protected was not bound to its key.
    [Fact]
    public async Task A_record_that_was_moved_to_another_key_is_no_value()
    {
        await _scene.OpenAsync();
        await _scene.Set("a", "of a");
        await _scene.Set("b", "of b");
        await _scene.CloseAsync();
        RecordOnDisk.Find(_scene.Folder, "b").Replace(RecordOnDisk.Find(_scene.Folder, "a").Stored);

        await _scene.OpenAsync();

        await AssertUndecryptable("b");
        Assert.Equal("of a", await _scene.Get("a"));
    }

    // Seen to fail when what is protected was not bound to its store.
    [Fact]
    public async Task A_record_that_was_moved_to_another_store_is_no_value()
    {
        await _scene.OpenAsync();
        await _scene.Set("k", "before");
        await _scene.CloseAsync();
        byte[] stored = RecordOnDisk.Find(_scene.Folder, "k").Stored;
        File.Delete(Path.Combine(_scene.Folder, "superblock"));
        await _scene.OpenAsync();
        await _scene.Set("k", "behind");
        await _scene.CloseAsync();
        RecordOnDisk.Find(_scene.Folder, "k").Replace(stored);

        await _scene.OpenAsync();

        await AssertUndecryptable("k");
    }

    // Seen to fail when what is protected was not bound to its limits.
    [Fact]
    public async Task A_record_with_another_expiry_than_it_was_stored_with_is_no_value()
    {
        await _scene.OpenAsync();
        await _scene.Set("k", "v", expiry: new Expiry(_scene.Time.GetUtcNow().UtcTicks + TimeSpan.TicksPerDay, 0));
        await _scene.CloseAsync();
        RecordOnDisk.Find(_scene.Folder, "k").Replace(absolute: Expiry.Never);

        await _scene.OpenAsync();

        await AssertUndecryptable("k");
    }

    // Seen to fail when a record that says it is in clear text was believed.
    [Fact]
    public async Task A_record_in_clear_text_in_an_encrypted_store_is_no_value()
    {
        await _scene.OpenAsync();
        await _scene.Set("k", "v");
        await _scene.CloseAsync();
        var record = RecordOnDisk.Find(_scene.Folder, "k");
        record.Replace(new byte[record.Stored.Length], rawBytes: record.Stored.Length, protection: 0);

        await _scene.OpenAsync();

        await AssertUndecryptable("k");
    }

    // Seen to fail when values were not authenticated, and when one that is no value counted as corrupt.
    [Fact]
    public async Task A_changed_byte_under_a_good_checksum_is_no_value()
    {
        await _scene.OpenAsync();
        await _scene.Set("k", "v");
        await _scene.CloseAsync();
        var record = RecordOnDisk.Find(_scene.Folder, "k");
        record.Stored[^1] ^= 1;
        record.Replace(record.Stored);

        await _scene.OpenAsync();

        await AssertUndecryptable("k");
    }

    // Seen to fail when lost keys counted as corruption: the circuit breaker opened; and when all of it went to quarantine.
    [Fact]
    public async Task Lost_keys_are_misses_and_neither_fill_the_quarantine_nor_trouble_the_disk()
    {
        const int Count = 60;
        await _scene.OpenAsync();
        for (int i = 0; i < Count; i++)
        {
            await _scene.Set($"k{i}", new string('v', 3000));
        }

        for (int restart = 0; restart < 3; restart++)
        {
            _protector.LoseKeys();
            await _scene.ReopenClosedAsync();
            for (int i = 0; i < Count; i++)
            {
                Assert.Equal(LookupOutcome.Miss, (await _scene.Look($"k{i}")).Outcome);
            }

            var status = _scene.Cache.GetStatus();
            Assert.Equal((DiskCacheMode.Normal, 0), (status.Mode, status.DiskErrors));
            Assert.Equal(16, _scene.Cache.GetQuarantine().Count);
            Assert.All(_scene.Cache.GetQuarantine(), piece => Assert.Equal(QuarantineReason.Undecryptable, piece.Reason));
        }

        await _scene.Set("k0", "new");
        await _scene.ReopenKilledAsync();
        Assert.Equal("new", await _scene.Get("k0"));
        Assert.Equal(0, _scene.Log.Count(32));
    }

    // Seen to fail when every failure to decrypt dropped the entry, and when the protector was asked again for each read.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task While_the_keys_are_away_nothing_is_known_of_values_on_disk_and_nothing_is_lost(bool isCryptographic)
    {
        await _scene.OpenAsync();
        await _scene.Set("k", Secret);
        await _scene.ReopenClosedAsync();
        _protector.Away = () => Trouble(isCryptographic);
        int before = _protector.CallCount;

        for (int i = 0; i < 20; i++)
        {
            Assert.Equal(LookupOutcome.Unknown, (await _scene.Look("k")).Outcome);
        }

        Assert.InRange(_protector.CallCount - before, 1, 3);
        Assert.Empty(_scene.Cache.GetQuarantine());
        Assert.Equal((DiskCacheMode.Normal, 0), (_scene.Mode, _scene.Cache.GetStatus().DiskErrors));
        Assert.Equal((1, 0), (_scene.Log.Count(32), _scene.Log.Count(33)));

        _protector.Away = null;
        _scene.Time.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal(Secret, await _scene.Get("k"));
        Assert.Equal((1, 1), (_scene.Log.Count(32), _scene.Log.Count(33)));
    }

    // Seen to fail when a value that could not be encrypted left nothing in the log: the version before it came back.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_value_that_cannot_be_encrypted_stays_in_memory_and_the_version_before_it_stays_gone(bool isCryptographic)
    {
        await _scene.OpenAsync();
        await _scene.Set("k", "old");
        _protector.Away = () => Trouble(isCryptographic);

        await _scene.Set("k", Secret);

        Assert.Equal(Secret, await _scene.Get("k"));
        Assert.Equal((DiskCacheMode.Normal, 0, 0), (_scene.Mode, _scene.Cache.GetStatus().DiskErrors, _scene.Cache.GetStatus().OwedWrites));
        await _scene.Cache.HeartbeatOnceAsync();
        Assert.False(RecordOnDisk.Holds(_scene.Folder, Secret));
        _scene.LeaveKilled();
        _protector.Away = null;
        await _scene.OpenAsync();
        Assert.Null(await _scene.Get("k"));
        await _scene.Set("k", "new");
        await _scene.ReopenClosedAsync();
        Assert.Equal("new", await _scene.Get("k"));
    }

    // Seen to fail when nobody tried again.
    [Fact]
    public async Task What_was_set_while_the_keys_were_away_is_written_when_they_are_back()
    {
        await _scene.OpenAsync();
        await _scene.Set("k", "old");
        _protector.Away = () => Trouble(isCryptographic: false);
        await _scene.Set("k", Secret);
        await _scene.Set("other", Secret);
        _scene.Time.Advance(TimeSpan.FromSeconds(5));
        await _scene.Cache.HeartbeatOnceAsync();

        // Behind the try that the first one has posted, which fails.
        await _scene.Cache.HeartbeatOnceAsync();
        _protector.Away = null;
        _scene.Time.Advance(TimeSpan.FromSeconds(5));
        await _scene.Cache.HeartbeatOnceAsync();
        await _scene.Cache.HeartbeatOnceAsync();

        Assert.False(RecordOnDisk.Holds(_scene.Folder, Secret));
        await _scene.ReopenKilledAsync();
        Assert.Equal(Secret, await _scene.Get("k"));
        Assert.Equal(Secret, await _scene.Get("other"));
    }

    // Seen to fail when one failure was the end of it.
    [Fact]
    public async Task What_was_set_while_the_keys_were_away_is_tried_again_when_the_disk_fails_just_then()
    {
        await _scene.OpenAsync();
        _protector.Away = () => Trouble(isCryptographic: false);
        await _scene.Set("k", Secret);
        await _scene.Cache.DrainAsync();
        _protector.Away = null;
        var fault = _scene.Files.Fail(FileOperation.Write, TierScene.Segments, times: 1);
        _scene.Time.Advance(TimeSpan.FromSeconds(5));

        for (int i = 0; i < 4; i++)
        {
            await _scene.Cache.HeartbeatOnceAsync();
        }

        Assert.Equal(1, fault.StruckCount);
        await _scene.ReopenKilledWhenTrustedAsync();
        Assert.Equal(Secret, await _scene.Get("k"));
    }

    // Seen to fail when the writer lane wrote what it found without an encrypted form.
    [Fact]
    public async Task What_was_set_while_the_disk_was_away_is_encrypted_when_it_is_written()
    {
        await _scene.OpenAsync();
        await _scene.Set("k", "old");
        await _scene.LoseDiskAsync();
        await _scene.Set("k", Secret);
        await _scene.Set("other", Secret);
        await _scene.Remove("other");

        await _scene.RegainDiskAsync();

        await _scene.ReopenKilledWhenTrustedAsync();
        Assert.False(RecordOnDisk.Holds(_scene.Folder, Secret));
        Assert.Equal(Secret, await _scene.Get("k"));
        Assert.Null(await _scene.Get("other"));
    }

    // Seen to fail when a value that could not be encrypted left nothing in the log: the version before it came back.
    [Fact]
    public async Task Keys_that_are_away_during_a_recovery_do_not_keep_the_disk_from_being_recovered()
    {
        await _scene.OpenAsync();
        await _scene.Set("k", "old");
        await _scene.LoseDiskAsync();
        _protector.Away = () => Trouble(isCryptographic: false);
        await _scene.Set("k", Secret);

        await _scene.RegainDiskAsync();

        Assert.Equal(Secret, await _scene.Get("k"));
        Assert.Equal(0, _scene.Cache.GetStatus().OwedWrites);
        _protector.Away = null;
        await _scene.ReopenKilledWhenTrustedAsync();
        Assert.False(RecordOnDisk.Holds(_scene.Folder, Secret));
        Assert.Null(await _scene.Get("k"));
    }

    // Seen to fail when the writer lane wrote what it found without an encrypted form.
    [Fact]
    public async Task What_was_set_before_the_store_was_open_is_encrypted_for_it()
    {
        _scene.Create();
        await _scene.Set("k", Secret);
        await _scene.Cache.StartAsync();
        await _scene.Cache.DrainAsync();
        await _scene.Cache.TrustOnceAsync();

        await _scene.ReopenKilledAsync();

        Assert.False(RecordOnDisk.Holds(_scene.Folder, Secret));
        Assert.Equal(Secret, await _scene.Get("k"));
    }

    // Seen to fail when a value that was encrypted for a store was written to the one that was begun in its place.
    [Fact]
    public void What_was_encrypted_for_a_store_that_was_given_up_is_encrypted_anew_for_the_next_one()
    {
        using var scene = new StoreScene();
        scene.Settings = scene.Settings with { Codec = CodecOf(scene) };
        scene.Open();
        var mutation = scene.AcceptValue("k", Secret);
        scene.Settings.Codec.Encode(mutation);
        var first = mutation.Stored;

        scene.Store.StartOver();
        scene.Index.SetPending(mutation.KeyHash, mutation.Sequence, mutation.Entry!.Deadline);
        scene.Append(mutation);

        Assert.NotSame(first, mutation.Stored);
        Assert.Equal(Secret, scene.Read("k"));
        scene.ReopenKilled();
        Assert.Equal(Secret, scene.Read("k"));
    }

    // Seen to fail when a mark that could not be encrypted was treated like any other value: what it had invalidated came back.
    [Fact]
    public async Task A_mark_that_cannot_be_encrypted_makes_the_store_unbelievable_until_it_is_written()
    {
        const string Mark = "__MSFT_HCT__tag";
        await _scene.OpenAsync();
        await _scene.Set("data", "invalidated by the mark");
        _protector.Away = () => Trouble(isCryptographic: false);
        await _scene.Set(Mark, "mark");
        Assert.Equal("mark", await _scene.Get(Mark));
        _scene.LeaveKilled();
        _protector.Away = null;
        await _scene.OpenAsync();
        Assert.Null(await _scene.Get("data"));

        _protector.Away = () => Trouble(isCryptographic: false);
        await _scene.Set(Mark, "mark");
        _protector.Away = null;
        _scene.Time.Advance(TimeSpan.FromSeconds(5));
        await _scene.Cache.HeartbeatOnceAsync();
        await _scene.Set("data", "made behind the mark");
        await _scene.ReopenKilledWhenTrustedAsync();
        Assert.Equal("mark", await _scene.Get(Mark));
        Assert.Equal("made behind the mark", await _scene.Get("data"));
    }

    // Seen to fail when the superblock did not say whether values are encrypted.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Turning_encryption_on_or_off_begins_a_new_store_and_erases_the_old_one(bool isTurnedOn)
    {
        _scene.Options.UseProtector(isTurnedOn ? null : _protector);
        await _scene.OpenAsync();
        await _scene.Set("a key of before", Secret);
        Assert.Equal(isTurnedOn, RecordOnDisk.Holds(_scene.Folder, Secret));

        _scene.Options.UseProtector(isTurnedOn ? _protector : null);
        await _scene.ReopenClosedAsync();

        Assert.Equal(LookupOutcome.Miss, (await _scene.Look("a key of before")).Outcome);
        for (int i = 0; i < 100 && RecordOnDisk.Holds(_scene.Folder, "a key of before"); i++)
        {
            await _scene.Cache.HeartbeatOnceAsync();
        }

        Assert.False(RecordOnDisk.Holds(_scene.Folder, "a key of before"));
        Assert.Empty(_scene.Cache.GetQuarantine());
        await _scene.Set("k", "v");
        await _scene.ReopenClosedAsync();
        Assert.Equal("v", await _scene.Get("k"));
    }

    // Seen to fail when a reinsertion encrypted anew.
    [Fact]
    public void A_reinserted_record_is_copied_without_its_keys()
    {
        using var scene = new StoreScene();
        scene.Settings = scene.Settings with { MaxDiskBytes = 16 * (4 << 10), Codec = CodecOf(scene) };
        scene.Open();
        scene.Set("k", Secret);
        byte[] before = RecordOnDisk.Find(scene.Folder, "k").Stored;
        int calls = _protector.CallCount;
        int fillers = 0;

        for (; scene.Store.ErasedSegments < 3; fillers++)
        {
            scene.Set($"filler {fillers}", new string('f', 500));
            scene.MarkUsed("k");
        }

        Assert.Equal(calls + fillers, _protector.CallCount);
        Assert.Equal(before, RecordOnDisk.Find(scene.Folder, "k").Stored);
        scene.ReopenKilled();
        Assert.Equal(Secret, scene.Read("k"));
    }

    private static Exception Trouble(bool isCryptographic) => isCryptographic
        ? new CryptographicException("An error occurred while trying to decrypt the provided data.", new IOException("no key ring"))
        : new IOException("no key ring");

    private ValueCodec CodecOf(StoreScene scene)
    {
        var options = new DiskDistributedCacheOptions();
        options.UseProtector(_protector);
        return new ValueCodec(options, scene.Clock, NullLogger.Instance);
    }

    private async Task AssertUndecryptable(string key)
    {
        Assert.Equal(LookupOutcome.Miss, (await _scene.Look(key)).Outcome);
        Assert.Equal(LookupOutcome.Miss, (await _scene.Look(key)).Outcome);
        Assert.Equal(QuarantineReason.Undecryptable, Assert.Single(_scene.Cache.GetQuarantine()).Reason);
        Assert.Equal((DiskCacheMode.Normal, 0), (_scene.Mode, _scene.Cache.GetStatus().DiskErrors));
        await _scene.Set(key, "new");
        await _scene.ReopenKilledAsync();
        Assert.Equal("new", await _scene.Get(key));
    }
}
