namespace Corelift.Agent.Access;

/// <summary>Keeps strangers from filling the log: so many lines a second, and no more.</summary>
internal sealed class LogLimiter
{
    private const int LinesPerSecond = 10;

    private readonly Lock _lock = new();
    private long _second = -1;
    private int _lines;

    /// <summary>Whether a line may be written now.</summary>
    internal bool Allows()
    {
        lock (_lock)
        {
            long second = Environment.TickCount64 / 1000;
            _lines = second == _second ? _lines + 1 : 1;
            _second = second;
            return _lines <= LinesPerSecond;
        }
    }
}
