namespace Serving.Server.Telemetry;

/// <summary>What the values of an instrument mean.</summary>
internal enum MetricKind
{
    /// <summary>Only ever rises.</summary>
    Counter,

    /// <summary>A sum that may fall.</summary>
    Sum,

    /// <summary>The state of something.</summary>
    Gauge,

    /// <summary>How often a value lay within which bounds.</summary>
    Histogram,
}
