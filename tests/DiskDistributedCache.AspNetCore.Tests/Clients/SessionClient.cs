using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace DiskDistributedCache.AspNetCore.Tests.Clients;

/// <summary>Values in sessions. A group is a session: a browser with a cookie of its own, which it keeps while the site restarts.</summary>
public sealed class SessionClient : CacheClient
{
    private readonly ConcurrentDictionary<string, string> _cookies = new();

    public SessionClient()
    {
        // The cookie of a session is protected; without keys on disk no browser would be known after a restart.
        string keys = Directory.CreateTempSubdirectory("diskcache-client-keys-").FullName;
        Keys = new DirectoryInfo(keys);
        Scene = new ClientScene(
            services =>
            {
                services.AddDataProtection().PersistKeysToFileSystem(Keys);
                services.AddDiskDistributedCache();
                services.AddSession(options => options.IdleTimeout = IdleTimeout);
            },
            app =>
            {
                app.UseSession();
                app.MapGet("/ask/{key}", Ask);
                app.MapGet("/read/{key}", Read);
                app.MapGet("/set/{key}", (string key, string value, HttpContext context) => context.Session.SetString(key, value));
                app.MapGet("/remove/{key}", (string key, HttpContext context) => context.Session.Remove(key));
                app.MapGet("/clear", (HttpContext context) => context.Session.Clear());
            });
    }

    /// <summary>How long a session lives that nobody visits.</summary>
    public TimeSpan IdleTimeout { get; set; } = TimeSpan.FromDays(1);

    /// <summary>A session that was found empty has nothing to clear, so nothing is stored.</summary>
    public override bool ChangesWhatItCannotRead => false;

    internal override ClientScene Scene { get; }

    private DirectoryInfo Keys { get; }

    public override Task<string> AskAsync(string group, string key, string ifMade) => GetAsync(group, $"/ask/{key}?ifMade={ifMade}");

    public override Task SetAsync(string group, string key, string value) => GetAsync(group, $"/set/{key}?value={value}");

    public override Task RemoveAsync(string group, string key) => GetAsync(group, $"/remove/{key}");

    public override Task RemoveGroupAsync(string group) => GetAsync(group, "/clear");

    /// <summary>What a key of a session has, or nothing. The session is not changed.</summary>
    public Task<string> ReadAsync(string group, string key) => LoadAndReadAsync(group, key, isLoadedFirst: false);

    /// <summary>The same. The application may load a session asynchronously first; if it does not, its first use is synchronous.</summary>
    public Task<string> LoadAndReadAsync(string group, string key, bool isLoadedFirst) =>
        GetAsync(group, $"/read/{key}?isLoadedFirst={isLoadedFirst}");

    private static string Ask(string key, string ifMade, HttpContext context)
    {
        if (context.Session.GetString(key) is { } value)
        {
            return value;
        }

        context.Session.SetString(key, ifMade);
        return ifMade;
    }

    private static async Task<string> Read(string key, bool isLoadedFirst, HttpContext context)
    {
        if (isLoadedFirst)
        {
            await context.Session.LoadAsync();
        }

        return context.Session.GetString(key) ?? "";
    }

    private async Task<string> GetAsync(string browser, string path)
    {
        using var client = Scene.CreateClient();
        if (_cookies.TryGetValue(browser, out string? cookie))
        {
            client.DefaultRequestHeaders.Add("Cookie", cookie);
        }

        using var response = await client.GetAsync(new Uri(path, UriKind.Relative));
        response.EnsureSuccessStatusCode();
        if (response.Headers.TryGetValues("Set-Cookie", out var cookies))
        {
            _cookies[browser] = cookies.Single().Split(';')[0];
        }

        return await response.Content.ReadAsStringAsync();
    }
}
