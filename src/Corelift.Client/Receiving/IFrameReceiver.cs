using Corelift.Client.Wire;

namespace Corelift.Client.Receiving;

/// <summary>Takes the messages of one capture in their order.</summary>
internal interface IFrameReceiver
{
    /// <summary>Whether the agent has begun to answer.</summary>
    bool HasBegun { get; }

    /// <summary>Bytes of memory, or of a sealed file, that came.</summary>
    ulong ReceivedBytes { get; }

    /// <summary>Takes one message. Does not dispose of the frame.</summary>
    void Add(CaptureFrame frame);
}
