using DiskDistributedCache.Storage;
using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Storage;

/// <summary>A clear that stands for merged barriers, accepted and not yet in the log, and what is retained and older than it.</summary>
public sealed class MergedClearTests : IDisposable
{
    private readonly StoreScene _scene = new StoreScene().Open();

    public void Dispose() => _scene.Dispose();

    // Seen to fail when only a mark that the index does not have any more was missed: a merge leaves the index alone.
    [Fact]
    public void A_mark_that_it_kills_is_told_before_its_segment_goes()
    {
        _scene.Set("data", "out of date");
        _scene.FillSegments(1);
        _scene.SetRetained("mark", "m");
        BringDataBehindTheMark();
        for (int i = 0; i <= TagBarriers.MaxBarriers; i++)
        {
            _scene.AcceptEviction($"tag {i}");
        }

        Assert.NotEqual(0, _scene.Store.Barriers.MergeWhenTooMany());

        // What the lane is still at comes before the record of the clear.
        for (int i = 0; _scene.Find("mark") is not null; i++)
        {
            UseData();
            _scene.Set($"filler {i}", new string('f', 500));
        }

        // Told: then a kill is followed by an empty cache. Not told, the data would be served without the mark.
        Assert.InRange(_scene.Tiers.RetainedLeftCount, 1, int.MaxValue);
    }

    private void BringDataBehindTheMark()
    {
        var before = _scene.Find("data");
        for (int i = 0; _scene.Find("data") is { } now && now.Slot == before!.Value.Slot; i++)
        {
            UseData();
            _scene.Set($"filler {i}", new string('f', 500));
        }

        Assert.NotNull(_scene.Find("data"));
        Assert.NotNull(_scene.Find("mark"));
    }

    private void UseData()
    {
        if (_scene.Find("data") is not null)
        {
            _scene.MarkUsed("data");
        }
    }
}
