namespace Corelift.Linux.Ptrace;

/// <summary>
/// Code that a target has already and that a remote system call needs: nothing is ever written to a target's text.
/// </summary>
/// <param name="SyscallReturn">Address of "syscall; ret".</param>
/// <param name="SignalReturn">Address of "mov $15, %rax; syscall", the C library's rt_sigreturn trampoline.</param>
internal readonly record struct SyscallGadget(ulong SyscallReturn, ulong SignalReturn)
{
    private static ReadOnlySpan<byte> SyscallReturnCode => [0x0f, 0x05, 0xc3];

    private static ReadOnlySpan<byte> SignalReturnCode => [0x48, 0xc7, 0xc0, 0x0f, 0x00, 0x00, 0x00, 0x0f, 0x05];

    private static ReadOnlySpan<byte> SignalReturnCodeShort => [0xb8, 0x0f, 0x00, 0x00, 0x00, 0x0f, 0x05];

    internal bool IsComplete => SyscallReturn != 0 && SignalReturn != 0;

    /// <summary>Looks for both in the code at <paramref name="address"/>, and keeps what was found before.</summary>
    internal SyscallGadget Search(ReadOnlySpan<byte> code, ulong address)
    {
        ulong syscallReturn = SyscallReturn != 0 ? SyscallReturn : Find(code, SyscallReturnCode, address);
        ulong signalReturn = SignalReturn != 0 ? SignalReturn : Find(code, SignalReturnCode, address);
        signalReturn = signalReturn != 0 ? signalReturn : Find(code, SignalReturnCodeShort, address);
        return new SyscallGadget(syscallReturn, signalReturn);
    }

    /// <summary>Whether the bytes read from the target at the two addresses are what they should be.</summary>
    internal static bool Verify(ReadOnlySpan<byte> atSyscallReturn, ReadOnlySpan<byte> atSignalReturn) =>
        atSyscallReturn.StartsWith(SyscallReturnCode)
        && (atSignalReturn.StartsWith(SignalReturnCode) || atSignalReturn.StartsWith(SignalReturnCodeShort));

    private static ulong Find(ReadOnlySpan<byte> code, ReadOnlySpan<byte> pattern, ulong address)
    {
        int index = code.IndexOf(pattern);
        return index < 0 ? 0 : checked(address + (ulong)index);
    }
}
