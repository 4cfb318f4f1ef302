#pragma warning disable CA2000 // Workers are owned by the list that they go to.
using Corelift.Capture.Worker;
using Corelift.Linux;
using Corelift.Linux.Processes;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Capture.Supervision;

/// <summary>
/// Serves one front end: starts workers for it, kills those whose stop overruns, and tells how they ended. One thread, no
/// network, no word of a target read but its start time. When the front end goes, everybody runs again.
/// </summary>
internal sealed class Supervisor
{
    private const int LookWhileEnding = 2; // milliseconds
    private const int MostFileSockets = 32;
    private const int MostRestores = 3; // then the journal stays for the next start
    private const long PatienceWithWorkers = 4_000_000_000;

    private readonly SupervisorSettings _settings;
    private readonly QuiesceJournals _journals;
    private readonly MessageSocket _frontEnd;
    private readonly int _frontEndPid;
    private readonly List<SupervisedWorker> _workers = [];
    private readonly List<MessageSocket> _fileSockets = [];
    private bool _isOver;

    internal Supervisor(SupervisorSettings settings, MessageSocket frontEnd, int frontEndPid)
    {
        _settings = settings;
        _journals = settings.Journals;
        _frontEnd = frontEnd;
        _frontEndPid = frontEndPid;
    }

    /// <summary>Serves until the front end has gone or breaks the protocol; then nobody is held any more.</summary>
    /// <param name="welcome">What it is told first.</param>
    /// <param name="cleanedUp">What was done for targets that an agent before this one left; told, and then forgotten.</param>
    /// <param name="alongside">Looked at beside it: see <see cref="SupervisorProgram"/>.</param>
    internal void Serve(SupervisorWelcome welcome, List<string> cleanedUp, ISupervisorEvents alongside)
    {
        try
        {
            welcome.CleanedUp = cleanedUp.Count;
            Say(WorkerMessage.ToBytes(ref welcome));
            foreach (string sentence in cleanedUp)
            {
                Say(new SupervisorMessage { Kind = SupervisorMessageKind.CleanedUp, Text = new FixedText(sentence) });
            }

            cleanedUp.Clear();
            while (!_isOver)
            {
                Step(alongside, withFrontEnd: true, long.MaxValue);
                _isOver |= alongside.IsOver(MonotonicClock.Nanoseconds);
            }
        }
        catch (SyscallException)
        {
            // The connection broke.
        }

        End(alongside);
    }

    /// <summary>The workers release whom they hold as soon as their sockets to the front end close; who does not is killed.</summary>
    private void End(ISupervisorEvents alongside)
    {
        _isOver = true;
        _frontEnd.Dispose();
        foreach (MessageSocket files in _fileSockets)
        {
            files.Shutdown();
        }

        long latest = MonotonicClock.Nanoseconds + PatienceWithWorkers;
        while (_workers.Count > 0)
        {
            Step(alongside, withFrontEnd: false, latest);
            if (MonotonicClock.Nanoseconds > latest)
            {
                _workers.ForEach(worker => worker.Kill());
                latest = long.MaxValue;
            }
        }
    }

    private void Step(ISupervisorEvents alongside, bool withFrontEnd, long latest)
    {
        List<MessageSocket> sockets = [.. alongside.Sockets];
        int first = sockets.Count;
        SupervisedWorker[] heard = [.. _workers.Where(worker => !worker.IsEnding)];
        sockets.AddRange(heard.Select(worker => worker.Control));
        sockets.AddRange(withFrontEnd ? [_frontEnd] : []);
        bool[] ready = new bool[sockets.Count];
        MessageSocket.WaitAny(sockets.ToArray(), ready, Timeout(Math.Min(latest, alongside.DueAt)));
        for (int i = 0; i < heard.Length; i++)
        {
            if (ready[first + i])
            {
                heard[i].Hear();
            }
        }

        alongside.Look(ready.AsSpan(0, first));
        if (withFrontEnd && ready[^1])
        {
            Hear();
        }

        long now = MonotonicClock.Nanoseconds;
        for (int i = _workers.Count - 1; i >= 0; i--)
        {
            _workers[i].Enforce(now);
            if (_workers[i].HasEnded())
            {
                SupervisedWorker ended = _workers[i];
                _workers.RemoveAt(i);
                Finish(ended);
            }
        }
    }

    private int Timeout(long latest)
    {
        long due = latest;
        foreach (SupervisedWorker worker in _workers)
        {
            if (worker.IsEnding)
            {
                return LookWhileEnding;
            }

            due = Math.Min(due, worker.DueAt);
        }

        return due == long.MaxValue ? -1 : (int)Math.Clamp(((due - MonotonicClock.Nanoseconds) / 1_000_000) + 1, 0, 60_000);
    }

    private void Hear()
    {
        Span<byte> message = stackalloc byte[WorkerMessage.MaxBytes];
        var descriptors = new List<SafeFileHandle>();
        try
        {
            int length = _frontEnd.Receive(message, descriptors);
            if (!WorkerMessage.TryRead(message[..length], out FrontEndRequest request) || request.Number <= 0
                || descriptors.Count > (request.Verb == FrontEndVerb.StartWorker ? 1 : 0) || !TryAnswer(request, descriptors))
            {
                _isOver = true; // it has gone, or is not a front end of ours
            }
        }
        finally
        {
            descriptors.ForEach(descriptor => descriptor.Dispose());
        }
    }

    private bool TryAnswer(in FrontEndRequest request, List<SafeFileHandle> descriptors)
    {
        int number = request.Number;
        SupervisedWorker? named = _workers.Find(worker => worker.Number == number);
        switch (request.Verb)
        {
            case FrontEndVerb.StartWorker when named is null:
                Start(number, request.Start, descriptors.Count == 0 ? null : descriptors[0]);
                return true;
            case FrontEndVerb.KillWorker:
                named?.Kill(); // where it has ended meanwhile there is nothing to do
                return true;
            case FrontEndVerb.OpenFiles:
                OpenFiles(number);
                return true;
            default:
                return false;
        }
    }

    private void Start(int number, WorkerRequest request, SafeFileHandle? spool)
    {
        WorkerRefusal refusal = _workers.Count >= _settings.Limits.MaxWorkers
            ? WorkerRefusal.TooManyWorkers
            : WorkerRequestChecks.Check(request, _settings.Limits, [Environment.ProcessId, _frontEndPid]);
        if (refusal == WorkerRefusal.None && spool is not null && !FileKind.IsRegular(spool))
        {
            refusal = WorkerRefusal.BadRequest;
        }

        int errno = 0;
        if (refusal == WorkerRefusal.None)
        {
            try
            {
                StartChecked(number, request, spool);
                return;
            }
            catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
            {
                refusal = WorkerRefusal.CannotStart;
                errno = failure is SyscallException call ? (int)call.Errno : 0;
            }
        }

        Say(new SupervisorMessage { Kind = SupervisorMessageKind.WorkerRefused, Number = number, Refusal = refusal, WaitStatus = errno });
    }

    private void StartChecked(int number, WorkerRequest request, SafeFileHandle? spool)
    {
        request.MostHoldNanoseconds = _settings.Limits.LongestHold.Ticks * 100;
        var target = new ProcessRef(request.Pid, request.StartTimeTicks);
        SafeFileHandle? journal = request.Quiesces == 0 ? null : _journals.Open(target);
        SupervisedWorker worker;
        MessageSocket toWorker;
        try
        {
            worker = SupervisedWorker.Start(_settings.Executable, number, request, spool, journal, out toWorker);
        }
        catch
        {
            if (journal is not null)
            {
                _journals.Close(target, journal);
            }

            throw;
        }

        _workers.Add(worker);
        using (toWorker)
        {
            Say(new SupervisorMessage { Kind = SupervisorMessageKind.WorkerStarted, Number = number, Pid = worker.Pid }, toWorker.Handle);
        }
    }

    /// <summary>A worker has ended: where it left its target quiesced, another one sees to that first, and where that is killed, one more.</summary>
    private void Finish(SupervisedWorker ended)
    {
        ended.Dispose();
        if (ended.Restores < MostRestores && ended.Journal is { } journal && QuiesceJournals.IsPending(journal))
        {
            try
            {
                var request = new WorkerRequest { Task = WorkerTask.Restore };
                _workers.Add(SupervisedWorker.Start(_settings.Executable, ended.Number, request, null, journal, out MessageSocket toWorker, ended));
                toWorker.Dispose(); // there is nothing that it has to be told
                return;
            }
            catch (SyscallException)
            {
                // No process to be had: the journal stays for the next start.
            }
        }

        SupervisedWorker told = ended.Before ?? ended;
        if (ended.Journal is { } done)
        {
            _journals.Close(told.Target, done);
        }

        Say(new SupervisorMessage
        {
            Kind = SupervisorMessageKind.WorkerEnded,
            Number = told.Number,
            WaitStatus = told.WaitStatus,
            Overran = told.Overran ? 1 : 0,
        });
    }

    private void OpenFiles(int number)
    {
        _fileSockets.RemoveAll(socket => socket.Handle.IsClosed);
        var reply = new SupervisorMessage { Kind = SupervisorMessageKind.FilesOpened, Number = number };
        if (_fileSockets.Count >= MostFileSockets)
        {
            Say(reply);
            return;
        }

        (MessageSocket ours, MessageSocket theirs) = MessageSocket.CreatePair();
        _fileSockets.Add(ours);
        TargetFileServer.Start(ours, breach: _frontEnd.Shutdown);
        using (theirs)
        {
            Say(reply, theirs.Handle);
        }
    }

    private void Say(SupervisorMessage message, params ReadOnlySpan<SafeFileHandle> descriptors) => Say(WorkerMessage.ToBytes(ref message), descriptors);

    /// <summary>Nothing is waited for: a front end that does not read is as good as gone.</summary>
    private void Say(ReadOnlySpan<byte> message, params ReadOnlySpan<SafeFileHandle> descriptors) =>
        _isOver |= _frontEnd.Handle.IsClosed || !_frontEnd.TrySendNow(message, descriptors);
}
