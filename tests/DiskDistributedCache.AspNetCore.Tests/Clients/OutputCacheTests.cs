using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.OutputCaching;
using Microsoft.Extensions.DependencyInjection;

namespace DiskDistributedCache.AspNetCore.Tests.Clients;

/// <summary>What the output-caching middleware asks of its store, each thing with the responses of an earlier process too.</summary>
public sealed class OutputCacheTests : IAsyncLifetime
{
    private const int MaximumBodyBytes = 1 << 20;

    private readonly ClientScene _scene;
    private readonly TaskCompletionSource _entered = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _renderings;
    private int _awaitedRenderings = 1;

    public OutputCacheTests() => _scene = new ClientScene(
        services => services.AddDiskOutputCache(options => options.MaxEntryBytes = 4 * MaximumBodyBytes).AddOutputCache(options =>
        {
            options.MaximumBodySize = MaximumBodyBytes;
            options.AddBasePolicy(policy => policy.Expire(TimeSpan.FromHours(1)).Tag("all"));
            options.AddPolicy("by query", policy => policy.SetVaryByQuery("q"));
            options.AddPolicy("by header", policy => policy.SetVaryByHeader("X-Lang"));
            options.AddPolicy("by route", policy => policy.SetVaryByRouteValue("id").SetCacheKeyPrefix("route"));
            options.AddPolicy("by value", policy => policy.VaryByValue(
                context => KeyValuePair.Create("user", $"{context.Request.Headers["X-User"]}")));
            options.AddPolicy("unlocked", policy => policy.SetLocking(false));
            options.AddPolicy("never", policy => policy.NoCache());
        }),
        app =>
        {
            app.UseOutputCache();
            app.MapGet("/base", () => Render());
            app.MapGet("/query", () => Render()).CacheOutput("by query");
            app.MapGet("/header", () => Render()).CacheOutput("by header");
            app.MapGet("/route/{id}", () => Render()).CacheOutput("by route");
            app.MapGet("/value", () => Render()).CacheOutput("by value");
            app.MapGet("/never", () => Render()).CacheOutput("never");
            app.MapGet("/bytes/{count:int}", (int count) => RenderBytes(count));
            app.MapGet("/slow", RenderSlowlyAsync);
            app.MapGet("/slow/unlocked", RenderSlowlyAsync).CacheOutput("unlocked");
        });

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => await _scene.StartAsync();

    public ValueTask DisposeAsync() => _scene.DisposeAsync();

    [Theory]
    [InlineData("/query?q=1", "/query?q=2", "/query?q=1&other=3")]
    [InlineData("/header#en", "/header#de", "/header@bob#en")]
    [InlineData("/route/1", "/route/2", "/route/1@bob#en")]
    [InlineData("/value@ann", "/value@bob", "/value@ann#en")]
    [InlineData("/base", "/base?q=1", "/base@bob#en")]
    public async Task Responses_vary_by_what_their_policy_says_also_after_a_restart(string path, string another, string same)
    {
        string[] made = [await GetAsync(path), await GetAsync(another)];
        Assert.NotEqual(made[0], made[1]);

        for (int start = 1; start <= 2; start++)
        {
            Assert.Equal(made[0], await GetAsync(path));
            Assert.Equal(made[1], await GetAsync(another));
            Assert.Equal(made[0], await GetAsync(same));
            await _scene.RestartAsync();
        }

        Assert.Equal(2, _renderings);
    }

    [Fact]
    public async Task What_no_policy_caches_is_not_stored()
    {
        await GetAsync("/never");
        await _scene.RestartAsync();
        Assert.NotEqual(await GetAsync("/never"), await GetAsync("/never"));
        Assert.Equal(3, _renderings);
    }

    [Fact]
    public async Task A_tag_of_a_base_policy_takes_the_responses_of_all_policies()
    {
        foreach (string path in new[] { "/base", "/query?q=1", "/header#en" })
        {
            await GetAsync(path);
        }

        await _scene.Services.GetRequiredService<IOutputCacheStore>().EvictByTagAsync("all", Token);
        await _scene.RestartAsync();

        foreach (string path in new[] { "/base", "/query?q=1", "/header#en" })
        {
            await GetAsync(path);
        }

        Assert.Equal(6, _renderings);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_response_lives_as_long_as_its_policy_says_and_a_restart_does_not_extend_that(bool restart)
    {
        await GetAsync("/base");
        _scene.Time.Advance(TimeSpan.FromHours(1) - TimeSpan.FromTicks(1));
        if (restart)
        {
            await _scene.RestartAsync();
        }

        await GetAsync("/base");
        Assert.Equal(1, _renderings);

        _scene.Time.Advance(TimeSpan.FromTicks(1));
        await GetAsync("/base");
        Assert.Equal(2, _renderings);
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData((64 << 10) + 1, true)]
    [InlineData(300_000, true)]
    [InlineData(MaximumBodyBytes, true)]
    [InlineData(MaximumBodyBytes + 1, false)]
    public async Task Bodies_come_back_whole_up_to_the_largest_that_is_cached(int count, bool isCached)
    {
        byte[] made = await GetBytesAsync(count);
        byte[] fromMemory = await GetBytesAsync(count);
        await _scene.RestartAsync();
        byte[] fromDisk = await GetBytesAsync(count);

        Assert.Equal(count, made.Length);
        Assert.Equal(isCached ? made : Body(count, rendering: 2), fromMemory);
        Assert.Equal(isCached ? made : Body(count, rendering: 3), fromDisk);
        Assert.Equal(isCached ? 1 : 3, _renderings);
        Assert.Equal(isCached ? 1 : 0, _scene.Cache.GetStatus().DiskHits);
    }

    [Fact]
    public async Task Requests_at_one_time_share_one_rendering_if_the_policy_locks()
    {
        var first = GetAsync("/slow");
        await _entered.Task;
        var others = Enumerable.Range(0, 5).Select(_ => GetAsync("/slow")).ToArray();
        _released.SetResult();

        string made = await first;
        Assert.All(await Task.WhenAll(others), other => Assert.Equal(made, other));
        Assert.Equal(1, _renderings);
    }

    [Fact]
    public async Task Requests_at_one_time_are_rendered_each_if_the_policy_does_not_lock_and_the_last_one_rules()
    {
        _awaitedRenderings = 3;
        var requests = Enumerable.Range(0, 3).Select(_ => GetAsync("/slow/unlocked")).ToArray();
        await _entered.Task;
        _released.SetResult();
        string[] made = await Task.WhenAll(requests);

        Assert.Equal(3, made.Distinct().Count());
        string kept = await GetAsync("/slow/unlocked");
        await _scene.RestartAsync();
        Assert.Contains(kept, made);
        Assert.Equal(kept, await GetAsync("/slow/unlocked"));
        Assert.Equal(3, _renderings);
    }

    private static byte[] Body(int count, int rendering)
    {
        byte[] body = new byte[count];
        new Random(rendering).NextBytes(body);
        return body;
    }

    private string Render() => $"rendering {Interlocked.Increment(ref _renderings)}";

    private IResult RenderBytes(int count) => Results.Bytes(Body(count, Interlocked.Increment(ref _renderings)));

    private async Task<string> RenderSlowlyAsync()
    {
        string rendered = Render();
        if (Volatile.Read(ref _renderings) == _awaitedRenderings)
        {
            _entered.SetResult();
        }

        await _released.Task;
        return rendered;
    }

    private async Task<byte[]> GetBytesAsync(int count)
    {
        using var client = _scene.CreateClient();
        return await client.GetByteArrayAsync(new Uri($"/bytes/{count}", UriKind.Relative), Token);
    }

    /// <summary>Asks for a path; what stands behind a # is the language, and behind an @ the user.</summary>
    private async Task<string> GetAsync(string request)
    {
        using var client = _scene.CreateClient();
        string[] parts = request.Split('#');
        string[] place = parts[0].Split('@');
        using var message = new HttpRequestMessage(HttpMethod.Get, place[0]);
        message.Headers.Add("X-Lang", parts.ElementAtOrDefault(1) ?? "none");
        message.Headers.Add("X-User", place.ElementAtOrDefault(1) ?? "none");
        using var response = await client.SendAsync(message, Token);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return await response.Content.ReadAsStringAsync(Token);
    }
}
