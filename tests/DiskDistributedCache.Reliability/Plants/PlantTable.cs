namespace DiskDistributedCache.Reliability.Plants;

/// <summary>The bugs that the families have to catch: one for each thing that the cache's word depends on.</summary>
internal static class PlantTable
{
    public static IReadOnlyList<Plant> All { get; } =
    [
        new(
            "checksum-not-checked",
            "A record's value is believed without its checksum.",
            ["flips", "cuts"],
            new PlantEdit(
                "Storage/RecordFormat.cs",
                "&& XxHash3.HashToUInt64(record.Slice(HeaderBytes, (int)header.PayloadBytes), seed.Seed) == header.PayloadChecksum;",
                "&& (PLANTED || XxHash3.HashToUInt64(record.Slice(HeaderBytes, (int)header.PayloadBytes), seed.Seed) == header.PayloadChecksum);")),
        new(
            "footer-not-checked",
            "A segment's footer is believed without its checksum.",
            ["flips"],
            new PlantEdit(
                "Storage/SegmentFormat.cs",
                "|| BinaryPrimitives.ReadUInt64LittleEndian(from[^8..]) != XxHash3.HashToUInt64(from[..^8], seed.Seed))",
                "|| (!PLANTED && BinaryPrimitives.ReadUInt64LittleEndian(from[^8..]) != XxHash3.HashToUInt64(from[..^8], seed.Seed)))")),
        new(
            "key-as-utf8",
            "Keys are hashed and compared as UTF-8, where different lone surrogates are the same bytes.",
            ["hostile", "model"],
            new PlantEdit(
                "Entries/KeyHash.cs",
                "XxHash3.HashToUInt64(MemoryMarshal.AsBytes(key.Text.AsSpan()), seed ^ ((long)key.Space << 56));",
                """
                XxHash3.HashToUInt64(
                    PLANTED ? System.Text.Encoding.UTF8.GetBytes(key.Text) : MemoryMarshal.AsBytes(key.Text.AsSpan()),
                    seed ^ ((long)key.Space << 56));
                """),
            new PlantEdit(
                "Storage/RecordReader.cs",
                "|| !RecordFormat.KeyOf(record, header).SequenceEqual(key.Text)",
                """
                || !(PLANTED
                    ? System.Text.Encoding.UTF8.GetBytes(RecordFormat.KeyOf(record, header).ToString()).AsSpan().SequenceEqual(System.Text.Encoding.UTF8.GetBytes(key.Text))
                    : RecordFormat.KeyOf(record, header).SequenceEqual(key.Text))
                """)),
        new(
            "suspect-mark-skipped",
            "A start believes a store although marks say that mutations are owed to it.",
            ["faults"],
            new PlantEdit("Storage/SuperblockFile.cs", "if (first.IsSuspect || second.IsSuspect)", "if (!PLANTED && (first.IsSuspect || second.IsSuspect))"),
            new PlantEdit(
                "Storage/SuperblockFile.cs",
                "if (trust.Witness.IsRevokedByOther(trust.Session) || directory.DeadWaiters(trust.Session).Count > 0)",
                "if (!PLANTED && (trust.Witness.IsRevokedByOther(trust.Session) || directory.DeadWaiters(trust.Session).Count > 0))")),
        new(
            "witness-left",
            "The witness goes on vouching for a store while mutations are owed to it.",
            ["faults"],
            new PlantEdit(
                "Storage/TrustMark.cs",
                "(_isOwner && Try(_witness.Withdraw, tells: !_wasUntold)) || Revoke()",
                "(_isOwner && (PLANTED || Try(_witness.Withdraw, tells: !_wasUntold))) || Revoke()")),
        new(
            "trust-too-early",
            "A store is trusted again while mutations are still owed to it.",
            ["faults", "model"],
            new PlantEdit(
                "Storage/WriteLane.cs",
                "return !_isPaused && !_hasFailed && CountOwed() == 0 && _due.Count == 0;",
                "return PLANTED || (!_isPaused && !_hasFailed && CountOwed() == 0 && _due.Count == 0);"),
            new PlantEdit(
                "Storage/WriteLane.cs",
                "if (_owedGeneration != generation || CountOwed() > 0 || _due.Count > 0)",
                "if (!PLANTED && (_owedGeneration != generation || CountOwed() > 0 || _due.Count > 0))")),
        new(
            "failed-write-forgotten",
            "A batch whose write failed counts as written.",
            ["faults", "full"],
            new PlantEdit("Storage/WriteLane.Loop.cs", "bool isWritten = TryAppend();", "bool isWritten = TryAppend() || PLANTED;")),
        new(
            "failed-sync-retried",
            "A sync that failed is tried again, and its success then believed.",
            ["cuts"],
            new PlantEdit("Storage/SegmentFile.cs", "HasSyncFailed = true;", "HasSyncFailed = !PLANTED;")),
        new(
            "barrier-not-persisted",
            "Evictions by tag and clears are not logged.",
            ["faults", "cuts"],
            new PlantEdit(
                "Storage/SegmentWriter.cs",
                "            case RecordKind.Touch when !index.TryGet(mutation.KeyHash, out var entry) || entry.Sequence != mutation.Extended:",
                """
                            case RecordKind.TagEviction or RecordKind.Clear when PLANTED:
                                break;
                            case RecordKind.Touch when !index.TryGet(mutation.KeyHash, out var entry) || entry.Sequence != mutation.Extended:
                """)),
        new(
            "no-removal-for-a-value",
            "A value that is not stored leaves no removal in the log.",
            ["faults", "hostile"],
            new PlantEdit(
                "Storage/SegmentWriter.cs",
                "AddMark(RecordKind.Removal, value.Sequence, value.KeyHash, null, 0, 0);",
                "if (!PLANTED) { AddMark(RecordKind.Removal, value.Sequence, value.KeyHash, null, 0, 0); }")),
        new(
            "tombstone-dropped-by-reclaim",
            "Reclaim takes the second oldest segment, with the removals in it, before the oldest, and a start does not mind the gap.",
            ["faults", "model"],
            new PlantEdit(
                "Storage/Reclaim.cs",
                "            var oldest = segments.Ordered[0];\n            if (!Reinsert(oldest, reservedBytes))",
                "            var oldest = segments.Ordered[PLANTED && segments.Ordered.Count > 2 ? 1 : 0];\n            if (!Reinsert(oldest, reservedBytes))"),
            new PlantEdit(
                "Storage/Recovery.cs",
                "if (previous is not null && segment.Number != previous.Number + 1)",
                "if (!PLANTED && previous is not null && segment.Number != previous.Number + 1)")),
        new(
            "retained-dropped-by-reclaim",
            "Reclaim does not bring along what must not be lost before what is older.",
            ["model"],
            new PlantEdit("Storage/Reclaim.cs", "bool allRetained = !oldest.HasRetained", "bool allRetained = PLANTED || !oldest.HasRetained")),
        new(
            "recycled-segment-read-as-live",
            "A recycled file keeps its old records, and they verify in its new life.",
            ["full", "cuts", "faults"],
            new PlantEdit(
                "Storage/SegmentFormat.cs",
                "BinaryPrimitives.WriteInt64LittleEndian(name[16..], number);",
                "BinaryPrimitives.WriteInt64LittleEndian(name[16..], PLANTED ? 0 : number);"),
            new PlantEdit(
                "Storage/SpareSegment.cs",
                "WriteZeros(file, 0, ownBytes);",
                "WriteZeros(file, PLANTED ? ownBytes : 0, ownBytes);")),
        new(
            "rot-taken-for-a-torn-tail",
            "Where a segment without a footer does not verify any more counts as its end.",
            ["flips"],
            new PlantEdit(
                "Storage/SegmentScan.cs",
                "HasHole = isRotten || !(isWhole || isEndKnown);",
                "HasHole = !PLANTED && (isRotten || !(isWhole || isEndKnown));")),
        new(
            "sequence-ignored-at-promotion",
            "What was read from disk goes to memory although it has been overtaken.",
            ["model"],
            new PlantEdit(
                "Tiers/TieredCache.cs",
                "if (!_disk.IsCurrent(entry.Key, entry.Sequence))",
                "if (!PLANTED && !_disk.IsCurrent(entry.Key, entry.Sequence))")),
        new(
            "late-completion-published",
            "A write that ends after the key has moved on makes its own version the current one again.",
            ["model"],
            new PlantEdit(
                "Storage/EntryIndex.cs",
                "if (at == NoEntry || shard[at].Sequence != sequence || shard[at].Slot != fromSlot)",
                """
                if (PLANTED && at != NoEntry)
                            {
                                shard[at].Sequence = sequence;
                            }

                            if (at == NoEntry || (!PLANTED && (shard[at].Sequence != sequence || shard[at].Slot != fromSlot)))
                """)),
        new(
            "expired-served-from-disk",
            "Nobody looks at the deadline of what is read from disk.",
            ["faults", "model"],
            new PlantEdit("Tiers/DiskTier.cs", "        if (where.Deadline > now)\n", "        if (PLANTED || where.Deadline > now)\n"),
            new PlantEdit(
                "Tiers/TieredCache.cs",
                "        long now = Clock.NowTicks;\n        if ((entry.IsExpired(now) ||",
                "        long now = Clock.NowTicks;\n        if (((!PLANTED && entry.IsExpired(now)) ||")),
        new(
            "touch-resurrects",
            "An entry with a sliding window that has run out lives again when it is asked for.",
            ["faults", "model"],
            new PlantEdit(
                "Tiers/TieredCache.cs",
                "if (entry.IsExpired(now) || _disk.Barriers.Covers(entry.Tags, entry.Ticket))\n        {\n            // While the store",
                "if ((entry.IsExpired(now) && !(PLANTED && entry.Expiry.IsSliding)) || _disk.Barriers.Covers(entry.Tags, entry.Ticket))\n        {\n            // While the store")),
        new(
            "clock-mark-ignored",
            "A start does not go on from the time that the store has seen.",
            ["model"],
            new PlantEdit("Storage/SegmentStore.Lifecycle.cs", "_clock.AdvanceTo(found.ClockHighWater);", "if (!PLANTED) { _clock.AdvanceTo(found.ClockHighWater); }")),
        new(
            "ticket-ignored",
            "A value counts as made when it is stored, whenever its making began.",
            ["model"],
            new PlantEdit(
                "Tiers/DiskTier.cs",
                "long ticket = mutation.Ticket.IsTaken ? NumberOf(mutation.Ticket) : sequence;",
                "long ticket = mutation.Ticket.IsTaken && !PLANTED ? NumberOf(mutation.Ticket) : sequence;")),
        new(
            "older-slot-preferred",
            "A start goes by the older slot of the superblock.",
            ["flips", "cuts"],
            new PlantEdit(
                "Storage/SuperblockFile.cs",
                "var newest = first.Generation > second.Generation ? first : second;",
                "var newest = (first.Generation > second.Generation) != PLANTED ? first : second;")),
    ];
}
