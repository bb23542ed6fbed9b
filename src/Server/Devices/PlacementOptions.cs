using System.ComponentModel.DataAnnotations;

namespace Serving.Server.Devices;

/// <summary>A model that computes elsewhere than the others.</summary>
internal sealed class PlacementOptions
{
    /// <summary>The model's id.</summary>
    [Required]
    public string? Model { get; set; }

    /// <summary>Its device.</summary>
    [Required, RegularExpression(DeviceRequest.Pattern, ErrorMessage = DeviceRequest.Names)]
    public string? Device { get; set; }
}
