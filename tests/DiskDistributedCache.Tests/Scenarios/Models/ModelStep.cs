using System.Globalization;

namespace DiskDistributedCache.Tests.Scenarios.Models;

/// <summary>What may happen to a cache, the simplest first: so that what a failure is reduced to is simple.</summary>
internal enum ModelAct
{
    Get,
    Set,
    Remove,
    SetForever,
    SetUntil,
    SetSliding,
    TryGet,
    Refresh,
    Evict,
    Clear,
    GetMany,
    SetMany,
    List,
    TakeTicket,
    SetWithTicket,
    SetTooLarge,

    /// <summary>The disk gives a value while the key, or its tag, changes.</summary>
    GetLate,

    /// <summary>The disk holds back the write of a value while the key, or its tag, changes.</summary>
    SetLate,

    /// <summary>So much is set that the oldest segments go, where there is not room for everything.</summary>
    TurnOver,
    Advance,

    /// <summary>A moment later the key is read: a sliding entry lives on.</summary>
    GetLater,
    SetWallClock,
    Heartbeat,
    Probe,
    Recover,
    Trust,
    Drain,
    Close,
    Kill,
    KillWhenTrusted,

    /// <summary>The next process begins with a wall clock that was set back.</summary>
    GoBack,
    Fail,
    Heal,
}

/// <summary>One step: what, to which of the keys, and a number that says how.</summary>
internal readonly record struct ModelStep(ModelAct Act, int Key, int Number)
{
    public const int MaxNumber = 9_999;

    /// <summary>How often each of the acts is drawn.</summary>
    public static IReadOnlyList<(int Weight, ModelAct Act)> Weights { get; } =
    [
        (14, ModelAct.Get), (10, ModelAct.Set), (6, ModelAct.Remove), (6, ModelAct.SetForever), (5, ModelAct.SetUntil),
        (8, ModelAct.SetSliding), (4, ModelAct.TryGet), (4, ModelAct.Refresh), (4, ModelAct.Evict), (1, ModelAct.Clear), (2, ModelAct.GetMany),
        (2, ModelAct.SetMany), (2, ModelAct.List), (2, ModelAct.TakeTicket), (3, ModelAct.SetWithTicket), (1, ModelAct.SetTooLarge),
        (5, ModelAct.GetLate), (3, ModelAct.SetLate), (2, ModelAct.TurnOver), (5, ModelAct.Advance), (6, ModelAct.GetLater), (2, ModelAct.SetWallClock), (3, ModelAct.Heartbeat), (2, ModelAct.Probe),
        (2, ModelAct.Recover), (2, ModelAct.Trust), (1, ModelAct.Drain), (2, ModelAct.Close), (2, ModelAct.Kill),
        (2, ModelAct.KillWhenTrusted), (2, ModelAct.GoBack), (4, ModelAct.Fail), (2, ModelAct.Heal),
    ];

    /// <summary>How often each of the keys is drawn: some very often, so that much happens to one.</summary>
    public static IReadOnlyList<(int Weight, int Key)> KeyWeights { get; } = [(5, 0), (1, 1), (1, 2), (1, 3), (3, 4), (3, 5), (2, 6), (1, 7)];

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Act}({Key}, {Number})");
}

/// <summary>What kind of cache it happens to.</summary>
/// <param name="Number">Decides each of the settings.</param>
internal readonly record struct ModelSettings(int Number)
{
    public const int MaxNumber = 95;

    /// <summary>Whether nothing has to go for want of space: then what was set has to be there.</summary>
    public bool IsRoomy => Number % 2 == 0;

    public DiskCacheCompression Compression => (DiskCacheCompression)(Number / 2 % 4 == 3 ? 0 : Number / 2 % 4);

    public bool IsProtected => Number / 8 % 3 == 2;

    public UnknownRead OnUnknown => Number / 24 % 2 == 0 ? UnknownRead.Miss : UnknownRead.Throw;

    /// <summary>Whether some of the keys are retained.</summary>
    public bool Retains => Number / 48 % 2 == 1;

    public override string ToString() =>
        $"{(IsRoomy ? "roomy" : "tight")}, {Compression}, {(IsProtected ? "protected" : "plain")}, unknown is {OnUnknown}{(Retains ? ", retains" : "")}";
}

/// <summary>A whole case.</summary>
internal sealed record ModelSequence(ModelSettings Settings, IReadOnlyList<ModelStep> Steps)
{
    public const int MaxSteps = 60;

    public static ModelSequence Draw(Random random)
    {
        var settings = new ModelSettings(random.Next(ModelSettings.MaxNumber + 1));
        ModelAct[] acts = [.. ModelStep.Weights.SelectMany(act => Enumerable.Repeat(act.Act, act.Weight))];
        int[] keys = [.. ModelStep.KeyWeights.SelectMany(key => Enumerable.Repeat(key.Key, key.Weight))];
        return new ModelSequence(settings, [.. Enumerable.Range(0, random.Next(1, MaxSteps + 1)).Select(_ =>
            new ModelStep(acts[random.Next(acts.Length)], keys[random.Next(keys.Length)], random.Next(ModelStep.MaxNumber + 1)))]);
    }

    public override string ToString() => $"{Settings}: {string.Join(" ", Steps)}";
}
