namespace Serving.Inference.Scheduling;

/// <summary>Where a sequence is in its life.</summary>
internal enum SequenceState
{
    /// <summary>Not yet handed to the scheduler.</summary>
    New,

    /// <summary>Queued, without blocks; for the first time or after a preemption.</summary>
    Waiting,

    /// <summary>Holds blocks and is part of the steps.</summary>
    Running,

    /// <summary>Over; holds nothing.</summary>
    Finished,
}
