using System.Buffers;
using Corelift.Linux.Memory;
using Corelift.Linux.Procfs;

namespace Corelift.Linux.Ptrace;

/// <summary>
/// Where remote system calls of a target run and where their frames lie: found before anybody is stopped.
/// </summary>
/// <param name="SyscallReturn">Address of "syscall; ret".</param>
/// <param name="SignalReturn">Address of an rt_sigreturn trampoline.</param>
/// <param name="Scratch">Start of a never-used piece at the low end of the main stack; a multiple of 4096.</param>
/// <param name="ScratchBytes">Its length, a multiple of 4096.</param>
public readonly record struct RemoteCode(ulong SyscallReturn, ulong SignalReturn, ulong Scratch, int ScratchBytes);

/// <summary>Finds <see cref="RemoteCode"/> in a running process.</summary>
public static class RemoteCodeFinder
{
    private const int PieceBytes = 256 * 1024;
    private const long LongestSearchBytes = 64L << 20;
    private const ulong DistanceFromStackPointer = 64 * 1024;

    /// <summary>Looks for code and scratch space.</summary>
    /// <param name="directory">The process.</param>
    /// <param name="vmas">Its VMAs.</param>
    /// <param name="code">What was found.</param>
    /// <returns>null, or why remote calls are not possible: one sentence.</returns>
    public static string? Find(ProcessDirectory directory, IReadOnlyList<Vma> vmas, out RemoteCode code)
    {
        code = default;
        var memory = new ProcessMemory(directory.Tid);
        Vma? stack = vmas.FirstOrDefault(v => v.Name == "[stack]");
        int scratchBytes = RemoteCaller.ScratchBytes();
        if (stack is null || !stack.IsWritable || stack.LengthBytes < (ulong)scratchBytes + DistanceFromStackPointer)
        {
            return "the process has no main stack with room below it";
        }

        if (!IsUnused(memory, stack.Start, scratchBytes))
        {
            return "the main stack has been used to its end";
        }

        SyscallGadget gadget = FindGadget(directory, memory, vmas);
        if (!gadget.IsComplete)
        {
            return "no code in it returns from a signal; its C library is not one that is known here";
        }

        code = new RemoteCode(gadget.SyscallReturn, gadget.SignalReturn, stack.Start.Value, scratchBytes);
        return null;
    }

    /// <summary>Whether memory is zero, or holds no more than a frame of a worker that was lost in the middle of a call.</summary>
    internal static bool IsUnused(ProcessMemory memory, RemoteAddress start, int lengthBytes)
    {
        Span<byte> bytes = lengthBytes <= 16 * 1024 ? stackalloc byte[lengthBytes] : new byte[lengthBytes];
        return memory.Read(start, bytes) == lengthBytes && (!bytes.ContainsAnyExcept((byte)0) || SignalFrame.IsOurs(bytes));
    }

    private static SyscallGadget FindGadget(ProcessDirectory directory, ProcessMemory memory, IReadOnlyList<Vma> vmas)
    {
        byte[] piece = ArrayPool<byte>.Shared.Rent(PieceBytes);
        try
        {
            var gadget = default(SyscallGadget);
            long searched = 0;
            foreach (Vma vma in vmas.Where(v => v.IsExecutable && v.IsReadable && v.Name != "[vsyscall]").OrderBy(Preference))
            {
                gadget = SearchVma(directory, memory, vma, gadget, piece, ref searched);
                if (gadget.IsComplete || searched > LongestSearchBytes)
                {
                    break;
                }
            }

            return gadget.IsComplete && IsThere(memory, gadget) ? gadget : default;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(piece);
        }
    }

    private static int Preference(Vma vma)
    {
        ReadOnlySpan<char> file = Path.GetFileName(vma.Name.AsSpan());
        return vma.Name == "[vdso]" ? 0
            : file.StartsWith("libc.so", StringComparison.Ordinal) || file.StartsWith("libc-", StringComparison.Ordinal) ? 1
            : file.StartsWith("ld-musl", StringComparison.Ordinal) || file.StartsWith("libpthread", StringComparison.Ordinal) ? 2
            : vma.IsFileBacked ? 3
            : 4;
    }

    private static SyscallGadget SearchVma(
        ProcessDirectory directory, ProcessMemory memory, Vma vma, SyscallGadget gadget, byte[] piece, ref long searched)
    {
        // The file rather than the mapping where it can be read, so that no page of the target's text is brought in.
        using Microsoft.Win32.SafeHandles.SafeFileHandle? file = OpenFile(directory, vma);
        const int Overlap = 16;
        for (ulong offset = 0; offset < vma.LengthBytes && !gadget.IsComplete; offset += PieceBytes - Overlap)
        {
            Span<byte> target = piece.AsSpan(0, (int)Math.Min(PieceBytes, vma.LengthBytes - offset));
            int read = file is null
                ? memory.Read(vma.Start + offset, target)
                : RandomAccess.Read(file, target, (long)(vma.FileOffsetBytes + offset));
            gadget = gadget.Search(target[..read], (vma.Start + offset).Value);
            searched += read;
            if (read < target.Length)
            {
                break;
            }
        }

        return gadget;
    }

    private static Microsoft.Win32.SafeHandles.SafeFileHandle? OpenFile(ProcessDirectory directory, Vma vma)
    {
        if (!vma.IsFileBacked || vma.IsDeleted || !vma.Name.StartsWith('/'))
        {
            return null;
        }

        try
        {
            return directory.OpenMappedFile(vma.Name);
        }
        catch (SyscallException)
        {
            return null;
        }
    }

    private static bool IsThere(ProcessMemory memory, SyscallGadget gadget)
    {
        Span<byte> atSyscall = stackalloc byte[3];
        Span<byte> atSignalReturn = stackalloc byte[9];
        return memory.Read(new RemoteAddress(gadget.SyscallReturn), atSyscall) == atSyscall.Length
            && memory.Read(new RemoteAddress(gadget.SignalReturn), atSignalReturn) == atSignalReturn.Length
            && SyscallGadget.Verify(atSyscall, atSignalReturn);
    }
}
