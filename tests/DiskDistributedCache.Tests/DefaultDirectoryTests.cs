namespace DiskDistributedCache.Tests;

public sealed class DefaultDirectoryTests
{
    [Fact]
    public void The_folder_is_named_after_the_application_and_its_root()
    {
        string one = Find("Shop", "/srv/one");

        Assert.StartsWith("Shop-", Path.GetFileName(one), StringComparison.Ordinal);
        Assert.Equal(one, Find("Shop", "/srv/one"));
        Assert.Equal(one, Find("Shop", "/srv/one/"));
        Assert.NotEqual(one, Find("Shop", "/srv/two"));
        Assert.NotEqual(one, Find("Till", "/srv/one"));
    }

    [Fact]
    public void The_folder_is_under_the_users_cache_folder_and_not_in_a_shared_temp_directory()
    {
        string home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        string? caches = Environment.GetEnvironmentVariable("XDG_CACHE_HOME");
        string expected = OperatingSystem.IsWindows()
            ? Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData)
            : caches is not null && Path.IsPathRooted(caches) ? caches : Path.Combine(home, ".cache");

        Assert.Equal(expected, Path.GetDirectoryName(Find("Shop", "/srv/one")));
    }

    [Theory]
    [InlineData("../../etc")]
    [InlineData("a/b\\c:d")]
    [InlineData("naïve\0app")]
    [InlineData("..")]
    public void A_name_that_is_no_file_name_is_made_one(string name)
    {
        string folder = Path.GetFileName(Find(name, "/srv/one"));

        Assert.Matches("^[A-Za-z0-9._-]+-[0-9a-f]{8}$", folder);
    }

    [Fact]
    public void A_very_long_name_is_cut() =>
        Assert.True(Path.GetFileName(Find(new string('x', 1_000), "/srv/one")).Length < 100);

    [Fact]
    public void Without_a_host_the_program_gives_name_and_root() =>
        Assert.Equal(Find(typeof(DefaultDirectoryTests).Assembly.GetName().Name, AppContext.BaseDirectory), Find(null, null));

    private static string Find(string? name, string? root) =>
        DefaultDirectory.Find(name, root) ?? throw new InvalidOperationException("These tests need a user with a home.");
}
