namespace Corelift.Agent.Hosting;

/// <summary>The agent cannot work as it was set up. The message says what is wrong and what to do about it.</summary>
internal sealed class StartRefusedException : Exception
{
    internal StartRefusedException(string message)
        : base(message)
    {
    }
}
