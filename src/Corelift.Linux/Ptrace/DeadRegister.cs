using System.Buffers.Binary;

namespace Corelift.Linux.Ptrace;

/// <summary>
/// Proves by reading code that nobody uses an argument register again after a system call has returned. The kernel keeps
/// argument registers, so code with the instruction in line may count on them; the wrappers of C libraries, of Go and of
/// others return to their caller first, and a function's caller counts on none of these registers. Follows the code to its
/// returns; what it does not know is no proof.
/// </summary>
internal ref struct DeadRegister
{
    /// <summary>Bytes of code that are worth reading.</summary>
    internal const int CodeBytes = 160;

    private const int MostInstructions = 48;
    private const int MostPaths = 8;

    private readonly ReadOnlySpan<byte> _code;
    private readonly int _register;
    private int _at;
    private int _rex;
    private bool _isWide;   // 0x66 makes immediates 2 bytes
    private bool _isRead;
    private bool _isWritten;

    private DeadRegister(ReadOnlySpan<byte> code, int register)
    {
        _code = code;
        _register = register;
    }

    private enum Flow
    {
        Next,
        Ends,
        Jump,
        Branch,
        Unknown,
    }

    /// <summary>Whether the code that follows a system call is done with a register.</summary>
    /// <param name="code">From the instruction after the call.</param>
    /// <param name="register">r8 or r10. rdx can be part of a result, so nothing proves it dead.</param>
    internal static bool IsProven(ReadOnlySpan<byte> code, ArgumentRegister register)
    {
        if (register is not (ArgumentRegister.R8 or ArgumentRegister.R10))
        {
            return false;
        }

        Span<int> paths = stackalloc int[MostPaths];
        int pathCount = 1;
        paths[0] = 0;
        var reader = new DeadRegister(code, (int)register);
        for (int path = 0; path < pathCount; path++)
        {
            reader._at = paths[path];
            if (!reader.Follow(paths, ref pathCount))
            {
                return false;
            }
        }

        return true;
    }

    private bool Follow(scoped Span<int> paths, ref int pathCount)
    {
        for (int i = 0; i < MostInstructions; i++)
        {
            (_isRead, _isWritten) = (false, false);
            Flow flow = Step(out int destination);
            if (flow == Flow.Unknown || _isRead)
            {
                return false;
            }

            if (flow == Flow.Ends || _isWritten)
            {
                return true;
            }

            if (flow == Flow.Branch && !paths[..pathCount].Contains(destination))
            {
                if (pathCount == MostPaths)
                {
                    return false;
                }

                paths[pathCount++] = destination;
            }

            _at = flow == Flow.Jump ? destination : _at;
        }

        return false;
    }

    private Flow Step(out int destination)
    {
        destination = 0;
        TakePrefixes();
        int opcode = Take();
        switch (opcode)
        {
            case 0xc3: // ret
                return Flow.Ends;
            case 0xe8: // call: r10 passes no argument of C, r8 may
                return _register == (int)ArgumentRegister.R10 ? Flow.Ends : Flow.Unknown;
            case 0xeb: // jmp
                destination = TakeByteOffset();
                return Flow.Jump;
            case 0xe9:
                destination = TakeOffset();
                return Flow.Jump;
            case >= 0x70 and <= 0x7f: // jcc
                destination = TakeByteOffset();
                return Flow.Branch;
            case 0x0f:
                return StepTwoByte(out destination);
            default:
                return StepOneByte(opcode) ? Flow.Next : Flow.Unknown;
        }
    }

    private Flow StepTwoByte(out int destination)
    {
        destination = 0;
        int opcode = Take();
        switch (opcode)
        {
            case >= 0x80 and <= 0x8f: // jcc
                destination = TakeOffset();
                return Flow.Branch;
            case 0x1e or 0x1f: // endbr64, nop
                _ = TakeOperands(out _);
                return Flow.Next;
            case 0xb6 or 0xb7 or 0xbe or 0xbf: // movzx, movsx
                Write(TakeOperands(out _));
                return Flow.Next;
            case >= 0x40 and <= 0x4f or 0x94 or 0x95 or 0x10 or 0x11 or 0x28 or 0x29 or 0xef: // cmov, sete, setne, moves and xors of vectors
                Use(TakeOperands(out _));
                return Flow.Next;
            default:
                return Flow.Unknown;
        }
    }

    private bool StepOneByte(int opcode)
    {
        switch (opcode)
        {
            case 0x90 or 0xc9 or 0x98: // nop, leave, cdqe
                return true;
            case >= 0x50 and <= 0x57: // push
                Use((opcode & 7) | ((_rex & 1) << 3));
                return true;
            case >= 0x58 and <= 0x5f: // pop
                Write((opcode & 7) | ((_rex & 1) << 3));
                return true;
            case >= 0xb8 and <= 0xbf: // mov register, immediate
                Write((opcode & 7) | ((_rex & 1) << 3));
                Skip((_rex & 8) != 0 ? 8 : ImmediateBytes);
                return true;
            case < 0x40 when (opcode & 7) is 0 or 1 or 2 or 3: // add, or, and, sub, xor, cmp ...
            case 0x84 or 0x85 or 0x88: // test, mov of a byte
                UseBoth();
                return true;
            case < 0x40 when (opcode & 7) is 4 or 5: // the same with rax and an immediate
            case 0xa8 or 0xa9:
                Skip((opcode & 1) != 0 ? ImmediateBytes : 1);
                return true;
            case 0x89: // mov to memory or register
                Use(TakeOperands(out int target));
                Write(target);
                return true;
            case 0x8b or 0x8d or 0x63: // mov from memory or register, lea, movsxd
                Write(TakeOperands(out int source));
                Use(source);
                return true;
            case 0x80 or 0x83 or 0xc0 or 0xc1 or 0xc6: // arithmetic and moves with a byte
                UseBoth();
                Skip(1);
                return true;
            case 0x81 or 0xc7:
                UseBoth();
                Skip(ImmediateBytes);
                return true;
            case 0xd1 or 0xd3:
                UseBoth();
                return true;
            case 0xf7: // test, not, neg
                int group = _at < _code.Length ? (_code[_at] >> 3) & 7 : 7;
                UseBoth();
                Skip(group == 0 ? ImmediateBytes : 0);
                return group is 0 or 2 or 3;
            default:
                return false;
        }
    }

    private readonly int ImmediateBytes => _isWide ? 2 : 4;

    private void TakePrefixes()
    {
        (_rex, _isWide) = (0, false);
        while (_at < _code.Length && _code[_at] is 0x66 or 0xf2 or 0xf3 or 0x64 or 0x65 or 0x2e or 0x3e)
        {
            _isWide |= Take() == 0x66;
        }

        if (_at < _code.Length && (_code[_at] & 0xf0) == 0x40)
        {
            _rex = Take();
        }
    }

    /// <summary>Takes ModRM, SIB and displacement; a register in the address is read. Returns the register operand.</summary>
    /// <param name="other">The other operand where it is a register, or -1.</param>
    private int TakeOperands(out int other)
    {
        int modrm = Take();
        int mode = modrm >> 6;
        other = (modrm & 7) | ((_rex & 1) << 3);
        int register = ((modrm >> 3) & 7) | ((_rex & 4) << 1);
        if (mode == 3)
        {
            return register;
        }

        if ((modrm & 7) == 4)
        {
            int sib = Take();
            Use(((sib >> 3) & 7) | ((_rex & 2) << 2));
            Use((sib & 7) | ((_rex & 1) << 3));
            Skip(mode == 0 && (sib & 7) == 5 ? 4 : 0);
        }
        else if (!(mode == 0 && (modrm & 7) == 5))
        {
            Use(other);
        }

        Skip(mode switch { 0 => (modrm & 7) == 5 ? 4 : 0, 1 => 1, _ => 4 });
        other = -1;
        return register;
    }

    private void UseBoth()
    {
        Use(TakeOperands(out int other));
        Use(other);
    }

    private void Use(int register) => _isRead |= register == _register;

    /// <summary>A write of 32 or 64 bits; a shorter one keeps the rest of the register.</summary>
    private void Write(int register)
    {
        _isWritten |= register == _register && !_isWide;
        _isRead |= register == _register && _isWide;
    }

    private int TakeByteOffset()
    {
        int offset = unchecked((sbyte)Take());
        return Destination(offset);
    }

    private int TakeOffset()
    {
        int offset = _at + 4 <= _code.Length ? BinaryPrimitives.ReadInt32LittleEndian(_code[_at..]) : 0;
        _at += 4;
        return Destination(offset);
    }

    /// <summary>Where a jump leads; the end of the code for all that lies outside, which is no instruction.</summary>
    private readonly int Destination(long offset) =>
        _at + offset >= 0 && _at + offset < _code.Length ? (int)(_at + offset) : _code.Length;

    private void Skip(int count) => _at += count;

    /// <summary>The next byte; outside the code one that is no instruction known here.</summary>
    private int Take()
    {
        int value = _at < _code.Length ? _code[_at] : 0x06;
        _at++;
        return value;
    }
}
