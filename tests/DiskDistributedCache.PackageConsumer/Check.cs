namespace PackageConsumer;

/// <summary>Prints what was checked, in the form in which the checks of the repository are counted.</summary>
internal static class Check
{
    public static int FailedCount { get; private set; }

    public static void That(string what, bool holds)
    {
        Console.WriteLine($"{(holds ? "passed" : "FAILED")}  {what}");
        FailedCount += holds ? 0 : 1;
    }

    public static void Equal(string what, string expected, string actual) =>
        That(expected == actual ? what : $"{what}: expected '{expected}', got '{actual}'", expected == actual);
}
