using System.Text;
using System.Xml.Linq;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.DataProtection.KeyManagement;
using Microsoft.AspNetCore.DataProtection.Repositories;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace DiskDistributedCache.AspNetCore.Tests;

/// <summary>Encryption with the platform's Data Protection, with its keys in a folder that can be lost, or that cannot be had.</summary>
public sealed class DataProtectionTests : IDisposable
{
    private const string Secret = "a secret that must not be on disk";

    private readonly string _directory = Directory.CreateTempSubdirectory("diskcache-data-protection-test-").FullName;
    private readonly KeyRing _keys = new();

    private string Cache => Path.Combine(_directory, "cache");

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    // Seen to fail when values were written as they are.
    [Fact]
    public async Task A_value_is_encrypted_on_disk_and_comes_back_in_the_next_process()
    {
        await using (var first = Process())
        {
            await Cached(first).SetAsync("k", Encoding.UTF8.GetBytes(Secret), new(), TestContext.Current.CancellationToken);
            Assert.True(Holds("k"));
        }

        Assert.False(Holds(Secret));
        await using var second = Process();
        Assert.Equal(Secret, await Get(second, "k"));
    }

    // Seen to fail when values were written as they are.
    [Fact]
    public async Task A_lost_key_ring_is_a_miss_and_the_cache_goes_on_with_the_new_one()
    {
        await using (var first = Process())
        {
            await Cached(first).SetAsync("k", Encoding.UTF8.GetBytes(Secret), new(), TestContext.Current.CancellationToken);
        }

        _keys.Elements.Clear();
        await using (var second = Process())
        {
            Assert.Null(await Get(second, "k"));
            Assert.Equal(QuarantineReason.Undecryptable, Assert.Single(Cached(second).GetQuarantine()).Reason);
            await Cached(second).SetAsync("k", "new"u8.ToArray(), new(), TestContext.Current.CancellationToken);
        }

        await using var third = Process();
        Assert.Equal("new", await Get(third, "k"));
        Assert.Equal(0, Cached(third).GetStatus().DiskErrors);
    }

    // Seen to fail when every failure to decrypt counted as a lost key, and when the caller got the exception of Data Protection.
    [Fact]
    public async Task A_key_ring_that_cannot_be_had_costs_no_entry_and_puts_nothing_on_disk()
    {
        await using (var first = Process())
        {
            await Cached(first).SetAsync("k", Encoding.UTF8.GetBytes(Secret), new(), TestContext.Current.CancellationToken);
        }

        _keys.IsAway = true;
        await using (var second = Process())
        {
            Assert.Null(await Get(second, "k"));
            await Cached(second).SetAsync("other", Encoding.UTF8.GetBytes(Secret), new(), TestContext.Current.CancellationToken);
            Assert.Equal(Secret, await Get(second, "other"));
            Assert.Empty(Cached(second).GetQuarantine());
            Assert.Equal((DiskCacheMode.Normal, 0), (Cached(second).GetStatus().Mode, Cached(second).GetStatus().DiskErrors));
        }

        Assert.False(Holds(Secret));
        _keys.IsAway = false;
        await using var third = Process();
        Assert.Equal(Secret, await Get(third, "k"));
        Assert.Null(await Get(third, "other"));
    }

    [Fact]
    public void It_encrypts_all_caches_or_the_one_that_is_named_and_leaves_a_protector_of_the_application_alone()
    {
        var own = new OwnProtector();
        using var all = new ServiceCollection().AddDiskCacheDataProtection()
            .Configure<DiskDistributedCacheOptions>("own", options => options.UseProtector(own))
            .Configure<DiskDistributedCacheOptions>("none", options => options.UseProtector(null)).BuildServiceProvider();
        using var one = new ServiceCollection().AddDiskCacheDataProtection("a").BuildServiceProvider();

        Assert.NotNull(ProtectorOf(all, Options.DefaultName));
        Assert.NotNull(ProtectorOf(all, "a"));
        Assert.Same(own, ProtectorOf(all, "own"));
        Assert.Null(ProtectorOf(all, "none"));
        Assert.NotNull(ProtectorOf(one, "a"));
        Assert.Null(ProtectorOf(one, "b"));
        Assert.Null(ProtectorOf(one, Options.DefaultName));
        Assert.Throws<ArgumentNullException>("services", () => DiskCacheDataProtectionServiceCollectionExtensions.AddDiskCacheDataProtection(null!));
    }

    private static DiskCacheProtector? ProtectorOf(ServiceProvider services, string name) =>
        services.GetRequiredService<IOptionsMonitor<DiskDistributedCacheOptions>>().Get(name).GetProtector();

    private static DiskCache Cached(ServiceProvider services) => services.GetRequiredService<DiskCache>();

    private static async Task<string?> Get(ServiceProvider services, string key) =>
        await Cached(services).GetAsync(key, TestContext.Current.CancellationToken) is { } value ? Encoding.UTF8.GetString(value) : null;

    private ServiceProvider Process()
    {
        var services = new ServiceCollection();
        services.AddLogging();
        services.AddDiskCacheDataProtection();
        services.AddDiskDistributedCache(options =>
        {
            options.Directory = Cache;
            options.IoTimeout = TimeSpan.FromMinutes(1);
            options.BreakDuration = TimeSpan.FromMinutes(5);
        });
        services.Configure<KeyManagementOptions>(options => options.XmlRepository = _keys);
        return services.BuildServiceProvider();
    }

    private bool Holds(string text) =>
        Directory.EnumerateFiles(Cache, "*.seg", SearchOption.AllDirectories).Any(path =>
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            byte[] bytes = new byte[file.Length];
            file.ReadExactly(bytes);
            return bytes.AsSpan().IndexOf(Encoding.UTF8.GetBytes(text)) >= 0 || bytes.AsSpan().IndexOf(Encoding.Unicode.GetBytes(text)) >= 0;
        });

    private sealed class KeyRing : IXmlRepository
    {
        public List<XElement> Elements { get; } = [];

        public bool IsAway { get; set; }

        public IReadOnlyCollection<XElement> GetAllElements() =>
            IsAway ? throw new IOException("The key ring is away.") : Elements.ToArray();

        public void StoreElement(XElement element, string friendlyName)
        {
            if (IsAway)
            {
                throw new IOException("The key ring is away.");
            }

            Elements.Add(element);
        }
    }

    private sealed class OwnProtector : DiskCacheProtector
    {
        public override byte[] Protect(byte[] value) => value;

        public override byte[] Unprotect(byte[] protectedValue) => protectedValue;
    }
}
