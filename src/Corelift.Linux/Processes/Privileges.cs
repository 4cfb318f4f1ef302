using System.Runtime.InteropServices;
using Corelift.Linux.Interop;

namespace Corelift.Linux.Processes;

/// <summary>
/// Giving up capabilities for good. They belong to threads (capabilities(7)), and a .NET process has several before its first
/// line runs. So they are given up on one thread, and a program is started from it: that has none on any thread.
/// </summary>
public static unsafe class Privileges
{
    private const int SetNoNewPrivileges = 38; // PR_SET_NO_NEW_PRIVS
    private const int GetNoNewPrivileges = 39; // PR_GET_NO_NEW_PRIVS

    /// <summary>
    /// Whether the calling thread has no capability in any set, and cannot get one by execve: no_new_privs. The ambient set is
    /// empty where the permitted one is.
    /// </summary>
    public static bool AreNone
    {
        get
        {
            var header = new CapabilityHeader { Version = CapabilityHeader.Version3 };
            CapabilityData* data = stackalloc CapabilityData[2];
            return LibC.Capget(&header, data) == 0
                && (data[0].Permitted | data[0].Effective | data[0].Inheritable | data[1].Permitted | data[1].Effective | data[1].Inheritable) == 0
                && LibC.Prctl(GetNoNewPrivileges, 0, 0, 0, 0) == 1;
        }
    }

    /// <summary>
    /// Runs this program again in this process, with other arguments and without a capability. Without no_new_privs root and
    /// programs with file capabilities would have them back after the execve.
    /// </summary>
    /// <returns>Why it did not work; it does not return otherwise.</returns>
    public static SyscallException ExecWithout(string path, IReadOnlyList<string> arguments) => OnBareThread(() =>
    {
        using var texts = new NativeStrings(arguments);
        using var environment = NativeStrings.OfEnvironment();
        return LibC.Execve(path, texts.Array, environment.Array) == 0
            ? new SyscallException("execve", 0, Errno.None)
            : SyscallException.FromLastError("execve", 0);
    });

    /// <summary>Does something on a thread of its own that has no capability any more, and ends that thread.</summary>
    /// <exception cref="SyscallException">The capabilities could not be given up; nothing was done.</exception>
    internal static T OnBareThread<T>(Func<T> work)
    {
        T? result = default;
        Exception? failure = null;
        var thread = new Thread(
            () =>
            {
                try
                {
                    Drop();
                    result = work();
                }
                catch (Exception caught) when (caught is IOException or OutOfMemoryException)
                {
                    failure = caught;
                }
            },
            256 * 1024)
        {
            Name = "without-capabilities",
            IsBackground = true,
        };
        thread.Start();
        thread.Join();
        return failure is null ? result! : throw failure;
    }

    private static void Drop()
    {
        if (LibC.Prctl(SetNoNewPrivileges, 1, 0, 0, 0) != 0)
        {
            throw SyscallException.FromLastError("prctl(PR_SET_NO_NEW_PRIVS)", 0);
        }

        var header = new CapabilityHeader { Version = CapabilityHeader.Version3 };
        CapabilityData* none = stackalloc CapabilityData[2];
        new Span<CapabilityData>(none, 2).Clear();
        if (LibC.Capset(&header, none) != 0)
        {
            throw SyscallException.FromLastError("capset", 0);
        }
    }
}

/// <summary>Strings as C takes them: an array of pointers with a null at its end.</summary>
internal sealed unsafe class NativeStrings : IDisposable
{
    internal NativeStrings(IReadOnlyList<string> strings)
    {
        Array = (byte**)NativeMemory.AllocZeroed((nuint)(strings.Count + 1), (nuint)sizeof(byte*));
        for (int i = 0; i < strings.Count; i++)
        {
            int length = System.Text.Encoding.UTF8.GetByteCount(strings[i]);
            Array[i] = (byte*)NativeMemory.AllocZeroed((nuint)length + 1);
            System.Text.Encoding.UTF8.GetBytes(strings[i], new Span<byte>(Array[i], length));
        }
    }

    /// <summary>The array; gone after <see cref="Dispose"/>.</summary>
    internal byte** Array { get; }

    /// <summary>The environment of this process.</summary>
    internal static NativeStrings OfEnvironment()
    {
        var list = new List<string>();
        foreach (System.Collections.DictionaryEntry entry in Environment.GetEnvironmentVariables())
        {
            list.Add($"{entry.Key}={entry.Value}");
        }

        return new NativeStrings(list);
    }

    public void Dispose()
    {
        for (int i = 0; Array[i] is not null; i++)
        {
            NativeMemory.Free(Array[i]);
        }

        NativeMemory.Free(Array);
    }
}
