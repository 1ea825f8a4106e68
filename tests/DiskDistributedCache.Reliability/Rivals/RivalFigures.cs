using System.Globalization;

namespace DiskDistributedCache.Reliability.Rivals;

/// <summary>What became of one contender in one kind of trouble, over all images.</summary>
internal sealed class RivalFigures
{
    private readonly Lock _lock = new();
    private int _images;
    private int _wrong;
    private int _threw;
    private int _ended;
    private int _notOpened;
    private int _allForgotten;
    private int _unusable;
    private long _wanted;
    private long _hits;

    /// <summary>The process came to an end, by an exception that nobody could catch.</summary>
    public void EndedProcess()
    {
        lock (_lock)
        {
            _images++;
            _ended++;
        }
    }

    public void NotOpened()
    {
        lock (_lock)
        {
            _images++;
            _notOpened++;
        }
    }

    /// <param name="reads">What reading it all came to.</param>
    /// <param name="hasThrown">Whether a caller got an exception, also at another call than a read.</param>
    /// <param name="isUsable">Whether a value that is set then is found then.</param>
    public void Opened(RivalReads reads, bool hasThrown, bool isUsable)
    {
        lock (_lock)
        {
            _images++;
            _wrong += reads.Wrong > 0 ? 1 : 0;
            _threw += hasThrown || reads.Threw > 0 ? 1 : 0;
            _allForgotten += reads is { Wanted: > 0, Hits: 0 } ? 1 : 0;
            _unusable += isUsable ? 0 : 1;
            _wanted += reads.Wanted;
            _hits += Math.Min(reads.Hits, reads.Wanted);
        }
    }

    /// <summary>A row of the table; null where there was no image.</summary>
    public string? Row(string trouble, string contender)
    {
        lock (_lock)
        {
            return _images == 0 ? null : string.Create(
                CultureInfo.InvariantCulture,
                $"| {trouble} | {contender} | {_images:#,0} | {_wrong:#,0} | {_threw:#,0} | {_ended:#,0} | {_notOpened:#,0} | {_unusable:#,0} | {_allForgotten:#,0} | {100.0 * _hits / Math.Max(1, _wanted):0.0} % |");
        }
    }
}
