using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace DiskDistributedCache.Tests;

/// <summary>Settings from the configuration, for one cache and for several.</summary>
public sealed class ConfigurationTests
{
    [Fact]
    public async Task The_section_holds_for_all_caches_and_that_of_a_name_has_the_last_word()
    {
        await using var services = Configured(
            ("Directory", "/common"), ("MaxDiskBytes", "16777216"), ("IoTimeout", "00:00:00.2"), ("MaxEntries", "1000"),
            ("images:MaxDiskBytes", "33554432"), ("IMAGES:VerifyWrites", "false"), ("thumbs:Directory", "/thumbs"));

        var plain = Options(services, "");
        Assert.Equal((16 << 20, 1000, "/common"), (plain.MaxDiskBytes, plain.MaxEntries, plain.Directory));
        Assert.True(plain.VerifyWrites);

        var images = Options(services, "images");
        Assert.Equal((32 << 20, 77, TimeSpan.FromMilliseconds(200)), (images.MaxDiskBytes, images.MaxEntries, images.IoTimeout));
        Assert.False(images.VerifyWrites);

        Assert.Equal(Path.Combine("/common", "images"), images.Directory);
        Assert.Equal("/thumbs", Options(services, "thumbs").Directory);
    }

    [Fact]
    public async Task What_the_default_cache_sets_in_code_is_its_own_but_for_the_place_of_the_others()
    {
        var collection = Collection([]);
        collection.AddDiskDistributedCache(options => (options.MaxEntries, options.Directory) = (5, "/moved"));
        await using var services = collection.BuildServiceProvider();

        Assert.Equal(5, Options(services, "").MaxEntries);
        Assert.Equal(2_000_000, Options(services, "thumbs").MaxEntries);
        Assert.Equal(Path.Combine("/moved", "thumbs"), Options(services, "thumbs").Directory);
    }

    // Seen to fail with DiskCacheSettings not registered as a validator: the cache starts with 1 GiB.
    [Theory]
    [InlineData("MaxDiskByte", "DiskDistributedCache: the configuration has 'MaxDiskByte', which is neither a setting nor the key", "Did you mean 'MaxDiskBytes'?")]
    [InlineData("image:MaxEntries", "DiskDistributedCache: the configuration has 'image', which is neither", "Did you mean 'images'?")]
    [InlineData("ConnectionString", "DiskDistributedCache: the configuration has 'ConnectionString'", "Correct it or take it out.")]
    [InlineData("images:iotimeuot", "DiskDistributedCache:images: the configuration has 'iotimeuot', which is no setting.", "Did you mean 'IoTimeout'?")]
    public async Task A_setting_that_does_not_exist_is_named_with_what_was_meant(string key, string what, string advice)
    {
        await using var services = Configured(("Directory", "/common"), (key, "1"));

        var refusal = Assert.Throws<OptionsValidationException>(() => services.GetRequiredService<IStartupValidator>().Validate());

        Assert.Contains(what, Assert.Single(refusal.Failures), StringComparison.Ordinal);
        Assert.Contains(advice, refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_common_section_is_looked_after_where_there_is_no_default_cache()
    {
        var collection = Collection([("Directroy", "/typo")], plain: false);
        await using var services = collection.BuildServiceProvider();

        var refusal = Assert.Throws<OptionsValidationException>(() => services.GetRequiredService<IStartupValidator>().Validate());

        Assert.Contains("Did you mean 'Directory'?", Assert.Single(refusal.Failures), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_key_with_colons_is_a_section_inside_a_section()
    {
        var collection = Collection([("team:site:MaxEntries", "9")]);
        collection.AddKeyedDiskDistributedCache("team:site");
        await using var services = collection.BuildServiceProvider();

        services.GetRequiredService<IStartupValidator>().Validate();

        Assert.Equal(9, Options(services, "team:site").MaxEntries);
    }

    [Fact]
    public async Task A_value_that_cannot_be_read_is_reported_with_its_path()
    {
        await using var services = Configured(("images:MaxDiskBytes", "1 GiB"));

        var refusal = Assert.Throws<InvalidOperationException>(() => Options(services, "images"));

        Assert.Contains("DiskDistributedCache:images:MaxDiskBytes", refusal.Message, StringComparison.Ordinal);
    }

    private static DiskDistributedCacheOptions Options(IServiceProvider services, string name) =>
        services.GetRequiredService<IOptionsMonitor<DiskDistributedCacheOptions>>().Get(name);

    private static ServiceProvider Configured(params (string Key, string Value)[] settings) => Collection(settings).BuildServiceProvider();

    private static ServiceCollection Collection((string Key, string Value)[] settings, bool plain = true)
    {
        var services = new ServiceCollection();
        services.AddSingleton<IConfiguration>(new ConfigurationBuilder()
            .AddInMemoryCollection(settings.Select(each => KeyValuePair.Create($"DiskDistributedCache:{each.Key}", (string?)each.Value)))
            .Build());
        if (plain)
        {
            services.AddDiskDistributedCache();
        }

        services.AddKeyedDiskDistributedCache("images", options => options.MaxEntries = 77);
        services.AddKeyedDiskDistributedCache("thumbs");
        return services;
    }
}
