namespace DiskDistributedCache.Reliability.Plants;

/// <summary>A bug that can be planted into a copy of the sources.</summary>
/// <param name="Name">What switches it on.</param>
/// <param name="Breaks">What is broken then, in a sentence.</param>
/// <param name="Expected">The families that are expected to catch it, the quickest first; they are run first.</param>
/// <param name="Edits">Where it is planted.</param>
internal sealed record Plant(string Name, string Breaks, string[] Expected, params PlantEdit[] Edits);

/// <summary>One place of a bug.</summary>
/// <param name="File">The file, under <c>src/DiskDistributedCache</c>.</param>
/// <param name="Find">Text that is there exactly once.</param>
/// <param name="Put">What comes in its place; <see cref="Guard"/> in it is true where the bug is switched on.</param>
internal sealed record PlantEdit(string File, string Find, string Put)
{
    public const string Guard = "PLANTED";

    /// <summary>The source with the bug in it.</summary>
    /// <exception cref="InvalidOperationException">The source has changed, and the plant has to follow.</exception>
    public string Apply(string source, string name)
    {
        // Files of either line ending.
        string find = source.Contains("\r\n", StringComparison.Ordinal) ? Find.ReplaceLineEndings("\r\n") : Find.ReplaceLineEndings("\n");
        int at = source.IndexOf(find, StringComparison.Ordinal);
        if (at < 0 || source.IndexOf(find, at + 1, StringComparison.Ordinal) >= 0)
        {
            throw new InvalidOperationException(
                $"The plant '{name}' does not fit any more: its text is {(at < 0 ? "not" : "more than once")} in {File}.");
        }

        string put = Put.Replace(Guard, $"global::DiskDistributedCache.Planted.Is(\"{name}\")", StringComparison.Ordinal);
        return string.Concat(source.AsSpan(0, at), put, source.AsSpan(at + find.Length));
    }
}
