namespace Serving.Server.Models;

/// <summary>How far a model is.</summary>
internal enum ModelState
{
    /// <summary>Its files are being read.</summary>
    Loading,

    /// <summary>It answers.</summary>
    Ready,

    /// <summary>Its files cannot be used; the log says why.</summary>
    Failed,

    /// <summary>It was taken out at run time and can be loaded again.</summary>
    Unloaded,
}
