using DiskDistributedCache.Storage;
using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Storage;

public sealed class SuperblockTests
{
    private static readonly Superblock s_superblock = new()
    {
        StoreId = Guid.Parse("00112233-4455-6677-8899-aabbccddeeff"),
        HashSeed = 42,
        SessionId = Guid.Parse("11111111-2222-3333-4444-555555555555"),
        BootId = Guid.Parse("66666666-7777-8888-9999-000000000000"),
        Generation = 7,
        IsClean = true,
    };

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void A_slot_with_any_bit_flipped_does_not_verify(int slotNumber)
    {
        byte[] slot = new byte[Superblock.SlotBytes];
        s_superblock.WriteTo(slot, slotNumber);
        Assert.Equal(s_superblock, Superblock.TryRead(slot, slotNumber));
        for (int bit = 0; bit < 8 * slot.Length; bit++)
        {
            slot[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.Null(Superblock.TryRead(slot, slotNumber));
            slot[bit / 8] ^= (byte)(1 << (bit % 8));
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(4096)]
    public void A_store_with_one_slot_that_does_not_verify_is_not_trusted(int slotOffset)
    {
        // The slot that is lost may have been the one that said that the store is in use, or suspect.
        var history = StoreHistory.EndingAs(Ending.Clean);
        using var directory = new ScratchDirectory();
        history.Image.Flipped(DamageTable.Superblock, slotOffset + 16, 1).WriteTo(directory.Path);

        using var session = new StoreSession(directory.Path, StoreHistory.TimeAt(history.Now), history.Model);

        Assert.True(session.Store.Report.IsNew);
        Assert.All(history.Model.EveryKey, key => Assert.Null(session.Get(key)));
    }

    [Fact]
    public void A_slot_is_not_taken_for_the_other_one()
    {
        byte[] slot = new byte[Superblock.SlotBytes];
        s_superblock.WriteTo(slot, 0);
        Assert.Null(Superblock.TryRead(slot, 1));
    }

    [Fact]
    public void A_slot_that_was_cut_does_not_verify()
    {
        byte[] slot = new byte[Superblock.SlotBytes];
        s_superblock.WriteTo(slot, 0);
        for (int length = 0; length < slot.Length; length++)
        {
            Assert.Null(Superblock.TryRead(slot.AsSpan(0, length), 0));
        }
    }
}
