using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Caching.Distributed;

namespace DiskDistributedCache.Reliability.Processes;

/// <summary>
/// The process that is killed: opens a cache, reads every key once, then works on it with several threads until something ends
/// it. It tells on its standard output what it begins and what is done. Each key and each tag belongs to one thread, so there is one truth
/// about it. It judges nothing: it does not know what the processes before it did.
///
/// It ends by itself when its standard input does: its parent has died.
/// </summary>
internal sealed class Worker(WorkerArguments arguments)
{
    /// <summary>A line on its standard input that breaks its disk. Any other asks it to close.</summary>
    public const string Break = "break";

    private const int OpenSeconds = 60;
    private static readonly TimeSpan s_poll = TimeSpan.FromMilliseconds(2);

    private readonly Stream _output = Console.OpenStandardOutput();
    private readonly FaultyFileSystem _files = new() { KeepsCalls = false };
    private readonly TaskCompletionSource _isEnding = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _version = arguments.FirstVersion;

    public static Task<int> RunAsync(string[] arguments) => new Worker(WorkerArguments.Parse(arguments)).RunAsync();

    private async Task<int> RunAsync()
    {
        Tell(new(WorkerEventKind.Started));
        _ = Task.Factory.StartNew(Listen, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        try
        {
            await WorkAsync();
        }
        catch (Exception exception)
        {
            Tell(new(WorkerEventKind.Threw) { Text = exception.ToString() });
        }

        // Whoever asked for the end kills what is left.
        await Task.Delay(Timeout.Infinite);
        return 0;
    }

    private void Listen()
    {
        while (Console.In.ReadLine() is { } line)
        {
            if (line == Break)
            {
                _files.Fail(FileOperation.Write | FileOperation.SetLength | FileOperation.Flush, arguments.Directory);
            }
            else
            {
                _isEnding.TrySetResult();
            }
        }

        Environment.Exit(3);
    }

    private async Task WorkAsync()
    {
        using var log = new OpeningLog();
        var cache = new DiskCache(arguments.ToOptions(), arguments.IsBreakable ? _files : null, loggerFactory: log);
        await OpenAsync(cache);
        Tell(new(WorkerEventKind.Opened) { Text = log.Trust ?? "" });
        for (int key = 0; key < WorkerArguments.KeyCount; key++)
        {
            Read(cache, key);
        }

        Tell(new(WorkerEventKind.Checked));
        var threads = Enumerable.Range(0, WorkerArguments.Threads)
            .Select(thread => Task.Factory.StartNew(
                () => Load(cache, thread), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default))
            .ToList();
        await _isEnding.Task;
        await Task.WhenAll(threads);
        await cache.DisposeAsync();
        Tell(new(WorkerEventKind.Closed) { Text = log.Closing ?? "" });
    }

    private static async Task OpenAsync(DiskCache cache)
    {
        await cache.GetAsync("the first use opens it");
        long deadline = Environment.TickCount64 + (OpenSeconds * 1000);
        while (cache.GetStatus().Mode != DiskCacheMode.Normal)
        {
            if (Environment.TickCount64 > deadline)
            {
                var status = cache.GetStatus();
                throw new InvalidOperationException($"The store did not open: {status.Mode}, {status.Reason}, {status.LastFault}.");
            }

            await Task.Delay(s_poll);
        }
    }

    private void Load(DiskCache cache, int thread)
    {
        var random = new Random(arguments.Seed + thread);
        try
        {
            while (!_isEnding.Task.IsCompleted)
            {
                Step(cache, thread, random);
            }
        }
        catch (Exception exception)
        {
            Tell(new(WorkerEventKind.Threw) { Text = exception.ToString() });
        }
    }

    private void Step(DiskCache cache, int thread, Random random)
    {
        int key = (thread * WorkerArguments.KeysOfThread) + random.Next(WorkerArguments.KeysOfThread);
        switch (random.Next(100))
        {
            case < 45:
                Set(cache, key, thread, random);
                break;
            case < 57:
                Tell(new(WorkerEventKind.RemoveBegun, key));
                cache.Remove(WorkerArguments.NameOf(key));
                Tell(new(WorkerEventKind.RemoveDone, key));
                break;
            case < 59:
                EvictTag(cache, (thread * WorkerArguments.TagsOfThread) + random.Next(WorkerArguments.TagsOfThread));
                break;
            case < 67:
                long began = DateTime.UtcNow.Ticks;
                cache.Refresh(WorkerArguments.NameOf(key));
                Tell(new(WorkerEventKind.Refreshed, key) { Began = began });
                break;
            default:
                Read(cache, key);
                break;
        }

        // Not so fast that a store is full before it is killed.
        Thread.SpinWait(random.Next(arguments.IsRoomy ? 1_500 : 500));
    }

    private void Read(DiskCache cache, int key)
    {
        long began = DateTime.UtcNow.Ticks;
        byte[]? value = cache.Get(WorkerArguments.NameOf(key));
        Tell(new(WorkerEventKind.Read, key, value is null ? 0 : PatternedValue.VersionOf(key, value)) { Began = began });
    }

    [SuppressMessage("Usage", "VSTHRD002", Justification = "On a thread of its own.")]
    private void Set(DiskCache cache, int key, int thread, Random random)
    {
        int life = random.Next(4) == 0 ? random.Next(30, 400) : 0;
        var set = new WorkerEvent(WorkerEventKind.SetBegun, key, Interlocked.Increment(ref _version))
        {
            Tag = random.Next(2) == 0 ? (thread * WorkerArguments.TagsOfThread) + random.Next(WorkerArguments.TagsOfThread) : WorkerEvent.NoTag,
            LifeMilliseconds = life,
            IsSliding = life > 0 && random.Next(2) == 0,
        };
        var options = new DistributedCacheEntryOptions
        {
            SlidingExpiration = set.IsSliding ? TimeSpan.FromMilliseconds(life) : null,
            AbsoluteExpirationRelativeToNow = life > 0 && !set.IsSliding ? TimeSpan.FromMilliseconds(life) : null,
        };
        byte[] value = PatternedValue.Of(key, set.Version, random.Next(20, arguments.IsRoomy ? 400 : 6_000));
        Tell(set);
        if (set.Tag == WorkerEvent.NoTag)
        {
            cache.Set(WorkerArguments.NameOf(key), value, options);
        }
        else
        {
            cache.SetAsync(WorkerArguments.NameOf(key), value, options, [$"tag {set.Tag}"], CancellationToken.None).GetAwaiter().GetResult();
        }

        Tell(set with { Kind = WorkerEventKind.SetDone, Ended = DateTime.UtcNow.Ticks });
    }

    [SuppressMessage("Usage", "VSTHRD002", Justification = "On a thread of its own.")]
    private void EvictTag(DiskCache cache, int tag)
    {
        Tell(new(WorkerEventKind.EvictionBegun) { Tag = tag });
        cache.EvictByTagAsync($"tag {tag}").AsTask().GetAwaiter().GetResult();
        Tell(new(WorkerEventKind.EvictionDone) { Tag = tag });
    }

    private void Tell(WorkerEvent told) => _output.Write(told.ToBytes());
}
