using System.Text;
using DiskDistributedCache.Entries;
using DiskDistributedCache.Tests.Infrastructure;
using DiskDistributedCache.Tiers;

namespace DiskDistributedCache.Tests.Scenarios;

/// <summary>What was evicted before a list is begun is not in it, also when the barrier is forgotten while it is read.</summary>
public sealed class ListedDeadTests : IAsyncDisposable
{
    private readonly HookedClock _clock = new();
    private readonly string _root = Directory.CreateTempSubdirectory("diskcache-test-").FullName;
    private readonly TieredCache _cache;

    public ListedDeadTests() => _cache = new TieredCache(
        new DiskDistributedCacheOptions
        {
            Directory = _root,
            SegmentBytes = 64 << 10,
            MaxDiskBytes = 1 << 20,
            MaxMemoryBytes = 8 << 20,
            WitnessDirectory = WitnessFolder.Path,
            IoTimeout = TimeSpan.FromMinutes(1),
        },
        new FaultyFileSystem(),
        _clock,
        new CollectedLog());

    public async ValueTask DisposeAsync()
    {
        await _cache.DisposeAsync();
        Directory.Delete(_root, recursive: true);
    }

    // Seen to fail when an entry of memory was judged by the barriers alone.
    [Fact]
    public async Task What_was_evicted_before_is_not_listed()
    {
        await _cache.StartAsync();
        await Set("dead", "v", "tag");
        await _cache.EvictByTag("tag").AsValueTask();

        // The eviction is acknowledged; the list begins now.
        var listed = new List<string>();
        _clock.WhenThisThreadAsks(() =>
        {
            for (int i = 0; i < 400; i++)
            {
                _cache.Set(Entry($"filler {i}", new string('f', 5_000), [])).Wait();
            }
        });
        await foreach (var (head, _) in _cache.ListAsync(CancellationToken.None))
        {
            listed.Add(head.Key.Text);
            break;
        }

        Assert.DoesNotContain("dead", listed);
    }

    private ValueTask Set(string key, string value, params string[] tags) => _cache.Set(Entry(key, value, tags)).AsValueTask();

    private static CacheEntry Entry(string key, string value, string[] tags) =>
        new(new CacheKey(KeySpace.Data, key), Encoding.UTF8.GetBytes(value), tags, Expiry.None, Expiry.Never);

    /// <summary>Does something, once, when a thread asks for the time.</summary>
    private sealed class HookedClock : TimeProvider
    {
        private Action? _action;
        private int _thread;

        public void WhenThisThreadAsks(Action action) => (_thread, _action) = (Environment.CurrentManagedThreadId, action);

        public override DateTimeOffset GetUtcNow()
        {
            if (Environment.CurrentManagedThreadId == _thread)
            {
                Interlocked.Exchange(ref _action, null)?.Invoke();
            }

            return base.GetUtcNow();
        }
    }
}
