using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace DiskDistributedCache.AspNetCore.Tests.Clients;

/// <summary>The recipes of docs/clients.md are the code that is compiled here, and they work.</summary>
public sealed class ClientRecipesTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("diskcache-recipe-test-").FullName;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    // Seen to fail with a word changed in the docs.
    [Fact]
    public void The_recipes_in_the_docs_are_those_that_are_compiled()
    {
        string root = Root();
        string compiled = Unindented(File.ReadAllText(Path.Combine(root, "tests/DiskDistributedCache.AspNetCore.Tests/Clients/ClientRecipes.cs")));
        string docs = File.ReadAllText(Path.Combine(root, "docs/clients.md"));
        string[] recipes = [.. docs.Split("```csharp\n").Skip(1).Select(rest => rest[..rest.IndexOf("```", StringComparison.Ordinal)])];

        Assert.Equal(4, recipes.Length);
        Assert.All(recipes, recipe => Assert.Contains(Unindented(recipe), compiled, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("/reports/a", "report a", "/evict")]
    [InlineData("/items/a", "item a", "/evict-items")]
    [InlineData("/products/a", "product a", "/evict-products")]
    public async Task A_recipe_answers_is_warm_after_a_restart_and_evicts(string path, string answer, string evict)
    {
        for (int start = 1; start <= 2; start++)
        {
            await using var app = await StartAsync(path);
            using var client = app.GetTestClient();
            Assert.Equal(answer, await client.GetStringAsync(new Uri(path, UriKind.Relative), Token));
            if (path == "/items/a")
            {
                await HybridCacheClient.StoredAsync(app.Services.GetRequiredService<DiskCache>(), "item:a", answer);
            }

            Assert.Equal(start == 2, app.Services.GetRequiredService<DiskCache>().GetStatus().DiskHits > 0);
            if (start == 2)
            {
                using var evicted = await client.PostAsync(new Uri(evict, UriKind.Relative), content: null, Token);
                Assert.Equal(HttpStatusCode.OK, evicted.StatusCode);
            }
        }
    }

    [Fact]
    public async Task The_recipe_for_sessions_counts_visits_over_a_restart()
    {
        string? cookie = null;
        for (int visit = 1; visit <= 2; visit++)
        {
            await using var app = await StartAsync("/visits");
            using var client = app.GetTestClient();
            client.DefaultRequestHeaders.Add("Cookie", cookie ?? "none=yet");
            using var response = await client.GetAsync(new Uri("/visits", UriKind.Relative), Token);
            Assert.Equal($"{visit}", await response.Content.ReadAsStringAsync(Token));
            cookie = visit == 1 ? response.Headers.GetValues("Set-Cookie").Single().Split(';')[0] : cookie;
        }
    }

    private async Task<WebApplication> StartAsync(string path)
    {
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions { EnvironmentName = "Test", ContentRootPath = _directory });
        builder.WebHost.UseTestServer();
        builder.Logging.ClearProviders();
        builder.Services.PostConfigure<DiskDistributedCacheOptions>(options =>
        {
            options.Directory = _directory;
            options.IoTimeout = TimeSpan.FromSeconds(20);
        });
        var app = path.Split('/')[1] switch
        {
            "reports" => ClientRecipes.OutputCaching(builder),
            "items" => ClientRecipes.Hybrid(builder),
            "products" => ClientRecipes.Fusion(builder),
            _ => ClientRecipes.Sessions(builder, Path.Combine(_directory, "keys")),
        };
        await app.StartAsync(Token);
        await app.Services.GetRequiredService<DiskCache>().StartAsync();
        return app;
    }

    private static string Unindented(string code) => string.Join('\n', code.Split('\n').Select(line => line.Trim()));

    private static string Root()
    {
        string root = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(root, "DiskDistributedCache.sln")))
        {
            root = Path.GetDirectoryName(root) ?? throw new InvalidOperationException("The tests do not run inside the repository.");
        }

        return root;
    }
}
