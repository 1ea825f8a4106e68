namespace DiskDistributedCache.Testing;

/// <summary>
/// The bytes of a file, in pages. A page of zeros that nobody wrote takes no memory. A page is never changed in place, so a copy of
/// the content shares its pages.
/// </summary>
internal sealed class FileContent
{
    private const int PageBytes = 4096;

    private readonly Dictionary<long, byte[]> _pages;

    public FileContent() => _pages = [];

    private FileContent(FileContent other)
    {
        _pages = new(other._pages);
        Length = other.Length;
    }

    public long Length { get; private set; }

    public FileContent Copy() => new(this);

    public void Write(ReadOnlySpan<byte> bytes, long offset)
    {
        Length = bytes.IsEmpty ? Length : Math.Max(Length, offset + bytes.Length);
        while (!bytes.IsEmpty)
        {
            var (number, start) = Math.DivRem(offset, PageBytes);
            int count = (int)Math.Min(bytes.Length, PageBytes - start);
            byte[] page = CopyOfPage(number);
            bytes[..count].CopyTo(page.AsSpan((int)start));
            _pages[number] = page;
            bytes = bytes[count..];
            offset += count;
        }
    }

    public void SetLength(long length)
    {
        if (length < Length)
        {
            var (last, kept) = Math.DivRem(length, PageBytes);
            foreach (long number in _pages.Keys.Where(number => number > last || (number == last && kept == 0)).ToList())
            {
                _pages.Remove(number);
            }

            if (_pages.ContainsKey(last))
            {
                byte[] page = CopyOfPage(last);
                page.AsSpan((int)kept).Clear();
                _pages[last] = page;
            }
        }

        Length = length;
    }

    public void WriteTo(Stream stream)
    {
        foreach (var (number, page) in _pages)
        {
            stream.Position = number * PageBytes;
            stream.Write(page, 0, (int)Math.Min(PageBytes, Length - (number * PageBytes)));
        }

        stream.SetLength(Length);
    }

    private byte[] CopyOfPage(long number) => _pages.TryGetValue(number, out byte[]? page) ? [.. page] : new byte[PageBytes];
}
