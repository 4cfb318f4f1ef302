using System.Globalization;

namespace Corelift.Linux.Memory;

/// <summary>An address in a tracee's address space. Not convertible to a pointer, on purpose.</summary>
/// <param name="Value">The address as the target sees it.</param>
public readonly record struct RemoteAddress(ulong Value) : IComparable<RemoteAddress>
{
    /// <summary>Whether <paramref name="left"/> lies below <paramref name="right"/>.</summary>
    public static bool operator <(RemoteAddress left, RemoteAddress right) => left.Value < right.Value;

    /// <summary>Whether <paramref name="left"/> lies above <paramref name="right"/>.</summary>
    public static bool operator >(RemoteAddress left, RemoteAddress right) => left.Value > right.Value;

    /// <summary>Whether <paramref name="left"/> does not lie above <paramref name="right"/>.</summary>
    public static bool operator <=(RemoteAddress left, RemoteAddress right) => left.Value <= right.Value;

    /// <summary>Whether <paramref name="left"/> does not lie below <paramref name="right"/>.</summary>
    public static bool operator >=(RemoteAddress left, RemoteAddress right) => left.Value >= right.Value;

    /// <summary>The address <paramref name="lengthBytes"/> further up.</summary>
    /// <exception cref="OverflowException">The sum does not fit 64 bits.</exception>
    public static RemoteAddress operator +(RemoteAddress address, ulong lengthBytes) =>
        new(checked(address.Value + lengthBytes));

    /// <summary>The address <paramref name="lengthBytes"/> further down.</summary>
    /// <exception cref="OverflowException">The difference would be negative.</exception>
    public static RemoteAddress operator -(RemoteAddress address, ulong lengthBytes) =>
        new(checked(address.Value - lengthBytes));

    /// <summary>Bytes from <paramref name="start"/> up to <paramref name="end"/>.</summary>
    /// <exception cref="OverflowException"><paramref name="end"/> lies below <paramref name="start"/>.</exception>
    public static ulong operator -(RemoteAddress end, RemoteAddress start) => checked(end.Value - start.Value);

    /// <inheritdoc cref="op_Addition(RemoteAddress, ulong)"/>
    public static RemoteAddress Add(RemoteAddress address, ulong lengthBytes) => address + lengthBytes;

    /// <inheritdoc cref="op_Subtraction(RemoteAddress, RemoteAddress)"/>
    public static ulong Subtract(RemoteAddress end, RemoteAddress start) => end - start;

    /// <inheritdoc/>
    public int CompareTo(RemoteAddress other) => Value.CompareTo(other.Value);

    /// <summary>The address in hexadecimal with 0x before it.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"0x{Value:x}");
}
