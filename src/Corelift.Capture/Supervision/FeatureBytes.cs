using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Corelift.Linux;

namespace Corelift.Capture.Supervision;

/// <summary>The kernel's features as the supervisor found them: it has the capabilities that some of them need.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct FeatureBytes
{
    private const byte NoYama = byte.MaxValue;

    private States _states;
    private byte _yama;

    internal static FeatureBytes From(KernelFeatures features)
    {
        var bytes = new FeatureBytes { _yama = features.YamaPtraceScope is >= 0 and < NoYama and int scope ? (byte)scope : NoYama };
        FeatureState[] all =
        [
            features.PidfdOpen, features.PidfdGetfd, features.CloseRange, features.PagemapScan, features.WriteProtectAsync,
            features.SoftDirty, features.ProcessVmReadv, features.MovePages, features.ForcedMemRead, features.RealTimePriority,
        ];
        for (int i = 0; i < all.Length; i++)
        {
            bytes._states[i] = (byte)all[i];
        }

        return bytes;
    }

    internal readonly KernelFeatures ToFeatures() => new()
    {
        PidfdOpen = (FeatureState)_states[0],
        PidfdGetfd = (FeatureState)_states[1],
        CloseRange = (FeatureState)_states[2],
        PagemapScan = (FeatureState)_states[3],
        WriteProtectAsync = (FeatureState)_states[4],
        SoftDirty = (FeatureState)_states[5],
        ProcessVmReadv = (FeatureState)_states[6],
        MovePages = (FeatureState)_states[7],
        ForcedMemRead = (FeatureState)_states[8],
        RealTimePriority = (FeatureState)_states[9],
        YamaPtraceScope = _yama == NoYama ? null : _yama,
    };

    [InlineArray(10)]
    private struct States
    {
        private byte _first;
    }
}
