using System.Numerics;
using FASTER.core;

namespace DiskDistributedCache.Benchmarks.Contestants;

/// <summary>
/// FASTER: a hash index in memory over a log whose young end is in memory and whose rest is in a file. The memory is an eighth of
/// the values. After filling, everything is flushed and leaves memory, so that reads are of the file. A set that has
/// returned is in memory only, and is written when its page leaves.
/// </summary>
internal sealed class FasterLog : Contestant
{
    private const int PageBytes = 512 << 10;
    private const int MinPages = 4;
    private const int MemoryPart = 8;
    private const int IndexBytesPerEntry = 32;

    private readonly FasterKVSettings<SpanByte, SpanByte> _settings;
    private readonly FasterKV<SpanByte, SpanByte> _store;
    private readonly ClientSession<SpanByte, SpanByte, SpanByte, SpanByteAndMemory, Empty, SpanByteFunctions<Empty>>[] _sessions;
    private readonly SpanByteAndMemory[] _found = new SpanByteAndMemory[MaxCallers];

    public FasterLog(Workload workload, string directory)
        : base("faster", workload)
    {
        ulong memoryBytes = (ulong)workload.Entries * (ulong)workload.ValueBytes / MemoryPart;
        _settings = new FasterKVSettings<SpanByte, SpanByte>
        {
            LogDevice = Devices.CreateLogDevice(Path.Combine(directory, "faster.log")),
            PageSize = PageBytes,
            MemorySize = (long)BitOperations.RoundUpToPowerOf2(Math.Max(memoryBytes, MinPages * PageBytes)),
            IndexSize = (long)BitOperations.RoundUpToPowerOf2((ulong)workload.Entries * IndexBytesPerEntry),
        };
        _store = new FasterKV<SpanByte, SpanByte>(_settings);

        // A session serves one caller at a time.
        _sessions = [.. Enumerable.Range(0, MaxCallers).Select(_ =>
            _store.For(new SpanByteFunctions<Empty>()).NewSession<SpanByteFunctions<Empty>>())];
    }

    public override async ValueTask<ReadOnlyMemory<byte>> GetAsync(int caller, int entry)
    {
        _found[caller].Memory?.Dispose();
        var (status, found) = (await BeginRead(caller, entry)).Complete();
        _found[caller] = found;
        return status.Found ? found.Memory.Memory[..found.Length] : default(ReadOnlyMemory<byte>);
    }

    public override async ValueTask SetAsync(int caller, int entry)
    {
        // The synchronous upsert spins while it waits for a page to be written, and would keep the thread pool from writing it.
        var set = await BeginUpsert(caller, entry);
        while (set.Status.IsPending)
        {
            set = await set.CompleteAsync();
        }
    }

    public override async Task FillAsync()
    {
        await base.FillAsync();
        _store.Log.FlushAndEvict(wait: true);
    }

    public override ValueTask DisposeAsync()
    {
        foreach (var session in _sessions)
        {
            session.Dispose();
        }

        _store.Dispose();
        _settings.LogDevice.Dispose();
        return ValueTask.CompletedTask;
    }

    private unsafe ValueTask<FasterKV<SpanByte, SpanByte>.ReadAsyncResult<SpanByte, SpanByteAndMemory, Empty>> BeginRead(int caller, int entry)
    {
        string text = Workload.Key(entry);
        fixed (char* first = text)
        {
            // What has to wait takes a copy of the key.
            var key = SpanByte.FromPointer((byte*)first, text.Length * sizeof(char));
            return _sessions[caller].ReadAsync(ref key);
        }
    }

    private unsafe ValueTask<FasterKV<SpanByte, SpanByte>.UpsertAsyncResult<SpanByte, SpanByteAndMemory, Empty>> BeginUpsert(int caller, int entry)
    {
        string text = Workload.Key(entry);
        fixed (char* firstChar = text)
        fixed (byte* firstByte = Workload.Value(entry))
        {
            var key = SpanByte.FromPointer((byte*)firstChar, text.Length * sizeof(char));
            var value = SpanByte.FromPointer(firstByte, Workload.ValueBytes);
            return _sessions[caller].UpsertAsync(ref key, ref value);
        }
    }
}
