using DiskDistributedCache.Diagnostics;
using DiskDistributedCache.Storage;

namespace DiskDistributedCache.Tiers;

/// <content>
/// The beginning and the end of the store: opening, publication and closing. All of it runs on the writer lane.
/// </content>
internal sealed partial class DiskTier
{
    private void OpenStore()
    {
        try
        {
            TryOpenStore();
        }
        finally
        {
            _opening.TrySetResult();
        }
    }

    private void TryOpenStore()
    {
        CacheDirectory? directory = null;
        SegmentStore store;
        try
        {
            directory = new CacheDirectory(_fileSystem, _root);
            _quarantine ??= new Quarantine(directory, _clock, _settings.MaxQuarantineBytes)
            {
                Met = record => Log.RecordCorrupt(_logger, record.Reason, record.Segment, record.Offset),
            };
            store = SegmentStore.Open(directory, _settings, _clock, _quarantine, _listener);
        }
        catch (Exception exception)
        {
            directory?.Dispose();
            if (_health.Unavailable(exception))
            {
                Log.StoreUnavailable(_logger, exception, _root);
            }

            return;
        }

        // From here on the store is in use: nothing that fails may let go of its lock.
        _directory = directory;
        Publish(store);
        _health.Opened();
        _writer.Resume();
        _writer.Post(() => EraseOtherStores(store));
        Announce(store.Report);
    }

    private void Publish(SegmentStore store)
    {
        lock (_startingLock)
        {
            long by = store.FirstSequence;
            var waiting = _barriers;
            waiting.Renumber(by);
            waiting.MergeInto(store.Barriers);
            _barriers = store.Barriers;

            // Removals last: one that another has joined stands before values that it removes. All of it compares numbers, so this is
            // order enough.
            _writer.ForEachWaiting(mutation => Renumber(mutation, by, store));
            _writer.ForEachWaiting(mutation => ApplyUnlessValue(mutation, store));
            _sequence += by;
            _store = store;
        }
    }

    private static void Renumber(Mutation mutation, long by, SegmentStore store)
    {
        mutation.Sequence += by;
        mutation.Entry?.Number(mutation.Sequence, mutation.Sequence);
        if (mutation.Kind == RecordKind.Value)
        {
            Apply(mutation, store);
        }
    }

    private static void ApplyUnlessValue(Mutation mutation, SegmentStore store)
    {
        if (mutation.Kind != RecordKind.Value)
        {
            Apply(mutation, store);
        }
    }

    private void Announce(OpenReport report)
    {
        if (report.IsNew)
        {
            Log.StoreBegun(_logger, _root, report.Trust);
        }
        else
        {
            Log.StoreOpened(_logger, _root, report.Entries, report.Trust, report.Holes, report.Scanned);
        }
    }

    /// <summary>A file at a time, between batches.</summary>
    private void EraseOtherStores(SegmentStore store) => Guarded(() =>
    {
        if (store.EraseOtherStep())
        {
            _writer.Post(() => EraseOtherStores(store));
        }
    });

    /// <summary>On the lane, when nothing more comes: touches that are in memory only, then the clean flag, last.</summary>
    private void CloseStore()
    {
        try
        {
            if (_store is { } store)
            {
                if (_writer.QueuedCount == 0)
                {
                    WriteTouches(store);
                    store.Close();
                    Log.StoreClosed(_logger);
                }

                store.Dispose();
            }
        }
        catch (Exception exception)
        {
            Log.CloseFailed(_logger, exception);
            CountFault(exception);
            _store?.Dispose();
        }
        finally
        {
            _directory?.Dispose();
        }
    }

    private void WriteTouches(SegmentStore store)
    {
        var touches = store.Index.Where(entry => entry is { WasTouched: true, IsPending: false }).Select(entry =>
            new Mutation(RecordKind.Touch)
            {
                KeyHash = entry.KeyHash,
                Extended = entry.Sequence,
                Deadline = entry.Deadline,
                Sequence = Interlocked.Increment(ref _sequence),
            });
        foreach (var batch in touches.Chunk(1000).ToList())
        {
            store.Append(batch);
        }
    }
}
