using System.Security.Cryptography;
using Corelift.Capture.Worker;
using Corelift.Linux;
using Corelift.Linux.Memory;
using Corelift.Linux.Processes;
using Corelift.Linux.Procfs;
using Corelift.Linux.Ptrace;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Capture.Sessions;

/// <summary>A target that is stopped, until the lease runs out, is ended, or its worker dies.</summary>
public sealed class StopLease : IAsyncDisposable
{
    private readonly WorkerConnection _worker;
    private readonly SemaphoreSlim _use = new(1, 1);
    private readonly SharedBuffer _threadBuffer;
    private readonly SharedBuffer _window;
    private readonly SafeFileHandle? _memory;
    private readonly SafeFileHandle? _pagemap;
    private readonly long _started = MonotonicClock.Nanoseconds;
    private readonly long _latestEnd;
    private readonly Func<StopLease, Task> _ended;
    private readonly TaskCompletionSource _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ProcessDirectory? _directory;
    private long _stoppedNanoseconds;
    private int _ending;
    private int _users = 1; // the lease itself

    internal StopLease(
        ProcessRef target, WorkerConnection worker, WorkerMessageIn instant, TimeSpan timeToLive, TimeSpan maxHold, Func<StopLease, Task> ended)
    {
        Target = target;
        TimeToLive = timeToLive;
        MaxHold = maxHold;
        _worker = worker;
        _ended = ended;
        _latestEnd = _started + (maxHold.Ticks * 100);
        QuiescedFor = instant.QuiescedFor;
        NotQuiescedBecause = instant.Reply.Text;
        Id = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
        _threadBuffer = SharedBuffer.Open(instant.TakeDescriptor(WorkerDescriptors.Threads)!);
        _window = SharedBuffer.Open(instant.TakeDescriptor(WorkerDescriptors.Window)!);
        _memory = instant.TakeDescriptor(WorkerDescriptors.Memory);
        _pagemap = instant.TakeDescriptor(WorkerDescriptors.Pagemap);
        using SharedBuffer report = SharedBuffer.Open(instant.TakeDescriptor(WorkerDescriptors.Report)!);
        (Header, Parts, _) = CaptureReport.Read(report);
        Threads = new ThreadRecords(_threadBuffer, 0, Header.ThreadStrideBytes);
        _directory = CaptureEngine.TryOpen(target);
        _ = WatchAsync();
    }

    /// <summary>Names the lease; 128 random bits.</summary>
    public string Id { get; }

    /// <summary>The stopped process.</summary>
    public ProcessRef Target { get; }

    /// <summary>Time to live as granted at first.</summary>
    public TimeSpan TimeToLive { get; }

    /// <summary>Most time it can last in all.</summary>
    public TimeSpan MaxHold { get; }

    /// <summary>Register sets of the stopped tasks; only for who has called <see cref="Use"/>.</summary>
    public ThreadRecords Threads { get; }

    /// <summary>Number of stopped tasks.</summary>
    public int ThreadCount => Header.ThreadCount;

    /// <summary>Time between the first and the last task's stop.</summary>
    public TimeSpan Skew => TimeSpan.FromTicks(Header.SkewNanoseconds / 100);

    /// <summary>Whether job control had stopped the target before.</summary>
    public bool WasGroupStopped => Header.IsGroupStopped != 0;

    /// <summary>Whether the target runs again.</summary>
    public bool HasEnded => _worker.Ended.IsCompleted;

    /// <summary>Completes when the target runs again and nothing of the lease is left, however it ended.</summary>
    public Task Completion => _completion.Task;

    /// <summary>How long it has been stopped: so far, or in all.</summary>
    public TimeSpan StoppedFor
    {
        get
        {
            long stopped = Volatile.Read(ref _stoppedNanoseconds);
            return TimeSpan.FromTicks((stopped > 0 ? stopped : MonotonicClock.Nanoseconds - _started) / 100);
        }
    }

    /// <summary>Whether the worker said that all was released; false while it holds the target, and where it was lost.</summary>
    internal bool EndedCleanly => Volatile.Read(ref _stoppedNanoseconds) > 0;

    /// <summary>
    /// Whether the target has stood still until now; to be asked after a read of its memory, which is of a process that runs
    /// otherwise. The threads that are let go first, in order and by the death of their tracer, are asked of the kernel: of the
    /// end of a worker we hear later.
    /// </summary>
    internal bool StillHolds => !HasEnded && (_directory is null || (IsTraced(Math.Min(1, ThreadCount - 1)) && IsTraced(ThreadCount - 1)));

    internal TimeSpan QuiescedFor { get; }

    internal string NotQuiescedBecause { get; }

    internal ReportHeader Header { get; }

    internal ReportParts Parts { get; }

    internal SafeFileHandle? Memory => _memory;

    internal SafeFileHandle? Pagemap => _pagemap;

    internal SharedBuffer ThreadBuffer => _threadBuffer;

    /// <summary>Extends the lease from now on.</summary>
    /// <returns>Time to live as granted; cut where the maximum hold would be passed.</returns>
    /// <exception cref="CaptureException">The lease has ended.</exception>
    public TimeSpan KeepAlive(TimeSpan timeToLive)
    {
        long left = Math.Min(timeToLive.Ticks * 100, _latestEnd - MonotonicClock.Nanoseconds);
        if (left <= 0 || HasEnded || !_worker.Send(new WorkerCommand { Kind = WorkerCommandKind.KeepAlive, Value = left }))
        {
            throw Ended();
        }

        return TimeSpan.FromTicks(left / 100);
    }

    /// <summary>Keeps what the lease has read and opened, not the stop, until the result is disposed of.</summary>
    /// <exception cref="CaptureException">The lease has ended.</exception>
    public IDisposable Use()
    {
        for (int users = Volatile.Read(ref _users); users > 0 && !HasEnded;)
        {
            int seen = Interlocked.CompareExchange(ref _users, users + 1, users);
            if (seen == users)
            {
                return new User(this);
            }

            users = seen;
        }

        throw Ended();
    }

    /// <summary>Lets the target run. Idempotent.</summary>
    /// <returns>How long it was stopped.</returns>
    public async Task<TimeSpan> ResumeAsync()
    {
        await DisposeAsync().ConfigureAwait(false);
        return StoppedFor;
    }

    /// <summary>Copies memory of the stopped target, stopping at the first byte that cannot be read.</summary>
    /// <returns>Bytes copied; fewer than asked means that the next one is a hole.</returns>
    /// <exception cref="CaptureException">The lease has ended.</exception>
    public async Task<int> ReadAsync(ulong address, Memory<byte> destination, CancellationToken cancellationToken)
    {
        await _use.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (HasEnded)
            {
                throw Ended();
            }

            if (_memory is not null)
            {
                int read = MemFile.Read(_memory, new RemoteAddress(address), destination.Span, out Errno errno);
                return (read > 0 || errno != Errno.None) && StillHolds ? read : throw Ended();
            }

            return await ReadThroughWorkerAsync(address, destination, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _use.Release();
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _ending, 1) == 0)
        {
            _ = _worker.Send(new WorkerCommand { Kind = WorkerCommandKind.Release });
            await DrainAsync().ConfigureAwait(false);
            await _worker.DisposeAsync().ConfigureAwait(false);
            await _ended(this).ConfigureAwait(false);
            _completion.TrySetResult();
            await _use.WaitAsync().ConfigureAwait(false);
            Leave();
            _use.Release();
        }
    }

    private async Task<int> ReadThroughWorkerAsync(ulong address, Memory<byte> destination, CancellationToken cancellationToken)
    {
        int length = (int)Math.Min(destination.Length, _window.LengthBytes);
        if (!_worker.Send(new WorkerCommand { Kind = WorkerCommandKind.Read, Address = address, LengthBytes = length }))
        {
            throw Ended();
        }

        using WorkerMessageIn answer = await _worker.NextAsync(cancellationToken).ConfigureAwait(false);
        if (answer.Reply.Kind != WorkerReplyKind.Window)
        {
            throw Ended();
        }

        int copied = (int)Math.Clamp(answer.Reply.Value, 0, length);
        _window.Slice(0, copied).CopyTo(destination.Span);
        return copied;
    }

    private void Leave()
    {
        if (Interlocked.Decrement(ref _users) == 0)
        {
            _threadBuffer.Dispose();
            _window.Dispose();
            _memory?.Dispose();
            _pagemap?.Dispose();
            _directory?.Dispose();
        }
    }

    private bool IsTraced(int index)
    {
        try
        {
            using var buffer = new ProcfsBuffer();
            return _directory!.ReadTaskStatus(Threads.Tid(index), buffer).TracerPid != 0;
        }
        catch (SyscallException)
        {
            return false; // it has ended
        }
    }

    private async Task DrainAsync()
    {
        try
        {
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(5));
            while (true)
            {
                using WorkerMessageIn message = await _worker.NextAsync(patience.Token).ConfigureAwait(false);
                if (message.Reply.Kind == WorkerReplyKind.Released)
                {
                    Volatile.Write(ref _stoppedNanoseconds, message.Reply.Value);
                    return;
                }
            }
        }
        catch (Exception failure) when (failure is CaptureException or OperationCanceledException)
        {
            // It ended without a word, or is killed by the dispose that follows: the target runs either way.
        }
    }

    private async Task WatchAsync()
    {
        await _worker.Ended.ConfigureAwait(false);
        await DisposeAsync().ConfigureAwait(false);
    }

    private CaptureException Ended() => new(
        CaptureFailure.LeaseEnded, $"the lease of process {Target.Pid} has ended and the process runs: stop it again, and keep the lease alive");

    private sealed class User(StopLease lease) : IDisposable
    {
        private StopLease? _lease = lease;

        public void Dispose() => Interlocked.Exchange(ref _lease, null)?.Leave();
    }
}
