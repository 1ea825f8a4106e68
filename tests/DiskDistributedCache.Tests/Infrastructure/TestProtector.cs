using System.Security.Cryptography;

namespace DiskDistributedCache.Tests.Infrastructure;

/// <summary>AES-GCM with a key that can be lost for good, and a key ring that can be away for a while.</summary>
internal sealed class TestProtector : DiskCacheProtector
{
    private const int NonceBytes = 12;
    private const int TagBytes = 16;

    private byte[] _key = RandomNumberGenerator.GetBytes(32);
    private int _callCount;

    /// <summary>While it is set, whoever asks for a key gets this.</summary>
    public Func<Exception>? Away { get; set; }

    /// <summary>What is longer is not encrypted.</summary>
    public int MaxBytes { get; set; } = int.MaxValue;

    public int CallCount => _callCount;

    /// <summary>The name of the thread on which something was last encrypted.</summary>
    public string? ProtectedOn { get; private set; }

    public void LoseKeys() => _key = RandomNumberGenerator.GetBytes(32);

    public override byte[] Protect(byte[] value)
    {
        Enter();
        ProtectedOn = Thread.CurrentThread.Name;
        if (value.Length > MaxBytes)
        {
            throw new CryptographicException("Too long.");
        }

        byte[] result = new byte[NonceBytes + TagBytes + value.Length];
        RandomNumberGenerator.Fill(result.AsSpan(0, NonceBytes));
        using var aes = new AesGcm(_key, TagBytes);
        aes.Encrypt(
            result.AsSpan(0, NonceBytes), value, result.AsSpan(NonceBytes + TagBytes), result.AsSpan(NonceBytes, TagBytes));
        return result;
    }

    public override byte[] Unprotect(byte[] protectedValue)
    {
        Enter();
        if (protectedValue.Length < NonceBytes + TagBytes)
        {
            throw new CryptographicException("Too short.");
        }

        byte[] value = new byte[protectedValue.Length - NonceBytes - TagBytes];
        using var aes = new AesGcm(_key, TagBytes);
        aes.Decrypt(
            protectedValue.AsSpan(0, NonceBytes),
            protectedValue.AsSpan(NonceBytes + TagBytes),
            protectedValue.AsSpan(NonceBytes, TagBytes),
            value);
        return value;
    }

    private void Enter()
    {
        Interlocked.Increment(ref _callCount);
        if (Away is { } exception)
        {
            throw exception();
        }
    }
}
