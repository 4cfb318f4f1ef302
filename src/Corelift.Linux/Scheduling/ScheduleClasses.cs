using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Corelift.Linux.Scheduling;

/// <summary>
/// The different schedules that the tasks of a quiesced process had, each with a mark. A quiesced task is SCHED_IDLE on one CPU
/// and has its class's mark as nice value, which SCHED_IDLE ignores and children inherit: whatever task shows it, born before or
/// since, is known by that alone, so a list of tasks, which would be out of date at once, is not needed. The mark is set first
/// and taken away last, since a child may be born between any two steps.
/// </summary>
internal sealed class ScheduleClasses
{
    private const int LowestNice = -20;
    private const int HighestNice = 19;
    private const int Most = HighestNice - LowestNice + 1;
    private const ulong Magic = 0x0031_7363_7145_4c43; // "CLEqcs1"

    private readonly Entry[] _entries = new Entry[Most];
    private Header _header;

    internal ScheduleClasses(ProcessRef target, int cpu, ulong ownSlice)
    {
        _header = new Header { Magic = Magic, Pid = target.Pid, StartTimeTicks = target.StartTimeTicks, Cpu = cpu, OwnSlice = ownSlice };
        Pin = CpuMask.Of(cpu);
    }

    private ScheduleClasses(Header header)
    {
        _header = header;
        Pin = CpuMask.Of(header.Cpu);
    }

    /// <summary>The process.</summary>
    internal ProcessRef Target => new(_header.Pid, _header.StartTimeTicks);

    /// <summary>The CPU that all of them are moved to.</summary>
    internal CpuMask Pin { get; }

    /// <summary>The class that a schedule belongs to, from 0, made where there is none; -1 where there are too many.</summary>
    internal int Classify(ref TaskSchedule schedule)
    {
        schedule = Normal(schedule);
        for (int i = 0; i < _header.Count; i++)
        {
            if (_entries[i].Schedule.IsSame(schedule))
            {
                return i;
            }
        }

        if (_header.Count == Most)
        {
            return -1;
        }

        _entries[_header.Count] = new Entry { Schedule = schedule };
        return _header.Count++;
    }

    /// <summary>
    /// Gives each class its mark: its own nice value where no other class has that, otherwise one that none has; not below 0
    /// where a fork would reset it.
    /// </summary>
    /// <returns>False where there are not enough.</returns>
    internal bool TryMark()
    {
        int free = HighestNice;
        for (int pass = 0; pass < 2; pass++)
        {
            for (int i = 0; i < _header.Count; i++)
            {
                ref Entry entry = ref _entries[i];
                bool resets = entry.Schedule.ResetsOnFork != 0;
                if (resets != (pass == 0))
                {
                    continue;
                }

                entry.Mark = entry.Schedule.Nice;
                if (CountNice(entry.Schedule.Nice) == 1 && !(resets && entry.Schedule.Nice < 0))
                {
                    continue;
                }

                while (free >= LowestNice && CountNice(free) > 0)
                {
                    free--;
                }

                if (free < (resets ? 0 : LowestNice))
                {
                    return false;
                }

                entry.Mark = free--;
            }
        }

        return true;
    }

    /// <summary>Lowers a task and moves it, unless it has changed its schedule since it was classified.</summary>
    /// <param name="tid">A task.</param>
    /// <param name="index">Its class.</param>
    /// <param name="isTouched">Whether it has a schedule to get back.</param>
    /// <returns>None where that worked, or the task has gone.</returns>
    internal Errno Lower(int tid, int index, out bool isTouched)
    {
        ref Entry entry = ref _entries[index];
        isTouched = TaskSchedule.TryRead(tid, out TaskSchedule now) && Normal(now).IsSame(entry.Schedule);
        if (!isTouched)
        {
            return Errno.None;
        }

        TaskSchedule idle = entry.Schedule;
        (idle.Policy, idle.Priority, idle.Nice) = (TaskSchedule.Idle, 0, entry.Mark);
        Errno errno = entry.IsForeign ? TaskSchedule.SetNice(tid, entry.Mark) : Errno.None;
        errno = errno == Errno.None ? idle.Apply(tid) : errno;
        errno = errno == Errno.None ? CpuMask.Set(tid, Pin) : errno;
        return errno == Errno.NoSuchTask ? Errno.None : errno;
    }

    /// <summary>Gives a task its own schedule back, where it still has that of a quiesced one. What it has set itself stays.</summary>
    /// <param name="tid">A task.</param>
    /// <param name="index">Its class where it is known, or -1.</param>
    /// <returns>Whether there was something to give back.</returns>
    internal bool Restore(int tid, int index)
    {
        if (!TaskSchedule.TryRead(tid, out TaskSchedule now))
        {
            return false;
        }

        bool isPinned = now.Cpus.IsSame(Pin);
        int found = Find(now, isPinned);
        if (found < 0)
        {
            bool movesBack = index >= 0 && isPinned && !_entries[index].Schedule.Cpus.IsSame(Pin);
            return movesBack && RestoreCpus(tid, _entries[index].Schedule.Cpus) == Errno.None;
        }

        ref Entry entry = ref _entries[found];
        bool isChild = entry.Schedule.ResetsOnFork != 0 && now.ResetsOnFork == 0;
        TaskSchedule own = isChild ? entry.Schedule.OfChild() : entry.Schedule;
        bool moved = isPinned && !own.Cpus.IsSame(Pin) && RestoreCpus(tid, own.Cpus) == Errno.None;
        return (!own.HasSamePolicy(Normal(now)) && own.Apply(tid) == Errno.None) || moved;
    }

    /// <summary>As it goes into a journal.</summary>
    internal byte[] ToBytes() =>
        [.. MemoryMarshal.AsBytes(new ReadOnlySpan<Header>(ref _header)), .. MemoryMarshal.AsBytes(_entries.AsSpan(0, _header.Count))];

    /// <summary>Reads a journal; null where it is empty, cut short, or of another version.</summary>
    internal static ScheduleClasses? FromBytes(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < Unsafe.SizeOf<Header>())
        {
            return null;
        }

        var header = MemoryMarshal.Read<Header>(bytes);
        bytes = bytes[Unsafe.SizeOf<Header>()..];
        if (header.Magic != Magic || header.Count is < 0 or > Most || bytes.Length != header.Count * Unsafe.SizeOf<Entry>() || header.Pid <= 0
            || header.Cpu is < 0 or >= 8192)
        {
            return null;
        }

        var classes = new ScheduleClasses(header);
        MemoryMarshal.Cast<byte, Entry>(bytes).CopyTo(classes._entries);
        return classes;
    }

    /// <summary>
    /// A task that never asked for CPUs follows its cpuset as that grows, so all are asked for first, and the set itself only where
    /// that is not what it had.
    /// </summary>
    private static Errno RestoreCpus(int tid, in CpuMask cpus)
    {
        Errno errno = CpuMask.Set(tid, CpuMask.All);
        return errno == Errno.None && CpuMask.TryGet(tid, out CpuMask given) && given.IsSame(cpus) ? errno : CpuMask.Set(tid, cpus);
    }

    private int Find(in TaskSchedule now, bool isPinned)
    {
        for (int i = 0; i < _header.Count; i++)
        {
            ref Entry entry = ref _entries[i];
            if (entry.Mark == now.Nice && (isPinned || now.Cpus.IsSame(entry.Schedule.Cpus))
                && (now.Policy == TaskSchedule.Idle || (entry.IsForeign && now.Policy == entry.Schedule.Policy)))
            {
                return i;
            }
        }

        return -1;
    }

    private int CountNice(int nice)
    {
        int count = 0;
        for (int i = 0; i < _header.Count; i++)
        {
            count += _entries[i].Schedule.Nice == nice ? 1 : 0;
        }

        return count;
    }

    /// <summary>Without a time slice that is the kernel's own, which nobody asked for.</summary>
    private TaskSchedule Normal(TaskSchedule schedule)
    {
        schedule.Slice = schedule.Slice == _header.OwnSlice ? 0 : schedule.Slice;
        return schedule;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Header
    {
        internal ulong Magic;
        internal ulong StartTimeTicks;
        internal ulong OwnSlice;
        internal int Pid;
        internal int Cpu;
        internal int Count;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Entry
    {
        internal TaskSchedule Schedule;
        internal int Mark;

        /// <summary>Whether a task with this nice value can only be a marked one.</summary>
        internal readonly bool IsForeign => Mark != Schedule.Nice;
    }
}
