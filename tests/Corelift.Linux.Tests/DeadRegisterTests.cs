using Corelift.Linux.Ptrace;

namespace Corelift.Linux.Tests;

/// <summary>Code after a system call, as compilers and C libraries write it: is the argument's register done with?</summary>
public sealed class DeadRegisterTests
{
    [Theory]
    [InlineData("48 3d 00 f0 ff ff 77 01 c3 f7 d8 64 89 02 b8 ff ff ff ff c3")] // glibc: cmp, ja, ret; neg, mov %eax,%fs:(%rdx), mov, ret
    [InlineData("48 3d 00 f0 ff ff 77 06 44 89 c7 e8 00 00 00 00 c3")] // glibc with threads: a call comes first
    [InlineData("48 3d 01 f0 ff ff 76 13 48 f7 d8 48 89 c1 48 c7 c0 ff ff ff ff bb 00 00 00 00 c3 90 48 89 d3 b9 00 00 00 00 c3")] // Go
    [InlineData("89 44 24 20 c3")] // Go of old: mov %eax,0x20(%rsp), ret
    [InlineData("4d 89 c2 48 89 d8 c3")] // mov %r8,%r10: written before it is read
    [InlineData("41 ba 05 00 00 00 0f 05")] // mov $5,%r10d
    [InlineData("0f 84 03 00 00 00 c3 90 90 c3")] // je with four bytes
    [InlineData("eb 02 06 06 c3")] // jmp over what is no code
    public void It_is_proven(string code) => Assert.True(DeadRegister.IsProven(Bytes(code), ArgumentRegister.R10));

    [Theory]
    [InlineData("4c 89 d0 c3")] // mov %r10,%rax
    [InlineData("0f 05 c3")] // another system call takes it
    [InlineData("85 c0 74 01 c3 41 52 c3")] // test, je to push %r10
    [InlineData("4b 8b 04 11 c3")] // mov (%r9,%r10),%rax
    [InlineData("41 8b 02 c3")] // mov (%r10),%eax
    [InlineData("4c 39 d0 c3")] // cmp %r10,%rax
    [InlineData("66 41 ba 05 00 c3")] // mov $5,%r10w keeps the rest
    [InlineData("4d 0f 44 d1 c3")] // cmove %r9,%r10 keeps it, perhaps
    [InlineData("ff e0")] // jmp *%rax: where to?
    [InlineData("e9 00 10 00 00")] // jmp to what was not read
    [InlineData("eb 80")]
    [InlineData("0f 8f ff ff ff 7f c3")]
    [InlineData("f4")]
    [InlineData("48")]
    [InlineData("")]
    [InlineData("75 fe")] // no end
    public void It_is_not_proven(string code) => Assert.False(DeadRegister.IsProven(Bytes(code), ArgumentRegister.R10));

    [Fact]
    public void A_register_that_can_be_part_of_a_result_or_an_argument_is_not_proven()
    {
        Assert.False(DeadRegister.IsProven(Bytes("c3"), ArgumentRegister.Rdx));
        Assert.True(DeadRegister.IsProven(Bytes("c3"), ArgumentRegister.R8));
        Assert.False(DeadRegister.IsProven(Bytes("e8 00 00 00 00"), ArgumentRegister.R8));
    }

    [Fact]
    public void No_bytes_make_it_fail()
    {
        var random = new Random(20260724);
        byte[] code = new byte[DeadRegister.CodeBytes];
        for (int i = 0; i < 200_000; i++)
        {
            random.NextBytes(code);
            code[0] = (byte)(i % 3 == 0 ? 0x0f : i % 3 == 1 ? 0xe9 : code[0]);
            _ = DeadRegister.IsProven(code.AsSpan(0, i % (code.Length + 1)), ArgumentRegister.R10);
        }
    }

    private static byte[] Bytes(string text) => Convert.FromHexString(text.Replace(" ", "", StringComparison.Ordinal));
}
