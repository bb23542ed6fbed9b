using TorchSharp;

namespace Serving.Inference.Torch;

/// <summary>The angles of rotary positions on a device. Element i of a head turns with element i + D/2, D being its size.</summary>
/// <param name="Angles">[positions, 2, D]: cosines, then sines.</param>
internal sealed record DeviceRotary(DeviceTensor Angles)
{
    /// <summary>What turns queries and keys of some rows and leaves their values alone: cosines and sines, [rows, 3, 1, D] each. A row
    /// becomes row · cosines + (row with its halves swapped) · sines.</summary>
    public (DeviceTensor Cosines, DeviceTensor Sines) At(DeviceTensor positions)
    {
        DeviceTensor angles = Angles.index_select(0, positions);
        DeviceTensor cosines = angles.select(1, 0), sines = angles.select(1, 1);
        sines.narrow(1, 0, sines.shape[1] / 2).neg_();
        return (
            torch.stack([cosines, cosines, torch.ones_like(cosines)], 1).unsqueeze(2),
            torch.stack([sines, sines, torch.zeros_like(sines)], 1).unsqueeze(2));
    }

    /// <summary>Turns queries, keys and values [rows, 3, heads, D], in float32.</summary>
    public static DeviceTensor Turn(DeviceTensor rows, DeviceTensor cosines, DeviceTensor sines) =>
        rows.mul(cosines).addcmul_(rows.roll(rows.shape[3] / 2, 3), sines, 1);
}
