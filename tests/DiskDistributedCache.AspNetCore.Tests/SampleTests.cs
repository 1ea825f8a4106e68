using System.Net;
using System.Text.Json;
using Xunit;

namespace DiskDistributedCache.AspNetCore.Tests;

/// <summary>The sample site, driven over HTTP. A second site over the same directory is the restarted first one.</summary>
public sealed class SampleTests : IDisposable
{
    private const string Report = "/reports/cost-by-size";
    private readonly string _directory = Directory.CreateTempSubdirectory("sample-tests-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task The_home_page_links_to_every_report_and_has_a_button_that_evicts()
    {
        await using var site = new SampleSite(_directory);

        var page = await site.GetAsync("/");

        Assert.Equal(HttpStatusCode.OK, page.Status);
        Assert.Null(page.Cache);
        foreach (var name in await site.ReportNamesAsync())
        {
            Assert.Contains($"href=\"/reports/{name}\"", page.Body, StringComparison.Ordinal);
        }

        Assert.Contains("action=\"/evict/reports\"", page.Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Every_listed_report_can_be_read()
    {
        await using var site = new SampleSite(_directory);

        var names = await site.ReportNamesAsync();

        Assert.True(names.Length >= 4);
        foreach (var name in names)
        {
            var report = await site.GetAsync($"/reports/{name}");
            using var json = JsonDocument.Parse(report.Body);
            Assert.Equal(name, json.RootElement.GetProperty("name").GetString());
            Assert.NotEqual(0, json.RootElement.GetProperty("groups").GetArrayLength());
        }
    }

    [Fact]
    public async Task The_mean_of_a_group_lies_within_its_confidence_interval()
    {
        await using var site = new SampleSite(_directory);

        using var json = JsonDocument.Parse((await site.GetAsync(Report)).Body);

        Assert.All(json.RootElement.GetProperty("groups").EnumerateArray(), group => Assert.InRange(
            group.GetProperty("mean").GetDouble(),
            group.GetProperty("meanLow").GetDouble(),
            group.GetProperty("meanHigh").GetDouble()));
    }

    [Fact]
    public async Task A_report_is_made_once_and_then_served_from_memory()
    {
        await using var site = new SampleSite(_directory);

        var first = await site.GetAsync(Report);
        var second = await site.GetAsync(Report);

        Assert.Equal("MISS", first.Cache);
        Assert.Equal("HIT memory", second.Cache);
        Assert.Equal(first.Body, second.Body);
    }

    [Fact]
    public async Task Requests_at_one_time_for_one_report_share_one_computation()
    {
        await using var site = new SampleSite(_directory);

        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => site.GetAsync(Report)));

        Assert.Single(answers, answer => answer.Cache == "MISS");
        Assert.Equal(7, answers.Count(answer => answer.Cache == "HIT memory"));
        Assert.Single(answers.Select(answer => answer.Body).Distinct());
    }

    [Fact]
    public async Task An_invented_query_string_does_not_make_another_entry()
    {
        await using var site = new SampleSite(_directory);

        await site.GetAsync(Report);

        Assert.Equal("HIT memory", (await site.GetAsync($"{Report}?invented=1")).Cache);
    }

    [Fact]
    public async Task A_restarted_site_serves_a_report_from_disk_without_making_it_again()
    {
        SampleAnswer made;
        await using (var site = new SampleSite(_directory))
        {
            made = await site.GetAsync(Report);
        }

        await using var restarted = new SampleSite(_directory);
        var fromDisk = await restarted.GetAsync(Report);
        var promoted = await restarted.GetAsync(Report);

        Assert.Equal("HIT disk", fromDisk.Cache);
        Assert.Equal(made.Body, fromDisk.Body);
        Assert.Equal("HIT memory", promoted.Cache);
        Assert.Equal(made.Body, promoted.Body);
    }

    [Fact]
    public async Task An_evicted_report_is_made_again()
    {
        await using var site = new SampleSite(_directory);
        await site.GetAsync(Report);

        var eviction = await site.EvictAsync("reports");

        Assert.Equal(HttpStatusCode.OK, eviction.Status);
        Assert.Equal("""{"evictedTag":"reports"}""", eviction.Body);
        Assert.Equal("MISS", (await site.GetAsync(Report)).Cache);
        Assert.Equal("HIT memory", (await site.GetAsync(Report)).Cache);
    }

    [Fact]
    public async Task An_evicted_report_stays_gone_after_a_restart()
    {
        await using (var site = new SampleSite(_directory))
        {
            await site.GetAsync(Report);
            await site.EvictAsync("reports");
        }

        await using var restarted = new SampleSite(_directory);

        Assert.Equal("MISS", (await restarted.GetAsync(Report)).Cache);
    }

    [Fact]
    public async Task Evicting_another_tag_leaves_the_reports()
    {
        await using var site = new SampleSite(_directory);
        await site.GetAsync(Report);

        await site.EvictAsync("Reports");

        Assert.Equal("HIT memory", (await site.GetAsync(Report)).Cache);
    }

    [Fact]
    public async Task A_tag_that_is_too_long_is_refused()
    {
        await using var site = new SampleSite(_directory);

        Assert.Equal(HttpStatusCode.BadRequest, (await site.EvictAsync(new string('t', 65))).Status);
    }

    [Fact]
    public async Task An_unknown_report_is_not_found_and_not_cached()
    {
        await using var site = new SampleSite(_directory);

        var first = await site.GetAsync("/reports/invented");
        var second = await site.GetAsync("/reports/invented");

        Assert.Equal(HttpStatusCode.NotFound, first.Status);
        Assert.Equal(HttpStatusCode.NotFound, second.Status);
        Assert.Equal("MISS", second.Cache);
    }

    [Fact]
    public async Task A_record_is_looked_up_once_and_then_served_from_memory()
    {
        await using var site = new SampleSite(_directory);

        var first = await site.GetAsync("/items/5000");
        var second = await site.GetAsync("/items/5000");

        using var json = JsonDocument.Parse(first.Body);
        Assert.Equal(5000, json.RootElement.GetProperty("id").GetInt32());
        Assert.Equal("MISS", first.Cache);
        Assert.Equal("HIT memory", second.Cache);
        Assert.Equal(first.Body, second.Body);
    }

    [Fact]
    public async Task A_restarted_site_serves_a_record_from_disk()
    {
        SampleAnswer read;
        await using (var site = new SampleSite(_directory))
        {
            read = await site.GetAsync("/items/1");
        }

        await using var restarted = new SampleSite(_directory);
        var fromDisk = await restarted.GetAsync("/items/1");

        Assert.Equal("HIT disk", fromDisk.Cache);
        Assert.Equal(read.Body, fromDisk.Body);
    }

    [Theory]
    [InlineData("/items/0")]
    [InlineData("/items/-1")]
    [InlineData("/items/10001")]
    [InlineData("/items/99999999999")]
    [InlineData("/items/text")]
    public async Task A_record_that_the_log_does_not_have_is_not_found(string path)
    {
        await using var site = new SampleSite(_directory);

        Assert.Equal(HttpStatusCode.NotFound, (await site.GetAsync(path)).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await site.GetAsync(path)).Status);
    }

    [Fact]
    public async Task The_status_names_its_mode_and_counts_hits()
    {
        await using var site = new SampleSite(_directory);
        await site.GetAsync(Report);
        await site.GetAsync(Report);

        using var status = JsonDocument.Parse((await site.GetAsync("/status")).Body);

        Assert.True(Enum.TryParse<DiskCacheMode>(status.RootElement.GetProperty("mode").GetString(), out _));
        Assert.Equal(1, status.RootElement.GetProperty("memoryHits").GetInt64());
        Assert.Equal(JsonValueKind.Null, status.RootElement.GetProperty("lastFault").ValueKind);
        Assert.Equal(JsonValueKind.Null, status.RootElement.GetProperty("reason").ValueKind);
        Assert.Equal(0, status.RootElement.GetProperty("owedWrites").GetInt64());
        Assert.True(Enum.TryParse<DiskHealthState>(status.RootElement.GetProperty("diskHealth").GetString(), out _));
    }

    [Fact]
    public async Task The_health_check_of_a_site_with_a_healthy_disk_is_healthy()
    {
        await using var site = new SampleSite(_directory);

        var health = await site.GetAsync("/health");

        Assert.Equal(HttpStatusCode.OK, health.Status);
        Assert.Equal("Healthy", health.Body);
    }
}
