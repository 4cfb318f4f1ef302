using System.Buffers.Binary;
using System.Globalization;
using Corelift.V1;

namespace Corelift.Cli.Output;

/// <summary>The general registers of a stopped thread by name (user_regs_struct of sys/user.h, x86-64).</summary>
internal readonly struct GeneralRegisters
{
    private const uint NtPrStatus = 1;

    private static readonly string[] s_names =
    [
        "r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx", "rsi", "rdi", "orig_rax",
        "rip", "cs", "eflags", "rsp", "ss", "fs_base", "gs_base", "ds", "es", "fs", "gs",
    ];

    private readonly byte[]? _bytes;

    private GeneralRegisters(byte[]? bytes) => _bytes = bytes;

    internal static IReadOnlyList<string> Names => s_names;

    internal static GeneralRegisters Of(StoppedThread thread)
    {
        RegisterSet? set = thread.RegisterSets.FirstOrDefault(set => set.NoteType == NtPrStatus);
        return new GeneralRegisters(set?.Data.Length == s_names.Length * sizeof(ulong) ? set.Data.ToByteArray() : null);
    }

    /// <summary>A register, or null where the agent gave none, or those of another machine.</summary>
    internal ulong? this[string name] => _bytes is null
        ? null
        : BinaryPrimitives.ReadUInt64LittleEndian(_bytes.AsSpan(Array.IndexOf(s_names, name) * sizeof(ulong)));

    internal string Hex(string name) => this[name] is { } value ? string.Create(CultureInfo.InvariantCulture, $"0x{value:x}") : "?";

    internal static string SetName(uint noteType) => noteType switch
    {
        NtPrStatus => "general",
        2 => "fp",
        0x202 => "xstate",
        _ => string.Create(CultureInfo.InvariantCulture, $"0x{noteType:x}"),
    };
}
