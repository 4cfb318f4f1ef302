using System.Buffers.Binary;
using Corelift.Linux.Memory;

namespace Corelift.Linux.Ptrace;

/// <summary>
/// Register sets and signals of the stopped tasks in a shared buffer, one record of fixed length each, written by the
/// tracer while the tasks are stopped and read by the process that serves them.
/// </summary>
public sealed class ThreadRecords
{
    internal const int SigInfoBytes = 128;
    internal const int GeneralBytes = 216;

    private const int TidOffset = 0;
    private const int FlagsOffset = 4;
    private const int SignalOffset = 8;
    private const int XStateLengthOffset = 12;
    private const int StoppedAfterOffset = 16;
    private const int BlockedOffset = 24;
    private const int PendingOffset = 32;
    private const int SigInfoOffset = 64;
    private const int GeneralOffset = SigInfoOffset + SigInfoBytes;
    private const int XStateOffset = GeneralOffset + 256;

    private readonly SharedBuffer _buffer;
    private readonly long _start;

    /// <summary>Views records that start at <paramref name="start"/> of a buffer.</summary>
    /// <param name="buffer">The buffer.</param>
    /// <param name="start">Offset of the first record in bytes.</param>
    /// <param name="strideBytes">Length of a record, as <see cref="Stride"/> gave it.</param>
    public ThreadRecords(SharedBuffer buffer, long start, int strideBytes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(strideBytes, XStateOffset);
        _buffer = buffer;
        _start = start;
        StrideBytes = strideBytes;
    }

    /// <summary>Length of a record in bytes.</summary>
    public int StrideBytes { get; }

    internal int MaxXStateBytes => StrideBytes - XStateOffset;

    /// <summary>Length of a record on this processor, in bytes.</summary>
    public static int Stride() => (XStateOffset + SignalFrame.MaxExtendedStateBytes() + 63) & ~63;

    /// <summary>Thread id.</summary>
    public int Tid(int index) => BinaryPrimitives.ReadInt32LittleEndian(Record(index)[TidOffset..]);

    /// <summary>Whether the task was in a group-stop.</summary>
    public bool IsGroupStopped(int index) => (BinaryPrimitives.ReadInt32LittleEndian(Record(index)[FlagsOffset..]) & 1) != 0;

    /// <summary>Whether there is a siginfo.</summary>
    public bool HasSigInfo(int index) => (BinaryPrimitives.ReadInt32LittleEndian(Record(index)[FlagsOffset..]) & 2) != 0;

    /// <summary>Signal that was being delivered, or 0.</summary>
    public int CurrentSignal(int index) => BinaryPrimitives.ReadInt32LittleEndian(Record(index)[SignalOffset..]);

    /// <summary>Nanoseconds from the first request to stop until the task ran no more; an upper bound.</summary>
    public long StoppedAfterNanoseconds(int index) => BinaryPrimitives.ReadInt64LittleEndian(Record(index)[StoppedAfterOffset..]);

    /// <summary>Blocked signals, bit n-1 for signal n.</summary>
    public ulong BlockedSignals(int index) => BinaryPrimitives.ReadUInt64LittleEndian(Record(index)[BlockedOffset..]);

    /// <summary>siginfo_t, 128 bytes.</summary>
    public ReadOnlySpan<byte> SigInfo(int index) => Record(index).Slice(SigInfoOffset, SigInfoBytes);

    /// <summary>NT_PRSTATUS register set: user_regs_struct, 216 bytes.</summary>
    public ReadOnlySpan<byte> General(int index) => Record(index).Slice(GeneralOffset, GeneralBytes);

    /// <summary>NT_X86_XSTATE register set; may be empty.</summary>
    public ReadOnlySpan<byte> XState(int index)
    {
        Span<byte> record = Record(index);
        int length = BinaryPrimitives.ReadInt32LittleEndian(record[XStateLengthOffset..]);
        return record.Slice(XStateOffset, Math.Clamp(length, 0, MaxXStateBytes));
    }

    /// <summary>The stack pointer among the general registers.</summary>
    public ulong StackPointer(int index) => BinaryPrimitives.ReadUInt64LittleEndian(General(index)[(19 * 8)..]);

    internal Span<byte> GeneralBuffer(int index) => Record(index).Slice(GeneralOffset, GeneralBytes);

    internal Span<byte> XStateBuffer(int index) => Record(index)[XStateOffset..];

    internal Span<byte> SigInfoBuffer(int index) => Record(index).Slice(SigInfoOffset, SigInfoBytes);

    internal void SetHeader(int index, int tid, int flags, int signal, int xstateLength, long stoppedAfter, ulong blocked)
    {
        Span<byte> record = Record(index);
        BinaryPrimitives.WriteInt32LittleEndian(record[TidOffset..], tid);
        BinaryPrimitives.WriteInt32LittleEndian(record[FlagsOffset..], flags);
        BinaryPrimitives.WriteInt32LittleEndian(record[SignalOffset..], signal);
        BinaryPrimitives.WriteInt32LittleEndian(record[XStateLengthOffset..], xstateLength);
        BinaryPrimitives.WriteInt64LittleEndian(record[StoppedAfterOffset..], stoppedAfter);
        BinaryPrimitives.WriteUInt64LittleEndian(record[BlockedOffset..], blocked);
        BinaryPrimitives.WriteUInt64LittleEndian(record[PendingOffset..], 0);
    }

    private Span<byte> Record(int index) => _buffer.Slice(_start + ((long)index * StrideBytes), StrideBytes);
}
