using System.Security.Cryptography;

namespace DiskDistributedCache;

/// <summary>
/// Encrypts what a <see cref="DiskCache"/> writes to disk; see <see cref="DiskDistributedCacheOptions.UseProtector"/>. In ASP.NET Core
/// <c>AddDiskCacheDataProtection</c> of the package <c>DiskDistributedCache.AspNetCore</c> provides one; derive from this class
/// for keys from elsewhere.
/// </summary>
/// <remarks>
/// Has to encrypt and to authenticate: bytes that were changed must not come back as a value. To which key, tags and store a value
/// belongs is added by the cache, and checked when it comes back. Called by many threads at the same time, as a rule on the thread of
/// the caller, and on those that read from and write to the disk: it should answer from memory.
/// </remarks>
public abstract class DiskCacheProtector
{
    /// <summary>
    /// Encrypts and authenticates. May throw anything: then the value is not written to disk, and memory alone has it.
    /// </summary>
    /// <param name="value">What is to be protected, at most some 2 GiB; the method may keep it, and must not change it.</param>
    /// <returns>The protected bytes, at least one, which <see cref="Unprotect"/> takes back in this process and in later ones.</returns>
    public abstract byte[] Protect(byte[] value);

    /// <summary>Verifies and decrypts.</summary>
    /// <param name="protectedValue">What <see cref="Protect"/> returned, or anything else; the method must not change it.</param>
    /// <returns>What was protected.</returns>
    /// <exception cref="CryptographicException">
    /// The bytes were changed, or their key is gone: the entry is dropped. Any other exception says that the keys cannot be had at the
    /// moment: the entry is left alone and is a miss until they can.
    /// </exception>
    public abstract byte[] Unprotect(byte[] protectedValue);
}
