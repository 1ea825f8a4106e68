using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace DiskDistributedCache;

/// <summary>
/// Gives every cache of the application a directory, and no two of them the same: without a setting the default cache has a
/// folder named after the application, and a keyed one a folder with its name inside the directory of the default cache, so
/// that one setting moves all of them to another disk. Two caches in one directory would both start, one of them without a disk for
/// as long as the application runs; that is a mistake in the settings, and the only place that sees both is the container.
///
/// Guard: <c>_owners</c> belongs to its own lock.
/// </summary>
internal sealed class DiskCacheDirectories(IServiceProvider services)
    : IPostConfigureOptions<DiskDistributedCacheOptions>, IValidateOptions<DiskDistributedCacheOptions>
{
    private readonly Lock _lock = new();

    // The default file systems of Windows and macOS take names that differ in case for the same. Links are not followed: who
    // names one folder twice that way has a second cache that works from memory and says so.
    private readonly Dictionary<string, DiskCacheRegistration> _owners = new(
        OperatingSystem.IsWindows() || OperatingSystem.IsMacOS() ? StringComparer.OrdinalIgnoreCase : StringComparer.Ordinal);

    public void PostConfigure(string? name, DiskDistributedCacheOptions options)
    {
        if (string.IsNullOrEmpty(name))
        {
            options.Directory ??= FolderOfApplication();
            return;
        }

        options.Name = name;
        options.Directory ??= DirectoryOfDefaultCache() is { } parent ? DefaultDirectory.Within(parent, name) : null;
    }

    public ValidateOptionsResult Validate(string? name, DiskDistributedCacheOptions options)
    {
        var registration = services.GetServices<DiskCacheRegistration>().FirstOrDefault(each => each.Name == name);
        if (registration is null
            || string.IsNullOrWhiteSpace(options.Directory)
            || options.Directory.AsSpan().IndexOfAny(Path.GetInvalidPathChars()) >= 0)
        {
            return ValidateOptionsResult.Skip;
        }

        return Claim(Path.TrimEndingDirectorySeparator(Path.GetFullPath(options.Directory)), registration) is { } owner
            ? ValidateOptionsResult.Fail(
                $"{DiskCacheRegistration.SectionOf(registration.Name)}: Directory of {registration.Title} is '{options.Directory}', which "
                + $"is the directory of {owner.Title} too. A directory holds one cache. Set another one for either, or "
                + "leave it out for the keyed one: then it has a folder of its own.")
            : ValidateOptionsResult.Success;
    }

    /// <summary>Takes a directory for a cache, in place of the one it had, and returns the other cache that has it, if there is one.</summary>
    private DiskCacheRegistration? Claim(string directory, DiskCacheRegistration registration)
    {
        lock (_lock)
        {
            if (_owners.TryGetValue(directory, out var owner) && owner.Name != registration.Name)
            {
                return owner;
            }

            foreach (var (left, _) in _owners.Where(each => each.Value.Name == registration.Name).ToArray())
            {
                _owners.Remove(left);
            }

            _owners.Add(directory, registration);
            return null;
        }
    }

    private string? DirectoryOfDefaultCache()
    {
        try
        {
            return services.GetRequiredService<IOptionsMonitor<DiskDistributedCacheOptions>>().Get(Options.DefaultName).Directory;
        }
        catch (OptionsValidationException)
        {
            // Whoever uses the default cache is told by it. This one has settings of its own, which are judged by themselves.
            return FolderOfApplication();
        }
    }

    private string? FolderOfApplication()
    {
        var host = services.GetService<IHostEnvironment>();
        return DefaultDirectory.Find(host?.ApplicationName, host?.ContentRootPath);
    }
}
