using System.Buffers.Binary;
using System.Runtime.Intrinsics.X86;
using Corelift.Linux.Interop;

namespace Corelift.Linux.Ptrace;

/// <summary>
/// Builds the signal frame that leads a task back to where it was when nobody is left to do so: struct rt_sigframe of
/// arch/x86/include/asm/sigframe.h as rt_sigreturn(2) reads it. A task whose rip is at "syscall; ret" and whose rsp is at
/// the frame runs the call, returns into the frame's trampoline and restores itself.
/// </summary>
internal static class SignalFrame
{
    private const int ContextOffset = 8;                    // after pretcode
    private const int MachineContextOffset = ContextOffset + 40;
    private const int SignalMaskOffset = ContextOffset + 296;
    private const int HeaderBytes = 440;                    // pretcode, ucontext 304, siginfo 128
    private const int MarkOffset = ContextOffset + 304;     // siginfo, which rt_sigreturn does not read
    private const int SoftwareBytesOffset = 464;            // struct _fpx_sw_bytes in the legacy area
    private const uint Magic1 = 0x46505853;                 // FP_XSTATE_MAGIC1
    private const uint Magic2 = 0x46505845;                 // FP_XSTATE_MAGIC2
    private const ulong FlagXState = 1;                     // UC_FP_XSTATE
    private const ulong FlagsStackSegment = 6;              // UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS
    private const ulong DynamicFeatures = 0b11UL << 17;     // AMX tiles: not part of a task's state until it asked for them

    /// <summary>In place of the siginfo: tells a frame that a lost worker left from anything of the target's.</summary>
    private static ReadOnlySpan<byte> Mark => "corelift return frame, safe to zero"u8;

    /// <summary>Whether memory begins with a frame of ours.</summary>
    internal static bool IsOurs(ReadOnlySpan<byte> memory) => memory.Length > HeaderBytes && memory[MarkOffset..].StartsWith(Mark);

    /// <summary>Most bytes that a frame takes, for a task with <paramref name="xstateBytes"/> of extended state.</summary>
    internal static int MaxBytes(int xstateBytes) => HeaderBytes + 64 + xstateBytes + 8;

    /// <summary>Writes a frame.</summary>
    /// <param name="buffer">Receives it; zero before.</param>
    /// <param name="address">Where the buffer will lie in the target; a multiple of 64.</param>
    /// <param name="trampoline">Address of code that calls rt_sigreturn.</param>
    /// <param name="registers">What the task continues with.</param>
    /// <param name="signalMask">Its blocked signals.</param>
    /// <param name="xstate">Its XSAVE area as PTRACE_GETREGSET gives it; empty resets the vector registers.</param>
    /// <returns>Bytes written.</returns>
    internal static int Write(
        Span<byte> buffer, ulong address, ulong trampoline, in UserRegs registers, ulong signalMask, ReadOnlySpan<byte> xstate)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(buffer, trampoline);
        Span<byte> context = buffer[ContextOffset..];
        BinaryPrimitives.WriteUInt64LittleEndian(context, xstate.IsEmpty ? FlagsStackSegment : FlagsStackSegment | FlagXState);

        // uc_stack: flags that sigaltstack(2) refuses; the kernel then leaves the alternate stack as it is (kernel/signal.c,
        // restore_altstack: "squash all but EFAULT").
        BinaryPrimitives.WriteInt32LittleEndian(context[24..], int.MaxValue);
        WriteMachineContext(buffer[MachineContextOffset..], registers);
        Mark.CopyTo(buffer[MarkOffset..]);
        BinaryPrimitives.WriteUInt64LittleEndian(buffer[SignalMaskOffset..], signalMask);
        if (xstate.IsEmpty)
        {
            return HeaderBytes;
        }

        int stateOffset = (HeaderBytes + 63) & ~63;
        BinaryPrimitives.WriteUInt64LittleEndian(buffer[(MachineContextOffset + 184)..], checked(address + (ulong)stateOffset));
        return stateOffset + WriteExtendedState(buffer[stateOffset..], xstate);
    }

    /// <summary>What a frame of ours would restore, but for the vector registers, which a call leaves alone.</summary>
    /// <param name="frame">The frame.</param>
    /// <param name="current">The task's registers: those that no frame holds stay.</param>
    /// <param name="signalMask">Its blocked signals.</param>
    internal static UserRegs Read(ReadOnlySpan<byte> frame, UserRegs current, out ulong signalMask)
    {
        signalMask = BinaryPrimitives.ReadUInt64LittleEndian(frame[SignalMaskOffset..]);
        UserRegs r = current;
        Span<ulong> v = stackalloc ulong[18];
        for (int i = 0; i < v.Length; i++)
        {
            v[i] = BinaryPrimitives.ReadUInt64LittleEndian(frame[(MachineContextOffset + (i * 8))..]);
        }

        (r.R8, r.R9, r.R10, r.R11, r.R12, r.R13, r.R14, r.R15) = (v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7]);
        (r.Rdi, r.Rsi, r.Rbp, r.Rbx, r.Rdx, r.Rax, r.Rcx, r.Rsp, r.Rip, r.Eflags) = (v[8], v[9], v[10], v[11], v[12], v[13], v[14], v[15], v[16], v[17]);
        r.Cs = BinaryPrimitives.ReadUInt16LittleEndian(frame[(MachineContextOffset + 144)..]);
        r.Ss = BinaryPrimitives.ReadUInt16LittleEndian(frame[(MachineContextOffset + 150)..]);
        r.OrigRax = ulong.MaxValue; // in no call, as rt_sigreturn leaves it
        return r;
    }

    /// <summary>struct sigcontext_64.</summary>
    private static void WriteMachineContext(Span<byte> target, in UserRegs r)
    {
        ReadOnlySpan<ulong> values =
        [
            r.R8, r.R9, r.R10, r.R11, r.R12, r.R13, r.R14, r.R15, r.Rdi, r.Rsi, r.Rbp, r.Rbx, r.Rdx, r.Rax, r.Rcx, r.Rsp, r.Rip, r.Eflags,
        ];
        for (int i = 0; i < values.Length; i++)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(target[(i * 8)..], values[i]);
        }

        BinaryPrimitives.WriteUInt16LittleEndian(target[144..], (ushort)r.Cs);
        BinaryPrimitives.WriteUInt16LittleEndian(target[150..], (ushort)r.Ss);
    }

    private static int WriteExtendedState(Span<byte> target, ReadOnlySpan<byte> xstate)
    {
        xstate.CopyTo(target);
        ulong features = BinaryPrimitives.ReadUInt64LittleEndian(xstate[SoftwareBytesOffset..]) & ~DynamicFeatures;
        int size = Math.Min(StandardFormatBytes(features), xstate.Length);
        Span<byte> software = target.Slice(SoftwareBytesOffset, 48);
        software.Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(software, Magic1);
        BinaryPrimitives.WriteInt32LittleEndian(software[4..], size + 4);
        BinaryPrimitives.WriteUInt64LittleEndian(software[8..], features);
        BinaryPrimitives.WriteInt32LittleEndian(software[16..], size);
        BinaryPrimitives.WriteUInt32LittleEndian(target[size..], Magic2);
        return size + 4;
    }

    /// <summary>Size of the standard (uncompacted) XSAVE format for a set of features: Intel SDM volume 1, 13.4.3.</summary>
    private static int StandardFormatBytes(ulong features)
    {
        int size = 576; // legacy area and header
        for (int feature = 2; feature < 63; feature++)
        {
            if ((features & (1UL << feature)) != 0)
            {
                (int length, int offset, _, _) = X86Base.CpuId(0xd, feature);
                size = Math.Max(size, offset + length);
            }
        }

        return size;
    }

    /// <summary>Most bytes of extended state that this processor has (CPUID leaf 0xD, ECX).</summary>
    internal static int MaxExtendedStateBytes()
    {
        (int maxLeaf, _, _, _) = X86Base.CpuId(0, 0);
        if (maxLeaf < 0xd)
        {
            return 512;
        }

        (_, int enabled, int supported, _) = X86Base.CpuId(0xd, 0);
        return (Math.Max(enabled, supported) + 63) & ~63;
    }
}
