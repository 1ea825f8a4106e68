namespace DiskDistributedCache.Reliability.Processes;

/// <summary>
/// What workers on one folder, one after the other, may read. Per key there are candidates: the last version that was acknowledged, and those
/// that were begun after it and never acknowledged because the process died. A read settles it: it is that one from then on, and what is
/// older never comes back. What was removed, evicted or is expired is no candidate. A miss is always allowed, but the
/// truth knows which keys have to be there after a process that owed nothing.
/// </summary>
internal sealed class WorkerTruth
{
    /// <summary>The cache's own clock may have been this far ahead when it gave an entry its deadline.</summary>
    private const long SlackTicks = TimeSpan.TicksPerMillisecond * 100;

    private readonly List<Candidate>[] _keys = [.. Enumerable.Range(0, WorkerArguments.KeyCount).Select(_ => new List<Candidate>())];

    /// <summary>What was set altogether, records and all.</summary>
    public long BytesSet { get; private set; }

    public int LastVersion { get; private set; }

    public int Reads { get; private set; }

    public int Hits { get; private set; }

    /// <summary>Judges what one process told, from its start to its end.</summary>
    /// <param name="told">All of it, in order.</param>
    /// <param name="isWarmDue">Whether everything that was acknowledged has to be there when it opens.</param>
    public Judgement Judge(IReadOnlyList<WorkerEvent> told, bool isWarmDue)
    {
        var judgement = new Judgement();
        bool isChecked = false;
        foreach (var one in told)
        {
            isChecked |= one.Kind == WorkerEventKind.Checked;
            if (one.Kind == WorkerEventKind.Threw)
            {
                judgement.Wrong($"a worker threw {one.Text}");
            }
            else if (one.Kind == WorkerEventKind.Read)
            {
                JudgeRead(one, isFirst: !isChecked, isWarmDue, judgement);
            }
            else
            {
                Learn(one);
            }
        }

        return judgement;
    }

    /// <summary>The process died: what it had begun may have happened until now.</summary>
    public void Died()
    {
        long now = DateTime.UtcNow.Ticks;
        foreach (var candidates in _keys)
        {
            for (int i = 0; i < candidates.Count; i++)
            {
                var one = candidates[i];
                if (one.LifeTicks > 0 && (!one.IsAcknowledged || one.IsSliding))
                {
                    candidates[i] = one with { Deadline = Math.Max(one.Deadline == long.MaxValue ? 0 : one.Deadline, now + one.LifeTicks) };
                }
            }
        }
    }

    /// <summary>Another process removed a key while the worker stood still: only what the worker has under way may be there afterwards.</summary>
    public void RemovedByOther(int key) => _keys[key].RemoveAll(one => one.IsAcknowledged);

    private void Learn(WorkerEvent one)
    {
        var candidates = _keys[one.Key];
        switch (one.Kind)
        {
            case WorkerEventKind.SetBegun:
                BytesSet += 600;
                LastVersion = Math.Max(LastVersion, one.Version);
                candidates.Add(new(one.Version, one.Tag, one.LifeMilliseconds * TimeSpan.TicksPerMillisecond, one.IsSliding));
                break;
            case WorkerEventKind.SetDone:
                var set = candidates.Find(candidate => candidate.Version == one.Version);
                candidates.Clear();
                candidates.Add(set with { IsAcknowledged = true, Deadline = set.LifeTicks > 0 ? one.Ended + set.LifeTicks : long.MaxValue });
                break;
            case WorkerEventKind.RemoveBegun:
                Doubt(candidates, WorkerEvent.NoTag);
                break;
            case WorkerEventKind.RemoveDone:
                candidates.Clear();
                break;
            case WorkerEventKind.EvictionBegun:
                Array.ForEach(_keys, key => Doubt(key, one.Tag));
                break;
            case WorkerEventKind.EvictionDone:
                Array.ForEach(_keys, key => key.RemoveAll(candidate => candidate.Tag == one.Tag));
                break;
            case WorkerEventKind.Refreshed:
                Extend(candidates, one.Ended);
                break;
        }
    }

    private void JudgeRead(WorkerEvent read, bool isFirst, bool isWarmDue, Judgement judgement)
    {
        Reads++;
        var candidates = _keys[read.Key];
        bool isDue = isFirst && IsDue(candidates);
        judgement.Due += isDue ? 1 : 0;
        if (read.Version == 0)
        {
            if (isDue && isWarmDue)
            {
                judgement.Wrong($"key {read.Key} is forgotten: {Describe(read.Key)}");
            }

            Extend(candidates, read.Ended);
            if (isFirst)
            {
                Doubt(candidates, WorkerEvent.NoTag);
            }

            return;
        }

        Hits++;
        judgement.DueHits += isDue ? 1 : 0;
        int found = candidates.FindIndex(one => one.Version == read.Version);
        if (found < 0 || candidates[found].Deadline + SlackTicks is var end && candidates[found].LifeTicks > 0 && end < read.Began)
        {
            judgement.Wrong($"version {read.Version} of key {read.Key} was read at {read.Began}: {Describe(read.Key)}");
            return;
        }

        var one = candidates[found] with { IsAcknowledged = true, IsInDoubt = false };
        candidates.Clear();
        candidates.Add(one);
        Extend(candidates, read.Ended);
    }

    /// <summary>Something that lives for ever is there, whichever of the candidates it is.</summary>
    private static bool IsDue(List<Candidate> candidates) =>
        candidates.Exists(one => one.IsAcknowledged) && candidates.TrueForAll(one => one.LifeTicks == 0 && !one.IsInDoubt);

    /// <summary>Something may have removed them.</summary>
    private static void Doubt(List<Candidate> candidates, int tag)
    {
        for (int i = 0; i < candidates.Count; i++)
        {
            candidates[i] = candidates[i] with { IsInDoubt = candidates[i].IsInDoubt || tag == WorkerEvent.NoTag || candidates[i].Tag == tag };
        }
    }

    /// <summary>A use starts the window of a sliding entry anew, if it is still there.</summary>
    private static void Extend(List<Candidate> candidates, long used)
    {
        for (int i = 0; i < candidates.Count; i++)
        {
            if (candidates[i] is { IsSliding: true } one && one.Deadline != long.MaxValue && one.Deadline + SlackTicks >= used)
            {
                candidates[i] = one with { Deadline = Math.Max(one.Deadline, used + one.LifeTicks) };
            }
        }
    }

    private string Describe(int key) => _keys[key].Count == 0 ? "there is nothing to be read" : string.Join("; ", _keys[key]);

    private readonly record struct Candidate(int Version, int Tag, long LifeTicks, bool IsSliding)
    {
        public bool IsAcknowledged { get; init; }

        public bool IsInDoubt { get; init; }

        public long Deadline { get; init; } = long.MaxValue;
    }
}

/// <summary>What was wrong with what a process told, and how much it found of what had to be there if nothing was forgotten.</summary>
internal sealed class Judgement
{
    private const int MaxKept = 3;

    private readonly List<string> _wrong = [];

    public int Due { get; set; }

    public int DueHits { get; set; }

    public int WrongCount { get; private set; }

    /// <summary>Null when nothing was.</summary>
    public string? Text => WrongCount == 0 ? null : $"{WrongCount} wrong: {string.Join(" | ", _wrong)}";

    public void Wrong(string what)
    {
        if (++WrongCount <= MaxKept)
        {
            _wrong.Add(what);
        }
    }
}
