using System.Globalization;

namespace MinimalApi;

/// <summary>One reported collision of an aircraft with wildlife. The id is the number of its line in the file.</summary>
internal sealed record Strike(
    int Id,
    DateOnly Date,
    string Airport,
    string State,
    string Operator,
    string Aircraft,
    string Phase,
    string TimeOfDay,
    string Species,
    string Size,
    string Damage,
    int CostDollars,
    int? SpeedKnots);

/// <summary>
/// The raw log of strikes, Data/birdstrikes.csv. It is read anew each time, as one reads a log that other programs write: what
/// is worth keeping is kept by the cache.
/// </summary>
internal sealed class StrikeLog
{
    private readonly string _path = Path.Combine(AppContext.BaseDirectory, "Data", "birdstrikes.csv");

    public IEnumerable<Strike> Read() => File.ReadLines(_path).Skip(1).Select((line, index) => Parse(index + 1, line));

    /// <summary>The strike on a line of the log, or null where the log has no such line.</summary>
    public Strike? Find(int id) => id < 1 ? null : Read().ElementAtOrDefault(id - 1);

    private static Strike Parse(int id, string line)
    {
        // No field of this file holds a comma or a quote.
        var fields = line.Split(',');
        return new Strike(
            id,
            DateOnly.ParseExact(fields[3], "yyyy-MM-dd", CultureInfo.InvariantCulture),
            Airport: fields[0],
            State: fields[5],
            Operator: fields[4],
            Aircraft: fields[1],
            Phase: fields[6],
            TimeOfDay: fields[9],
            Species: fields[8],
            Size: fields[7],
            Damage: fields[2],
            CostDollars: int.Parse(fields[12], CultureInfo.InvariantCulture),
            SpeedKnots: fields[13].Length == 0 ? null : int.Parse(fields[13], CultureInfo.InvariantCulture));
    }
}
