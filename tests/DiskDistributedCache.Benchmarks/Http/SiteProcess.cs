using System.Diagnostics;

namespace DiskDistributedCache.Benchmarks.Http;

/// <summary>A <see cref="ReportSite"/> in a process of its own, on its free port. It ends with the run.</summary>
internal sealed class SiteProcess : IAsyncDisposable
{
    private readonly Process _process;

    private SiteProcess(string store, Process process, Uri address)
    {
        (Store, _process, Address) = (store, process, address);
        AppDomain.CurrentDomain.ProcessExit += Kill;
    }

    public string Store { get; }

    public Uri Address { get; }

    public static async Task<SiteProcess> StartAsync(string store, string place)
    {
        var process = ThisProgram.Start(ReportSite.Command, store, place);
        string? address = await process.StandardOutput.ReadLineAsync();
        var site = address is not null
            ? new SiteProcess(store, process, new Uri(address))
            : throw new InvalidOperationException($"The site with the store '{store}' did not start.");

        // Makes the report. Everybody else gets it from the cache.
        using var client = new HttpClient { BaseAddress = site.Address };
        await client.GetStringAsync(ReportSite.Path);
        return site;
    }

    public async ValueTask DisposeAsync()
    {
        AppDomain.CurrentDomain.ProcessExit -= Kill;
        _process.StandardInput.Close();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    private void Kill(object? sender, EventArgs exit) => _process.Kill();
}
