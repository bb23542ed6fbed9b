using Serving.Inference.Checkpoints;

namespace Serving.Inference.Calibration;

/// <summary>One way to read a checkpoint, in what its files need not say.</summary>
/// <param name="RopePairing">How rotary positions pair the elements of a head.</param>
/// <param name="InputLift">How a narrow table's vectors fill the model's width.</param>
/// <param name="Norm">The kind of every norm.</param>
/// <param name="Activation">Between the two matrices of the MLP.</param>
/// <param name="Heads">Attention heads.</param>
public sealed record ModelReading(RopePairing RopePairing, InputLift InputLift, NormKind Norm, Activation Activation, int Heads)
{
    private static readonly int[] UsualHeads = [4, 8, 12, 16, 32, 64];

    /// <summary>All readings of a model that its files leave open, the assumed one first.</summary>
    public static IReadOnlyList<ModelReading> Of(LoadedModel model)
    {
        TransformerWeights weights = model.Weights;
        bool mayBeRms = weights.Tensors().All(tensor => TensorNames.Place(tensor.Name)?.Key is not
        {
            IsBias: true, Role: TensorRole.AttentionNorm or TensorRole.MlpNorm or TensorRole.FinalNorm,
        });
        IEnumerable<int> heads = UsualHeads.Where(count => weights.Width % count == 0 && weights.Width / count is >= 8 and int size && size % 2 == 0);
        return
        [
            .. from pairing in Open(model.Config.RopePairing, weights.RopePairing, Enum.GetValues<RopePairing>())
               from lift in Open(model.Config.InputLift ?? (weights.Table.Dimensions < weights.Width ? null : weights.InputLift), weights.InputLift, Enum.GetValues<InputLift>())
               from norm in Open(model.Config.Norm ?? (mayBeRms ? null : weights.Norm), weights.Norm, Enum.GetValues<NormKind>())
               from activation in Open(model.Config.Activation, weights.Activation, Enum.GetValues<Activation>())
               from count in Open(model.Config.Heads, weights.Heads, heads)
               select new ModelReading(pairing, lift, norm, activation, count),
        ];
    }

    /// <summary>A model read this way.</summary>
    public TransformerWeights Apply(TransformerWeights weights) =>
        weights with { RopePairing = RopePairing, InputLift = InputLift, Norm = Norm, Activation = Activation, Heads = Heads };

    private static IEnumerable<T> Open<T>(T? given, T assumed, IEnumerable<T> all)
        where T : struct => given is null ? all.Prepend(assumed).Distinct() : [assumed];
}
