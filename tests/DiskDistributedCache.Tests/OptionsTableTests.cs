using System.Globalization;
using System.Reflection;
using System.Text.RegularExpressions;
using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests;

/// <summary>The table of options in the README, which the type and its validation have to be equal to.</summary>
public sealed partial class OptionsTableTests
{
    private static readonly Dictionary<string, (string Default, string Range)> s_rows = ReadRows();

    private static readonly PropertyInfo[] s_properties = typeof(DiskDistributedCacheOptions)
        .GetProperties(BindingFlags.Public | BindingFlags.Instance)
        .Where(property => property.CanWrite)
        .ToArray();

    // Seen to fail with a row left out, with one of a name that does not exist, and with the method left out.
    [Fact]
    public void Every_option_has_a_row_and_every_row_is_an_option()
    {
        var methods = typeof(DiskDistributedCacheOptions)
            .GetMethods(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly)
            .Where(method => !method.IsSpecialName);

        Assert.Equal(s_properties.Select(property => property.Name).Concat(methods.Select(method => method.Name)).Order(), s_rows.Keys.Order());
    }

    // Seen to fail with a figure changed in the table.
    [Fact]
    public void The_table_names_the_defaults()
    {
        var options = new DiskDistributedCacheOptions();
        foreach (var property in s_properties)
        {
            string written = s_rows[property.Name].Default;
            switch (property.GetValue(options))
            {
                case null:
                    // None, or what is worked out from something else; no figure.
                    Assert.False(Amount().Match(written) is { Success: true, Length: var length } && length == written.Length, property.Name);
                    break;
                case bool or Enum or string:
                    Assert.Equal(Convert.ToString(property.GetValue(options), CultureInfo.InvariantCulture), written, ignoreCase: true);
                    break;
                case var value:
                    Assert.True(Equals(value, Parse(written, property.PropertyType)), $"{property.Name} is {value}, the README says {written}.");
                    break;
            }
        }
    }

    // Seen to fail with each end of a range changed in the table.
    [Fact]
    public void What_is_at_the_end_of_a_range_is_accepted_and_what_is_beyond_it_is_not()
    {
        int endCount = 0;
        foreach (var property in s_properties.Where(property => IsAmount(property.PropertyType)))
        {
            if (Range().Match(s_rows[property.Name].Range) is not { Success: true } range)
            {
                continue;
            }

            object min = Parse(range.Groups["min"].Value, property.PropertyType);
            Assert.False(IsRefused(property, min), $"{property.Name}: {min}");
            Assert.True(IsRefused(property, Move(min, -1)), $"{property.Name}: less than {min}");
            endCount++;
            if (range.Groups["max"] is { Success: true } written)
            {
                object max = Parse(written.Value, property.PropertyType);
                Assert.False(IsRefused(property, max), $"{property.Name}: {max}");
                Assert.True(IsRefused(property, Move(max, 1)), $"{property.Name}: more than {max}");
                endCount++;
            }
        }

        Assert.InRange(endCount, 20, int.MaxValue);
    }

    private static bool IsAmount(Type type) =>
        type == typeof(int) || type == typeof(long) || type == typeof(TimeSpan);

    private static bool IsRefused(PropertyInfo property, object value)
    {
        var options = new DiskDistributedCacheOptions { Directory = "cache" };
        property.SetValue(options, value);
        var result = new DiskDistributedCacheOptionsValidator().Validate(name: null, options);

        // Two settings may contradict each other; that is another sentence.
        return result.Failures?.Any(mistake =>
            mistake.Contains($": {property.Name} is ", StringComparison.Ordinal) && mistake.Contains(", which is too ", StringComparison.Ordinal)) ?? false;
    }

    private static object Move(object value, int by) => value switch
    {
        TimeSpan time => time + TimeSpan.FromTicks(by),
        long number => number + by,
        _ => (int)value + by,
    };

    private static object Parse(string text, Type type)
    {
        var amount = Amount().Match(text);
        Assert.True(amount.Success, text);
        long number = long.Parse(amount.Groups["number"].Value, NumberStyles.AllowThousands, CultureInfo.InvariantCulture);
        string unit = amount.Groups["unit"].Value;
        if (type == typeof(TimeSpan))
        {
            return unit switch
            {
                "ms" => TimeSpan.FromMilliseconds(number),
                "s" => TimeSpan.FromSeconds(number),
                "minute" or "minutes" => TimeSpan.FromMinutes(number),
                "day" or "days" => TimeSpan.FromDays((int)number),
                _ => throw new FormatException($"'{text}' is no time."),
            };
        }

        number <<= unit switch { "" => 0, "KiB" => 10, "MiB" => 20, "GiB" => 30, _ => throw new FormatException($"'{text}' is no size.") };
        return type == typeof(int) ? (object)(int)number : number;
    }

    private static Dictionary<string, (string Default, string Range)> ReadRows()
    {
        string readme = Path.Combine(Path.GetDirectoryName(Path.GetDirectoryName(OperationsPage.Find()))!, "README.md");
        string section = File.ReadAllText(readme).Split("\n## Options\n")[1].Split("\n## ")[0];
        return section.Split('\n')
            .Where(line => line.StartsWith("| `", StringComparison.Ordinal))
            .Select(line => line.Replace("`", "", StringComparison.Ordinal).Split('|', StringSplitOptions.TrimEntries))
            .ToDictionary(cells => cells[1], cells => (cells[2], cells[3]));
    }

    [GeneratedRegex(@"^(?<number>\d[\d,]*)( (?<unit>KiB|MiB|GiB|ms|s|minutes?|days?))?")]
    private static partial Regex Amount();

    [GeneratedRegex(@"^(?<min>\d[\d,]*( \w+)?) (or more|to (?<max>\d[\d,]*( \w+)?))")]
    private static partial Regex Range();
}
