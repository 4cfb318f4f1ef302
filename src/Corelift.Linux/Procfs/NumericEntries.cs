using System.Buffers.Binary;
using Corelift.Linux.Interop;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Linux.Procfs;

/// <summary>Lists the entries of a directory whose names are numbers: pids of /proc, tids of a task directory.</summary>
internal static class NumericEntries
{
    private const int BufferBytes = 32 * 1024;

    internal static unsafe List<int> List(SafeFileHandle directory, int tid, ProcfsLimits limits)
    {
        var numbers = new List<int>();
        Span<byte> buffer = stackalloc byte[BufferBytes];
        bool referenced = false;
        try
        {
            directory.DangerousAddRef(ref referenced);
            int descriptor = (int)directory.DangerousGetHandle();
            fixed (byte* start = buffer)
            {
                while (true)
                {
                    nint length = LibC.GetDents64(descriptor, start, BufferBytes);
                    if (length < 0)
                    {
                        throw SyscallException.FromLastError("getdents64(/proc)", tid);
                    }

                    if (length == 0)
                    {
                        break;
                    }

                    Take(buffer[..(int)length], numbers, limits);
                }
            }
        }
        finally
        {
            if (referenced)
            {
                directory.DangerousRelease();
            }
        }

        numbers.Sort();
        return numbers;
    }

    private static void Take(ReadOnlySpan<byte> records, List<int> numbers, ProcfsLimits limits)
    {
        while (!records.IsEmpty)
        {
            int length = BinaryPrimitives.ReadUInt16LittleEndian(records[DirectoryEntry.LengthOffset..]);
            ReadOnlySpan<byte> name = records[DirectoryEntry.NameOffset..length];
            records = records[length..];
            name = name[..name.IndexOf((byte)0)];
            if (name.IsEmpty || name[0] is < (byte)'1' or > (byte)'9')
            {
                continue;
            }

            if (numbers.Count >= limits.MaxTasks)
            {
                throw new ProcfsFormatException($"more than {limits.MaxTasks} tasks");
            }

            var fields = new FieldReader(name);
            numbers.Add(fields.TakeInt32());
        }
    }
}
