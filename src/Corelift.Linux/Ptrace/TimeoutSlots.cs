using System.Runtime.InteropServices;
using Corelift.Linux.Interop;
using Corelift.Linux.Memory;
using Corelift.Linux.Procfs;

namespace Corelift.Linux.Ptrace;

/// <summary>
/// Where the remaining time of a call lies whose timeout is passed by address: a page of the main stack that has never been
/// used, next to the one of <see cref="RemoteCaller"/>. The target's own struct is never written to. A slot stays as it is
/// while its call goes on, since the next stop reads the timeout from it, and is zeroed by a later capture.
/// </summary>
internal sealed class TimeoutSlots
{
    private const int PageBytes = 4096;
    private const int SlotBytes = 64;
    private const int TimeOffset = 16;
    private const int ArgumentOffset = 32;
    private const ulong Mark = 0x31_74_6f_6c_73_6c_63_01; // tells a slot from anything of the target's
    private const ulong NoteMark = 0x31_65_6f_6e_73_6c_63_01; // a deadline to be remembered by the next stop
    private const ulong DistanceFromStackPointer = 16 * 1024;

    private readonly byte[] _page = new byte[PageBytes];
    private readonly Note[] _notes = new Note[PageBytes / SlotBytes];
    private int _noteCount;
    private ulong _address;
    private bool _isOpen;
    private bool _isUsable;

    /// <summary>Finds the page; before the stop.</summary>
    internal void Find(IEnumerable<Vma> vmas)
    {
        const ulong RoomAbove = 64 * 1024;
        ulong below = (ulong)RemoteCaller.ScratchBytes();
        Vma? stack = vmas.FirstOrDefault(v => v.Name == "[stack]");
        _address = stack is { IsWritable: true } && stack.LengthBytes >= below + PageBytes + RoomAbove ? stack.Start.Value + below : 0;
    }

    /// <summary>Whether an address is in a slot, so that the timeout there is one of ours.</summary>
    internal bool Contains(ulong address) => _address != 0 && address >= _address && address < _address + PageBytes;

    /// <summary>Reads the page and zeroes the slots that no task uses any more. The main thread must be stopped.</summary>
    /// <param name="tracees">The process's tasks with the registers that they had at the stop.</param>
    /// <param name="mainTid">The task whose stack this is.</param>
    internal void Open(ReadOnlySpan<Tracee> tracees, int mainTid)
    {
        if (_isOpen)
        {
            return;
        }

        _isOpen = true;
        _isUsable = _address != 0 && TryRead(tracees);
        Span<bool> isUsed = stackalloc bool[PageBytes / SlotBytes];
        foreach (ref readonly Tracee tracee in tracees)
        {
            _isUsable &= tracee.Tid != mainTid || !tracee.HasRegisters
                || tracee.Registers.Rsp > _address + PageBytes + DistanceFromStackPointer || tracee.Registers.Rsp < _address;
            MarkUsed(isUsed, tracee.Registers.Rdx);
            MarkUsed(isUsed, tracee.Registers.R10);
            MarkUsed(isUsed, tracee.Registers.R8);
        }

        Span<ulong> words = MemoryMarshal.Cast<byte, ulong>(_page.AsSpan());
        for (int i = 0; i < isUsed.Length && _isUsable; i++)
        {
            Span<ulong> slot = words.Slice(i * SlotBytes / 8, SlotBytes / 8);
            _isUsable = slot[0] is Mark or NoteMark || !slot.ContainsAnyExcept(0UL);
            if (!isUsed[i] && slot[0] is Mark or NoteMark)
            {
                if (slot[0] == NoteMark)
                {
                    _notes[_noteCount++] = MemoryMarshal.Read<Note>(MemoryMarshal.AsBytes(slot));
                }

                slot.Clear();
                _isUsable &= ProcessMemory.TryWrite(tracees[0].Tid, _address + (ulong)(i * SlotBytes), MemoryMarshal.AsBytes(slot));
            }
        }
    }

    /// <summary>Puts a time into a free slot.</summary>
    /// <returns>Its address, or 0 where there is none.</returns>
    internal ulong Add(int tid, TimeSpec time) => Add(tid, time, default, hasArgument: false);

    /// <summary>Puts a time into a free slot, and a struct that names it.</summary>
    internal ulong Add(int tid, TimeSpec time, RingWaitArgument argument) => Add(tid, time, argument, hasArgument: true);

    /// <summary>Remembers when a call that is made again has to end, for the next stop to know.</summary>
    /// <param name="tid">The task.</param>
    /// <param name="sleeps">How often it will have given a CPU away when it sleeps in the call again.</param>
    /// <param name="now">In nanoseconds of CLOCK_MONOTONIC.</param>
    /// <param name="deadline">The same.</param>
    internal void AddDeadline(int tid, ulong sleeps, long now, long deadline)
    {
        if (TryTake(out ulong address, out Span<ulong> slot))
        {
            var note = new Note { Mark = NoteMark, Tid = (ulong)tid, Sleeps = sleeps, At = now, Deadline = deadline };
            MemoryMarshal.Write(MemoryMarshal.AsBytes(slot), note);
            _ = ProcessMemory.TryWrite(tid, address, MemoryMarshal.AsBytes(slot));
        }
    }

    /// <summary>
    /// The deadline that an earlier stop remembered of the sleep that the task is in, which began right after that stop.
    /// </summary>
    /// <returns>In nanoseconds of CLOCK_MONOTONIC; the end of time where there is none.</returns>
    internal long DeadlineOf(int tid, in Waiting waiting)
    {
        const long ShortlyAfter = 1_000_000_000;
        foreach (ref readonly Note note in _notes.AsSpan(0, _noteCount))
        {
            // The target can write here, too: what is absurd is no note.
            if (note.Tid == (ulong)tid && note.Sleeps == waiting.Sleeps && note.Deadline > 0
                && note.At > waiting.Since - ShortlyAfter && note.At < waiting.Since)
            {
                return note.Deadline;
            }
        }

        return long.MaxValue;
    }

    private ulong Add(int tid, TimeSpec time, RingWaitArgument argument, bool hasArgument)
    {
        if (!TryTake(out ulong address, out Span<ulong> slot))
        {
            return 0;
        }

        argument.TimeAddress = address + TimeOffset;
        (slot[0], slot[1]) = (Mark, (ulong)tid);
        MemoryMarshal.Write(MemoryMarshal.AsBytes(slot)[TimeOffset..], time);
        MemoryMarshal.Write(MemoryMarshal.AsBytes(slot)[ArgumentOffset..], argument);
        return ProcessMemory.TryWrite(tid, address, MemoryMarshal.AsBytes(slot))
            ? address + (ulong)(hasArgument ? ArgumentOffset : TimeOffset)
            : 0;
    }

    private bool TryTake(out ulong address, out Span<ulong> slot)
    {
        for (int offset = 0; offset < PageBytes && _isUsable; offset += SlotBytes)
        {
            address = _address + (ulong)offset;
            slot = MemoryMarshal.Cast<byte, ulong>(_page.AsSpan(offset, SlotBytes));
            if (slot[0] == 0)
            {
                return true;
            }
        }

        address = 0;
        slot = default;
        return false;
    }

    private bool TryRead(ReadOnlySpan<Tracee> tracees)
    {
        foreach (ref readonly Tracee tracee in tracees)
        {
            if (ProcessMemory.TryRead(tracee.Tid, _address, _page))
            {
                return true;
            }
        }

        return false;
    }

    private struct Note
    {
        internal ulong Mark, Tid, Sleeps;
        internal long At, Deadline;
    }

    private void MarkUsed(Span<bool> isUsed, ulong address)
    {
        if (Contains(address))
        {
            isUsed[(int)(address - _address) / SlotBytes] = true;
        }
    }
}

/// <summary>struct io_uring_getevents_arg (linux/io_uring.h).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct RingWaitArgument
{
    internal ulong SignalMask;
    internal uint SignalMaskBytes, MinWaitMicroseconds;
    internal ulong TimeAddress;
}
