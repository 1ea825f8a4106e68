namespace DiskDistributedCache.Storage;

/// <summary>
/// What is kept outside the file system of a store, about the store: the witness, which vouches for the session that has it open, and
/// the revocation, which says that a process acknowledged mutations that the store does not have. A marker that has to be
/// written when the disk fails would be the wrong way round; here the proof of health has to be present, and is taken away.
///
/// Layout: files in the witness directory, named after a hash of the store's path. The witness holds the id of the session
/// and that of the session before it, so that a process which is killed while it takes a store over leaves it trusted. Nobody else may read it, so
/// nobody else can forge an id. A revocation has the id of its session in its name and no content: each process has its own, so that none takes
/// back, or relies on, what another one has said.
///
/// Faults: reading never fails, it finds no proof. Writing and deleting throw what the file system throws.
/// </summary>
internal sealed class Witness(CacheDirectory directory)
{
    private const int IdBytes = 16;

    private StoreFile? _revocation;

    /// <summary>Whether a witness was refused because of where it would be. To try again would be in vain.</summary>
    public bool IsRefused { get; private set; }

    /// <summary>
    /// Vouches for a session, and for the one that it takes over from. The witness that is there stays until the new one is whole: a process may
    /// be killed at any moment.
    /// </summary>
    /// <exception cref="IOException">Among others: the witness would be on the disk that it is to vouch for.</exception>
    public void Put(Guid session, Guid previous)
    {
        if (directory.Witness is not { } path)
        {
            return;
        }

        string fresh = path + ".new";
        using (var file = directory.CreatePrivate(fresh))
        {
            IsRefused = file.Identity is { } identity && identity.Device == directory.Device;
            if (!IsRefused)
            {
                file.Write([.. session.ToByteArray(), .. previous.ToByteArray()], 0);
            }
        }

        if (IsRefused)
        {
            directory.Delete(fresh);
            throw new IOException($"The witness '{path}' is on the same file system as the cache and proves nothing.");
        }

        directory.Rename(fresh, path);
    }

    /// <summary>Whether the witness is there and vouches for this session.</summary>
    public bool VouchesFor(Guid session) => Read(directory.Witness) is { } ids && ids.Contains(session);

    /// <summary>Takes the proof of health away.</summary>
    public void Withdraw()
    {
        if (directory.Witness is { } path)
        {
            directory.Delete(path);
        }
    }

    /// <summary>Says that a session acknowledged what the store does not have. Held until it is taken back, or the process ends.</summary>
    /// <exception cref="IOException">Among others: there is no place for a revocation.</exception>
    public void Revoke(Guid session)
    {
        if (_revocation is not { } revocation || !directory.IsRevocationInPlace(revocation, session))
        {
            // Else it is not made anew: there must be no moment without it.
            LetGo();
            _revocation = directory.LeaveRevocation(session);
        }
    }

    /// <summary>
    /// Whether a session other than this one has revoked the store, and has ended. Where that cannot be told, one may have. Who lives will write what it
    /// owes itself, or end before that.
    /// </summary>
    public bool IsRevokedByOther(Guid session)
    {
        try
        {
            return directory.DeadRevocations(session).Count > 0;
        }
        catch (Exception)
        {
            return true;
        }
    }

    /// <summary>Takes the revocation of this session back: what it was about has been written.</summary>
    public void Forgive(Guid session)
    {
        if (directory.RevocationOf(session) is { } path)
        {
            directory.Delete(path);
            LetGo();
        }
    }

    /// <summary>Lets go of the revocation, which stays: this session ends. On any thread.</summary>
    public void LetGo() => Interlocked.Exchange(ref _revocation, null)?.Dispose();

    /// <summary>The ids in a file: null where there is no file, none where it cannot be read. Not asked whether it exists: .NET denies that on any error.</summary>
    private List<Guid>? Read(string? path)
    {
        if (path is null)
        {
            return null;
        }

        var ids = new List<Guid>();
        try
        {
            if (NativeIo.IsForeign(path))
            {
                // Anybody may use the name, and to open what is there might be to wait. The folder of the store is this user's alone, so another user has no store here to vouch for.
                return null;
            }

            using var file = directory.OpenToRead(path);
            Span<byte> content = stackalloc byte[2 * IdBytes];
            int read = file.Read(content, 0);
            for (int at = 0; at + IdBytes <= read; at += IdBytes)
            {
                ids.Add(new Guid(content.Slice(at, IdBytes)));
            }
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        catch (Exception)
        {
            // What cannot be read proves nothing.
            ids.Clear();
        }

        return ids;
    }
}
