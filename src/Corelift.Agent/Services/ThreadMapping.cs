using Corelift.Linux;
using Corelift.Linux.Procfs;
using Corelift.Linux.Ptrace;
using Google.Protobuf;
using Wire = Corelift.V1;

namespace Corelift.Agent.Services;

/// <summary>Stopped tasks as messages: register records of the tracer, and what /proc says of each task's name and times.</summary>
internal sealed class ThreadMapping : IDisposable
{
    private const int MessageBytes = 900 * 1024;
    private const long MicrosecondsPerTick = 10_000; // USER_HZ is 100 on every architecture that matters here

    private readonly ThreadRecords _records;
    private readonly int _count;
    private readonly ProcessDirectory? _directory;
    private readonly ProcfsBuffer _buffer = new();

    internal ThreadMapping(ThreadRecords records, int count, int pid)
    {
        _records = records;
        _count = count;
        _directory = TryOpen(pid);
    }

    /// <summary>Tasks in lists of which none makes a message above 1 MiB; the one a debugger should show first is first.</summary>
    internal IEnumerable<List<Wire.StoppedThread>> InMessages(Func<int, bool>? wanted = null)
    {
        var list = new List<Wire.StoppedThread>();
        int bytes = 0;
        for (int i = 0; i < _count; i++)
        {
            if (wanted is not null && !wanted(_records.Tid(i)))
            {
                continue;
            }

            Wire.StoppedThread thread = Map(i);
            int size = thread.CalculateSize() + 8;
            if (bytes + size > MessageBytes && list.Count > 0)
            {
                yield return list;
                list = [];
                bytes = 0;
            }

            list.Add(thread);
            bytes += size;
        }

        if (list.Count > 0)
        {
            yield return list;
        }
    }

    public void Dispose()
    {
        _buffer.Dispose();
        _directory?.Dispose();
    }

    private Wire.StoppedThread Map(int index)
    {
        int tid = _records.Tid(index);
        var thread = new Wire.StoppedThread
        {
            Tid = (uint)tid,
            StoppedAfter = WireMapping.ToDuration(Math.Max(0, _records.StoppedAfterNanoseconds(index))),
            CurrentSignal = (uint)_records.CurrentSignal(index),
            BlockedSignals = _records.BlockedSignals(index),
        };
        thread.RegisterSets.Add(new Wire.RegisterSet { NoteType = (uint)NoteType.PrStatus, Data = ByteString.CopyFrom(_records.General(index)) });
        if (!_records.XState(index).IsEmpty)
        {
            thread.RegisterSets.Add(new Wire.RegisterSet { NoteType = (uint)NoteType.X86XState, Data = ByteString.CopyFrom(_records.XState(index)) });
        }

        if (_records.HasSigInfo(index))
        {
            thread.Siginfo = ByteString.CopyFrom(_records.SigInfo(index));
        }

        AddTaskFacts(thread, tid);
        return thread;
    }

    private void AddTaskFacts(Wire.StoppedThread thread, int tid)
    {
        try
        {
            if (_directory is not null)
            {
                TaskStat stat = _directory.ReadTaskStat(tid, _buffer);
                thread.Name = stat.Name;
                thread.UserTimeUs = stat.UserTimeTicks * MicrosecondsPerTick;
                thread.SystemTimeUs = stat.SystemTimeTicks * MicrosecondsPerTick;
                thread.PendingSignals = _directory.ReadTaskStatus(tid, _buffer).PendingSignals;
            }
        }
        catch (Exception failure) when (failure is SyscallException or ProcfsFormatException)
        {
            // It has ended since the instant; its registers are what counts.
        }
    }

    private static ProcessDirectory? TryOpen(int pid)
    {
        try
        {
            return ProcessDirectory.Open(pid);
        }
        catch (SyscallException)
        {
            return null;
        }
    }
}
