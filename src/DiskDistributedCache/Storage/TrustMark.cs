namespace DiskDistributedCache.Storage;

/// <summary>
/// Tells the next process whether it may believe the store if this one ends without closing it. As long as everything that was
/// acknowledged is in the log, it may. Before something is acknowledged that is not (it is owed), that has to be taken back:
/// where this process has the store open, by withdrawing the witness, without which a store that is not closed clean is not
/// believed; where it has not, by a mark beside the lock, or, where the disk does not take one, a revocation. The superblock
/// gets its suspect flag with its next write.
///
/// States: trusted, withdrawing, withdrawn. Withdrawing happens on a thread of its own, because the lanes may hang; it is rare.
/// Whoever has something to acknowledge waits for <see cref="Withdrawn"/>. Trust comes back in two steps: <see cref="Reset"/>, under
/// the lock of whoever owes, so that what becomes owed from then on withdraws anew; then <see cref="Restore"/>.
///
/// Concurrency: the state has a lock that is never held over I/O. I/O has a lock of its own, so that a withdrawal that comes
/// while trust is being restored is done after it and rules.
///
/// Faults: what cannot be written is tried in the other way. Where neither works whoever waits is let go, because a caller cannot wait for
/// ever; but nobody has been told, so whatever becomes owed next, and each heartbeat, tries again.
/// </summary>
internal sealed class TrustMark(CacheDirectory directory, Guid session) : IDisposable
{
    private static readonly TimeSpan s_disposeGrace = TimeSpan.FromMilliseconds(100);

    private readonly Witness _witness = new(directory);
    private readonly Lock _stateLock = new();
    private readonly Lock _ioLock = new();

    // Guarded by _stateLock; _isWithdrawn is read by anyone.
    private bool _isWanted = true;
    private volatile bool _isWithdrawn;
    private bool _isUntold;

    // Guarded by _ioLock.
    private bool _isOwner;
    private StoreFile? _waiterMark;
    private bool _mayHaveLeftMark;
    private bool _isMarkDurable;
    private Guid _previousSession;
    private bool _isIncomplete;
    private bool _wasUntold;

    // Set once, by anyone.
    private volatile bool _hasEnded;

    /// <summary>Called on a thread of its own when what is owed may be acknowledged.</summary>
    public event Action? Withdrawn;

    /// <summary>Called with what went wrong outside the store. The cache goes on; a killed process will be followed by an empty cache.</summary>
    public event Action<Exception>? Failed;

    public Guid Session => session;

    public Witness Witness => _witness;

    /// <summary>Whether what is owed may be acknowledged.</summary>
    public bool IsWithdrawn => _isWithdrawn;

    /// <summary>Whether the store owes something, or may.</summary>
    public bool IsSuspect
    {
        get
        {
            lock (_stateLock)
            {
                return !_isWanted;
            }
        }
    }

    /// <summary>Takes the trust back; <see cref="Withdrawn"/> follows. Does nothing where that is under way or done.</summary>
    public void Withdraw()
    {
        if (!TryBeginToWithdraw())
        {
            return;
        }

        try
        {
            new Thread(DoWithdraw) { IsBackground = true, Name = "DiskDistributedCache trust" }.Start();
        }
        catch (Exception)
        {
            // No thread of its own is to be had.
            ThreadPool.UnsafeQueueUserWorkItem(static mark => mark.DoWithdraw(), this, preferLocal: false);
        }
    }

    /// <summary>The same once more where nothing could be told to the next process.</summary>
    public void WithdrawMissing()
    {
        bool isMissing;
        lock (_stateLock)
        {
            isMissing = _isUntold;
        }

        if (isMissing)
        {
            Withdraw();
        }
    }

    /// <summary>
    /// The same once more where it is done already: what it left may have been taken for that of a process which has ended.
    /// </summary>
    public void WithdrawAgain()
    {
        if (IsSuspect)
        {
            DoWithdraw();
        }
    }

    /// <summary>The same on the calling thread: the process may end as soon as this returns.</summary>
    public void WithdrawNow()
    {
        if (TryBeginToWithdraw())
        {
            DoWithdraw();
        }
    }

    /// <summary>Vouches for the store that this process is about to open, also under the name of the session that had it before.</summary>
    public void Vouch(Guid previousSession)
    {
        lock (_ioLock)
        {
            _previousSession = previousSession;
            PutWitness();
        }
    }

    /// <summary>
    /// This process has the store open: what is on disk says that it is in use, so that from here on it is enough to withdraw the
    /// witness.
    /// </summary>
    public void Own()
    {
        lock (_ioLock)
        {
            _isOwner = true;
        }
    }

    /// <summary>This process does not own a store any more: where the witness was withdrawn, that was not enough.</summary>
    public void Disown()
    {
        lock (_ioLock)
        {
            if (!_isOwner)
            {
                return;
            }

            _isOwner = false;
        }

        bool wasSuspect;
        lock (_stateLock)
        {
            wasSuspect = !_isWanted;
            ForgetWithdrawal();
        }

        if (wasSuspect)
        {
            Withdraw();
        }
    }

    /// <summary>The callers have waited for long enough: what could be written by now has to do.</summary>
    public void GiveUpWaiting()
    {
        lock (_stateLock)
        {
            _isWithdrawn = !_isWanted;
        }
    }

    /// <summary>Nothing is owed. From here on whatever becomes owed withdraws anew.</summary>
    public void Reset()
    {
        lock (_stateLock)
        {
            ForgetWithdrawal();
        }
    }

    /// <summary>What processes that have ended hold against the store that is here: their marks and revocations.</summary>
    /// <exception cref="IOException">The marks cannot be listed.</exception>
    public IReadOnlyList<string> FindCharges()
    {
        var charges = new List<string>(directory.DeadWaiters(session));
        Try(() => charges.AddRange(directory.DeadRevocations(session)));
        return charges;
    }

    /// <summary>They are void: the store was begun anew since they were found.</summary>
    public void Absolve(IReadOnlyList<string> charges)
    {
        foreach (string path in charges)
        {
            Try(() => directory.DeleteIfDead(path));
        }
    }

    /// <summary>Puts back what was withdrawn, unless it has been withdrawn again meanwhile.</summary>
    public void Restore()
    {
        lock (_ioLock)
        {
            PutWitness();
            if (!IsSuspect)
            {
                _isIncomplete |= !Try(RemoveMarks);
            }
        }
    }

    /// <summary>The same once more where a part of it has failed, of which has been told: without it a killed process leaves nothing.</summary>
    public void RestoreMissing()
    {
        lock (_ioLock)
        {
            if (_isIncomplete && _isOwner && !IsSuspect && !_witness.IsRefused)
            {
                _isIncomplete = !Try(() => _witness.Put(session, _previousSession), tells: false) || !Try(RemoveMarks, tells: false);
            }
        }
    }

    /// <summary>The store was closed clean: what was kept elsewhere about it is not needed any more.</summary>
    public void Closed()
    {
        lock (_ioLock)
        {
            Try(RemoveMarks);
            Try(_witness.Withdraw);
        }
    }

    /// <summary>Lets go of the mark beside the lock and of the revocation, which stay: this session ends, and what it has said is that of the dead.</summary>
    public void Dispose()
    {
        _hasEnded = true;
        if (_ioLock.TryEnter(s_disposeGrace))
        {
            LetGo();
            _ioLock.Exit();
        }
        else
        {
            // A withdrawal hangs at the disk, with the mark. It lets go of what it leaves when it is done; the revocation came first, and is there.
            _witness.LetGo();
        }
    }

    private bool TryBeginToWithdraw()
    {
        lock (_stateLock)
        {
            bool begins = _isWanted || _isUntold;
            _isWanted = _isUntold = false;
            return begins;
        }
    }

    /// <summary>Holds _stateLock.</summary>
    private void ForgetWithdrawal()
    {
        _isWithdrawn = _isUntold = false;
        _isWanted = true;
    }

    private void DoWithdraw()
    {
        lock (_ioLock)
        {
            if (!IsSuspect)
            {
                // Everything was written meanwhile.
                return;
            }

            if (_hasEnded && HasLeftWord())
            {
                // To take it up again would make it that of the living for a moment.
                Land();
                NoteAttempt(isTold: true);
                return;
            }

            bool isTold = false;
            Try(() => isTold = (_isOwner && Try(_witness.Withdraw, tells: !_wasUntold)) || Revoke(), tells: !_wasUntold);
            Land();
            _wasUntold = !isTold;
            NoteAttempt(isTold);
            if (_hasEnded)
            {
                LetGo();
            }
        }
    }

    /// <summary>
    /// The revocation first, because it is quick and no disk can hang it. The mark is better: it outlives the operating system. What another process has left
    /// of either kind is about what that one owes, and goes when that one says so.
    /// </summary>
    /// <returns>Whether one of them is there.</returns>
    private bool Revoke()
    {
        bool isRevoked = directory.RevocationOf(session) is not null && Try(() => _witness.Revoke(session), tells: !_wasUntold);
        if (isRevoked)
        {
            Land();
        }

        bool isMarked = Try(LeaveMark, tells: !_wasUntold);
        if (isMarked && isRevoked)
        {
            Try(() => _witness.Forgive(session));
        }

        return isRevoked || isMarked;
    }

    private bool HasLeftWord()
    {
        bool hasLeft = false;
        Try(() => hasLeft = directory.HasLeftWord(session), tells: false);
        return hasLeft;
    }

    /// <summary>After one that told nobody who comes next begins anew. Does nothing where trust was reset meanwhile.</summary>
    private void NoteAttempt(bool isTold)
    {
        lock (_stateLock)
        {
            if (!_isWanted)
            {
                (_isWithdrawn, _isUntold) = (isTold, !isTold);
            }
        }
    }

    /// <summary>What is owed may be acknowledged. Does nothing where trust was reset meanwhile: then nothing is owed.</summary>
    private void Land()
    {
        GiveUpWaiting();
        Withdrawn?.Invoke();
    }

    /// <summary>In the folder as it is now: it may have been replaced since the mark was left.</summary>
    private void LeaveMark()
    {
        if (_waiterMark is not null && !directory.IsInPlace(_waiterMark, session))
        {
            LetGoOfMark();
        }

        _mayHaveLeftMark = true;
        _waiterMark ??= directory.LeaveWaiterMark(session);
        if (!_isMarkDurable)
        {
            // It has to outlive the system, too: the store may have been closed clean.
            directory.SyncFolder(directory.Path);
            _isMarkDurable = true;
        }
    }

    private void LetGo()
    {
        LetGoOfMark();
        _witness.LetGo();
    }

    private void LetGoOfMark()
    {
        _waiterMark?.Dispose();
        _waiterMark = null;
        _isMarkDurable = false;
    }

    private void PutWitness()
    {
        if (!IsSuspect)
        {
            _isIncomplete = !Try(() => _witness.Put(session, _previousSession));
        }
    }

    private void RemoveMarks()
    {
        _witness.Forgive(session);
        if (_mayHaveLeftMark)
        {
            directory.RemoveWaiterMark(session);
            LetGoOfMark();
            _mayHaveLeftMark = false;
        }
    }

    /// <param name="action">What may fail.</param>
    /// <param name="tells">Whether a failure is told; not where it was when it failed first.</param>
    private bool Try(Action action, bool tells = true)
    {
        try
        {
            action();
            return true;
        }
        catch (Exception exception)
        {
            if (tells)
            {
                Failed?.Invoke(exception);
            }

            return false;
        }
    }
}
