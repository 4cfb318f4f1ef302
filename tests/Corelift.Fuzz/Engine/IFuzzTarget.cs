namespace Corelift.Fuzz.Engine;

/// <summary>
/// Something that reads what others wrote. It takes any bytes at all, and catches the exceptions that its code documents for
/// them: whatever else comes out of it is a finding.
/// </summary>
internal interface IFuzzTarget
{
    /// <summary>Name, which is that of its folder of the corpus, too.</summary>
    static abstract string Name { get; }

    /// <summary>Hands the input to the code.</summary>
    static abstract void Fuzz(ReadOnlySpan<byte> input);

    /// <summary>Good inputs, made by whatever makes them in earnest.</summary>
    static abstract IEnumerable<byte[]> Seeds { get; }

    /// <summary>Words of its language, which chance would not find.</summary>
    static virtual IReadOnlyList<string> Words => [];

    /// <summary>Changes an input in a way that its language knows; null for none.</summary>
    static virtual byte[]? Mutate(byte[] input, Random random) => null;

    /// <summary>Longest input, in bytes.</summary>
    static virtual int MostBytes => 8 * 1024;

    /// <summary>Most memory that one input may have allocated, in bytes, whatever is freed of it.</summary>
    static virtual long MostAllocatedBytes => 16L << 20;
}

/// <summary>Takes an input.</summary>
internal delegate void FuzzAction(ReadOnlySpan<byte> input);

/// <summary>An <see cref="IFuzzTarget"/> as a value.</summary>
internal sealed record FuzzTarget(
    string Name,
    FuzzAction Fuzz,
    Func<IEnumerable<byte[]>> Seeds,
    IReadOnlyList<string> Words,
    Func<byte[], Random, byte[]?> Mutate,
    int MostBytes,
    long MostAllocatedBytes)
{
    internal static FuzzTarget Of<T>()
        where T : IFuzzTarget =>
        new(T.Name, T.Fuzz, () => T.Seeds, T.Words, T.Mutate, T.MostBytes, T.MostAllocatedBytes);
}
