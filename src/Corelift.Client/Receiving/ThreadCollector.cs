using Corelift.Elf;
using Corelift.V1;

namespace Corelift.Client.Receiving;

/// <summary>Takes the tasks of an instant as they come, each checked, up to the announced number.</summary>
internal sealed class ThreadCollector(uint expected, SnapshotLimits limits)
{
    private const uint NtPrStatus = 1;
    private const int GeneralRegistersBytes = 216; // sizeof(struct user_regs_struct) on x86-64
    private const int SigInfoBytes = 128;
    private const int MostSets = 32;
    private const uint LargestSignal = 64;

    private readonly HashSet<int> _tids = [];
    private long _registerBytes;

    internal List<CoreThread> Threads { get; } = [];

    internal List<RecordThreadStop> Stops { get; } = [];

    internal bool IsComplete => Threads.Count == expected;

    internal void Add(StoppedThread thread)
    {
        if (IsComplete)
        {
            throw SnapshotException.Violation($"more than the announced {expected} threads");
        }

        int tid = InstantFacts.ToPid(thread.Tid);
        if (tid == 0 || !_tids.Add(tid))
        {
            throw SnapshotException.Violation($"thread {tid} twice, or no thread at all");
        }

        if (thread.Siginfo.Length is not (0 or SigInfoBytes) || thread.CurrentSignal > LargestSignal
            || !WireTime.IsSane(thread.StoppedAfter))
        {
            throw SnapshotException.Violation($"a siginfo, signal or time of thread {tid} that cannot be");
        }

        Threads.Add(new CoreThread
        {
            Tid = tid,
            RegisterSets = ToSets(thread, tid),
            SigInfo = thread.Siginfo.Memory,
            CurrentSignal = (int)thread.CurrentSignal,
            PendingSignals = thread.PendingSignals,
            BlockedSignals = thread.BlockedSignals,
            UserTime = WireTime.FromMicroseconds(thread.UserTimeUs),
            SystemTime = WireTime.FromMicroseconds(thread.SystemTimeUs),
        });
        string name = thread.Name.Length <= 64 ? thread.Name : thread.Name[..64];
        Stops.Add(new RecordThreadStop(tid, name, WireTime.ToNanoseconds(thread.StoppedAfter) ?? 0));
    }

    private CoreRegisterSet[] ToSets(StoppedThread thread, int tid)
    {
        if (thread.RegisterSets.Count > MostSets)
        {
            throw SnapshotException.Limit($"{thread.RegisterSets.Count} register sets of thread {tid}");
        }

        CoreRegisterSet[] sets = [.. thread.RegisterSets.Select(set => new CoreRegisterSet(set.NoteType, set.Data.Memory))];
        foreach (CoreRegisterSet set in sets)
        {
            _registerBytes += set.Bytes.Length;
            if (set.Bytes.Length > limits.MaxRegisterSetBytes || _registerBytes > limits.MaxRegisterBytes)
            {
                throw SnapshotException.Limit($"register sets of {_registerBytes} bytes up to thread {tid}");
            }
        }

        if (sets.Select(set => set.NoteType).Distinct().Count() != sets.Length
            || !sets.Any(set => set.NoteType == NtPrStatus && set.Bytes.Length == GeneralRegistersBytes))
        {
            throw SnapshotException.Violation($"register sets of thread {tid} without the general registers, or one of them twice");
        }

        return sets;
    }
}
