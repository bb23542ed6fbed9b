namespace Serving.Inference.Ensembles;

/// <summary>A member of an ensemble answered nothing that can be averaged. The others' average is never given instead.</summary>
public sealed class MemberFaultException : Exception
{
    internal MemberFaultException(string memberId)
        : base($"The member '{memberId}' answered logits that are not finite: its weights, or this input, break its arithmetic.")
    {
        MemberId = memberId;
    }

    /// <summary>The member at fault.</summary>
    public string MemberId { get; }
}
