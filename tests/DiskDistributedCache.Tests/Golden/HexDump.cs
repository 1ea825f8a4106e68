using System.Globalization;
using System.Text;

namespace DiskDistributedCache.Tests.Golden;

/// <summary>
/// Bytes as text that a person can read and a diff can show: offset, sixteen bytes, the same as ASCII. Lines of zeros are left out
/// except the first of a run, after which stands a star; the last line is the length.
/// </summary>
internal static class HexDump
{
    private const int LineBytes = 16;

    public static string Of(ReadOnlySpan<byte> bytes)
    {
        var text = new StringBuilder();
        bool isInZeros = false;
        for (int at = 0; at < bytes.Length; at += LineBytes)
        {
            var line = bytes.Slice(at, Math.Min(LineBytes, bytes.Length - at));
            bool isZero = !line.ContainsAnyExcept((byte)0);
            if (isZero && isInZeros)
            {
                continue;
            }

            string hex = string.Join(' ', line.ToArray().Select(value => value.ToString("x2", CultureInfo.InvariantCulture)));
            string ascii = string.Concat(line.ToArray().Select(value => value is >= 32 and < 127 ? (char)value : '.'));
            text.Append(CultureInfo.InvariantCulture, $"{at:x4}  {hex,-47}  {ascii}\n");
            isInZeros = isZero;
            if (isZero)
            {
                text.Append("*\n");
            }
        }

        return text.Append(CultureInfo.InvariantCulture, $"{bytes.Length:x4}\n").ToString();
    }

    public static byte[] Parse(string text)
    {
        string[] lines = text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        byte[] bytes = new byte[Offset(lines[^1])];
        foreach (string line in lines[..^1].Where(line => line != "*"))
        {
            byte[] values = Convert.FromHexString(line.AsSpan(6, 47).ToString().Replace(" ", "", StringComparison.Ordinal));
            values.CopyTo(bytes, Offset(line[..4]));
        }

        return bytes;
    }

    private static int Offset(string hex) => int.Parse(hex, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
}
