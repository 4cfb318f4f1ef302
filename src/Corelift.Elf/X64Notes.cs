using System.Buffers.Binary;

namespace Corelift.Elf;

/// <summary>
/// The notes of x86-64 that are composed rather than copied. Source: struct elf_prstatus (uapi elfcore.h) and struct
/// elf_prpsinfo (include/linux/elfcore.h), whose layout is part of the kernel's ABI.
/// </summary>
internal static class X64Notes
{
    internal const int GeneralRegistersBytes = 216; // sizeof(struct user_regs_struct)
    internal const int PrStatusBytes = 336;
    internal const int PrPsInfoBytes = 136;
    internal const int FloatingPointBytes = 512;    // sizeof(struct user_fpregs_struct): the FXSAVE area
    internal const int SigInfoBytes = 128;
    internal const int XStateLeastBytes = 576;      // FXSAVE area and XSAVE header

    /// <summary>Offset of pr_reg in elf_prstatus, the same on every 64-bit Linux.</summary>
    internal const int RegistersOffset = 112;

    private const int NameBytes = 16;       // pr_fname
    private const int ArgumentsBytes = 80;  // pr_psargs, ELF_PRARGSZ
    private const int SoftwareReservedOffset = 464; // sw_reserved: XSAVE's own, no part of user_fpregs_struct

    /// <summary>Composes elf_prstatus around user_regs_struct.</summary>
    internal static byte[] PrStatus(CoreProcess process, CoreThread thread, ReadOnlySpan<byte> generalRegisters)
    {
        byte[] note = new byte[PrStatusBytes];
        Span<byte> s = note;
        BinaryPrimitives.WriteInt32LittleEndian(s, thread.CurrentSignal); // pr_info.si_signo
        BinaryPrimitives.WriteInt16LittleEndian(s[12..], unchecked((short)thread.CurrentSignal)); // pr_cursig
        BinaryPrimitives.WriteUInt64LittleEndian(s[16..], thread.PendingSignals);
        BinaryPrimitives.WriteUInt64LittleEndian(s[24..], thread.BlockedSignals);
        BinaryPrimitives.WriteInt32LittleEndian(s[32..], thread.Tid); // pr_pid is the tid
        BinaryPrimitives.WriteInt32LittleEndian(s[36..], process.ParentPid);
        BinaryPrimitives.WriteInt32LittleEndian(s[40..], process.ProcessGroup);
        BinaryPrimitives.WriteInt32LittleEndian(s[44..], process.Session);
        WriteTimeval(s[48..], thread.UserTime);
        WriteTimeval(s[64..], thread.SystemTime); // pr_cutime and pr_cstime, the children's, stay 0
        generalRegisters.CopyTo(s[RegistersOffset..]);
        BinaryPrimitives.WriteInt32LittleEndian(s[(RegistersOffset + GeneralRegistersBytes)..], 1); // pr_fpvalid
        return note;
    }

    /// <summary>Composes elf_prpsinfo. Longer names and command lines are cut so that a NUL ends them.</summary>
    internal static byte[] PrPsInfo(CoreProcess process)
    {
        byte[] note = new byte[PrPsInfoBytes];
        Span<byte> s = note;
        char letter = process.State is >= ' ' and <= '~' ? process.State : '?';
        s[0] = (byte)Math.Max(0, "RSDTZW".IndexOf(char.ToUpperInvariant(letter), StringComparison.Ordinal)); // pr_state
        s[1] = (byte)letter;
        s[2] = (byte)(letter == 'Z' ? 1 : 0);
        s[3] = unchecked((byte)process.Nice);
        BinaryPrimitives.WriteUInt64LittleEndian(s[8..], process.Flags);
        BinaryPrimitives.WriteUInt32LittleEndian(s[16..], process.Uid);
        BinaryPrimitives.WriteUInt32LittleEndian(s[20..], process.Gid);
        BinaryPrimitives.WriteInt32LittleEndian(s[24..], process.Pid);
        BinaryPrimitives.WriteInt32LittleEndian(s[28..], process.ParentPid);
        BinaryPrimitives.WriteInt32LittleEndian(s[32..], process.ProcessGroup);
        BinaryPrimitives.WriteInt32LittleEndian(s[36..], process.Session);
        ReadOnlySpan<byte> name = process.Name.Span;
        name[..Math.Min(name.Length, NameBytes - 1)].CopyTo(s[40..]);
        ReadOnlySpan<byte> arguments = process.Arguments.Span;
        arguments = arguments[..Math.Min(arguments.Length, ArgumentsBytes - 1)];
        arguments.CopyTo(s[56..]);
        s.Slice(56, arguments.Length).Replace((byte)0, (byte)' '); // as the kernel does between arguments
        return note;
    }

    /// <summary>
    /// Derives NT_PRFPREG from NT_X86_XSTATE, which begins with the same FXSAVE area. XSAVE keeps the feature mask in
    /// the last 48 bytes of it; those are zero in NT_PRFPREG.
    /// </summary>
    /// <returns>512 bytes, or null where the xstate is too short to hold them.</returns>
    internal static byte[]? FloatingPointFromXState(ReadOnlySpan<byte> xstate)
    {
        if (xstate.Length < FloatingPointBytes)
        {
            return null;
        }

        byte[] registers = xstate[..FloatingPointBytes].ToArray();
        registers.AsSpan(SoftwareReservedOffset).Clear();
        return registers;
    }

    private static void WriteTimeval(Span<byte> destination, TimeSpan time)
    {
        long microseconds = time.Ticks / TimeSpan.TicksPerMicrosecond;
        BinaryPrimitives.WriteInt64LittleEndian(destination, microseconds / 1_000_000);
        BinaryPrimitives.WriteInt64LittleEndian(destination[8..], microseconds % 1_000_000);
    }
}
