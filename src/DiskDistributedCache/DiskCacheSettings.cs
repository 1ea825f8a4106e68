using System.Reflection;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace DiskDistributedCache;

/// <summary>
/// Reads the settings of a cache from the configuration. The section <c>DiskDistributedCache</c> holds for all caches of the
/// application, as <c>Logging:LogLevel</c> does for all loggers; a keyed cache reads it first and then its own,
/// <c>DiskDistributedCache:name</c>. Only the directory is not handed down: each cache has to have its own, see
/// <see cref="DiskCacheDirectories"/>.
///
/// What is in a section and is nothing that could be set is a mistake. A misspelled <c>Directory</c> would otherwise be found
/// out after the first deployment that starts cold, a misspelled <c>MaxDiskBytes</c> never.
/// </summary>
internal sealed class DiskCacheSettings(IServiceProvider services)
    : IConfigureNamedOptions<DiskDistributedCacheOptions>, IValidateOptions<DiskDistributedCacheOptions>
{
    // A longer way to a setting is a guess and not a misspelling.
    private const int MaxTypos = 3;

    /// <summary>What a section may set. A setting that is code cannot be written there.</summary>
    private static readonly string[] s_settings = typeof(DiskDistributedCacheOptions)
        .GetProperties(BindingFlags.Public | BindingFlags.Instance)
        .Where(property => property.CanWrite && !property.PropertyType.IsAssignableTo(typeof(Delegate)))
        .Select(property => property.Name)
        .ToArray();

    public static bool IsSetting(string name) => s_settings.Contains(name, StringComparer.OrdinalIgnoreCase);

    public void Configure(DiskDistributedCacheOptions options) => Configure(Options.DefaultName, options);

    public void Configure(string? name, DiskDistributedCacheOptions options)
    {
        if (Section(Options.DefaultName) is not { } common)
        {
            return;
        }

        common.Bind(options);
        if (!string.IsNullOrEmpty(name))
        {
            options.Directory = null;
            common.GetSection(name).Bind(options);
        }
    }

    public ValidateOptionsResult Validate(string? name, DiskDistributedCacheOptions options)
    {
        var registrations = services.GetServices<DiskCacheRegistration>().ToArray();
        if (name is null || !registrations.Any(registration => registration.Name == name))
        {
            return ValidateOptionsResult.Skip;
        }

        var mistakes = Unknown(name, registrations);
        if (name.Length > 0 && registrations[0].Name == name && registrations.All(registration => registration.Key is not null))
        {
            // Without a default cache somebody has to look after the section of all.
            mistakes = [.. Unknown(Options.DefaultName, registrations), .. mistakes];
        }

        return mistakes.Length > 0 ? ValidateOptionsResult.Fail(mistakes) : ValidateOptionsResult.Success;
    }

    private IConfigurationSection? Section(string name) =>
        services.GetService<IConfiguration>()?.GetSection(DiskCacheRegistration.SectionOf(name));

    private string[] Unknown(string name, DiskCacheRegistration[] registrations)
    {
        var names = registrations.Select(registration => registration.Name).ToArray();
        return (Section(name)?.GetChildren() ?? [])
            .Select(child => child.Key)
            .Where(key => !IsSetting(key) && !names.Any(other => BeginsWith(other, name.Length == 0 ? key : $"{name}:{key}")))
            .Select(key => Describe(name, key, [.. s_settings, .. name.Length == 0 ? names : []]))
            .ToArray();
    }

    /// <summary>Whether a section of the configuration is that of a cache, or has it somewhere inside: a key may contain colons.</summary>
    private static bool BeginsWith(string name, string path) =>
        name.StartsWith(path, StringComparison.OrdinalIgnoreCase) && (name.Length == path.Length || name[path.Length] == ':');

    private static string Describe(string name, string key, string[] known)
    {
        var nearest = known.Select(each => (Name: each, Typos: Distance(each, key))).MinBy(each => each.Typos);
        string advice = nearest.Typos <= MaxTypos && nearest.Typos < key.Length ? $"Did you mean '{nearest.Name}'? " : "";
        string what = name.Length == 0 ? "neither a setting nor the key of a registered cache" : "no setting";
        return $"{DiskCacheRegistration.SectionOf(name)}: the configuration has '{key}', which is {what}. {advice}Correct it or take it out.";
    }

    /// <summary>How many characters have to be put in, taken out or changed to make one text of the other (Levenshtein).</summary>
    private static int Distance(string from, string to)
    {
        var row = Enumerable.Range(0, to.Length + 1).ToArray();
        for (int i = 0; i < from.Length; i++)
        {
            int diagonal = row[0]++;
            for (int j = 0; j < to.Length; j++)
            {
                int change = char.ToUpperInvariant(from[i]) == char.ToUpperInvariant(to[j]) ? 0 : 1;
                (diagonal, row[j + 1]) = (row[j + 1], Math.Min(Math.Min(row[j], row[j + 1]) + 1, diagonal + change));
            }
        }

        return row[to.Length];
    }
}
