using System.Buffers.Binary;
using Corelift.Capture.Planning;
using Corelift.Linux;
using Corelift.Linux.Memory;

namespace Corelift.Capture.Worker;

/// <summary>
/// The auxiliary vector from where the kernel laid it: above the arguments and the environment on the first stack
/// (fs/binfmt_elf.c, create_elf_tables). For targets whose /proc/PID/auxv is refused and in which nothing may be called.
/// </summary>
internal static class AuxvOnStack
{
    private const int MostWords = 1 << 16;
    private const int MostPairs = 64;
    private const ulong ProgramHeaders = 3;  // AT_PHDR
    private const ulong PageSize = 6;        // AT_PAGESZ

    /// <returns>The vector with its AT_NULL, or null where it is not there.</returns>
    internal static byte[]? Read(TargetFacts facts)
    {
        if (facts.Stat.StackStart == 0)
        {
            return null;
        }

        try
        {
            return Find(new ProcessMemory(facts.Directory.Tid), facts.Stat.StackStart);
        }
        catch (SyscallException)
        {
            return null;
        }
    }

    private static byte[]? Find(ProcessMemory memory, ulong address)
    {
        // argc, argv and its null, envp and its null
        Span<byte> piece = stackalloc byte[4096];
        int nulls = 0;
        ulong position = address + 8;
        for (int words = 0; words < MostWords && nulls < 2;)
        {
            int read = memory.Read(new RemoteAddress(position), piece[..(int)(4096 - (position & 4095))]) & ~7;
            if (read == 0)
            {
                return null;
            }

            int used = 0;
            for (; used < read && nulls < 2; used += 8, words++)
            {
                nulls += BinaryPrimitives.ReadUInt64LittleEndian(piece[used..]) == 0 ? 1 : 0;
            }

            position += (ulong)used;
        }

        byte[] vector = new byte[MostPairs * 16];
        int length = nulls < 2 ? 0 : memory.Read(new RemoteAddress(position), vector);
        bool hasHeaders = false;
        bool hasPageSize = false;
        for (int i = 0; i + 16 <= length; i += 16)
        {
            ulong type = BinaryPrimitives.ReadUInt64LittleEndian(vector.AsSpan(i));
            hasHeaders |= type == ProgramHeaders;
            hasPageSize |= type == PageSize && BinaryPrimitives.ReadUInt64LittleEndian(vector.AsSpan(i + 8)) == 4096;
            if (type == 0)
            {
                return hasHeaders && hasPageSize ? vector[..(i + 16)] : null;
            }
        }

        return null;
    }
}
