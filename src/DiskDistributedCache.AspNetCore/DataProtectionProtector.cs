using Microsoft.AspNetCore.DataProtection;

namespace DiskDistributedCache.AspNetCore;

/// <summary>
/// Encrypts with ASP.NET Core Data Protection, which chooses the algorithm, renews its keys and names the key in what it returns. The
/// purpose keeps these values apart from everything else that the application protects; the cache itself adds what they belong to.
/// </summary>
internal sealed class DataProtectionProtector(IDataProtectionProvider provider) : DiskCacheProtector
{
    private readonly IDataProtector _protector = provider.CreateProtector("DiskDistributedCache", "values", "v1");

    public override byte[] Protect(byte[] value) => _protector.Protect(value);

    public override byte[] Unprotect(byte[] protectedValue) => _protector.Unprotect(protectedValue);
}
