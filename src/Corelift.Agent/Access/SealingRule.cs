using Corelift.Agent.Services;
using Corelift.Sealing;
using Corelift.V1;

namespace Corelift.Agent.Access;

/// <summary>Whom snapshots are sealed to: whom the caller names, and always whom the agent was started with.</summary>
/// <param name="always">Recipients of every snapshot; with one or more of them nothing of a target's memory leaves in the clear.</param>
internal sealed class SealingRule(IReadOnlyList<AgeRecipient> always)
{
    private const int MostRecipients = 20; // that a caller may name

    /// <summary>Whether every snapshot is sealed, asked for or not.</summary>
    internal bool IsDemanded => always.Count > 0;

    /// <summary>Whom this snapshot is sealed to; empty for nobody: it goes in the clear.</summary>
    /// <exception cref="Grpc.Core.RpcException">INVALID_ARGUMENT, which says which recipient; UNIMPLEMENTED without OpenSSL.</exception>
    internal IReadOnlyList<AgeRecipient> RecipientsOf(CaptureOptions? options)
    {
        int count = options?.Recipients.Count ?? 0;
        if (count > MostRecipients)
        {
            throw RpcErrors.InvalidField("options.recipients", $"has {count} entries; the most is {MostRecipients}");
        }

        if (count + always.Count == 0)
        {
            return [];
        }

        if (!SealingSupport.IsAvailable)
        {
            throw RpcErrors.Unimplemented("this agent cannot seal, as OpenSSL's libssl is not there: put it into the agent's image, or name no recipients");
        }

        List<AgeRecipient> recipients = [.. always];
        for (int i = 0; i < count; i++)
        {
            // What was given is not repeated: it may be a private key by mistake.
            if (!AgeRecipient.TryParse(options!.Recipients[i], out AgeRecipient? recipient, out string? problem))
            {
                throw RpcErrors.InvalidField($"options.recipients[{i}]", problem!);
            }

            recipients.Add(recipient!);
        }

        return [.. recipients.Distinct()];
    }

    /// <exception cref="Grpc.Core.RpcException">SEALING_REQUIRED: this way nothing can be sealed.</exception>
    internal void RefuseInTheClear(string what)
    {
        if (IsDemanded)
        {
            throw RpcErrors.Make(ErrorReason.SealingRequired, $"this agent gives out {what} in sealed snapshots only");
        }
    }
}
