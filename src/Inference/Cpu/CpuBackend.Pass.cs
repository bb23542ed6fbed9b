using Serving.Inference.Cpu.Kernels;

namespace Serving.Inference.Cpu;

// A pass as a chain of regions: which follows which.
public sealed unsafe partial class CpuBackend
{
    private const int BlockSteps = 12;

    private int _layer;
    private int _endLayer;
    private int _step; // of the block, or after the blocks
    private PackedMatrix? _head; // null = the pass ends with its blocks
    private PackedNorm? _headNorm;
    private float* _logits;

    private void Plan(int firstLayer, int endLayer, PackedNorm? headNorm = null, PackedMatrix? head = null, float* logits = null)
    {
        (_layer, _endLayer, _step) = (firstLayer, endLayer, 0);
        (_headNorm, _head) = (headNorm, head);
        _logits = logits;
    }

    private Region NextRegion()
    {
        if (_layer < _endLayer && _step == BlockSteps)
        {
            (_layer, _step) = (_layer + 1, 0);
            _batch.Beat?.Invoke();
        }
        Region region = _layer < _endLayer ? BlockRegion(_model.Blocks[_layer], _step) : HeadRegion(_step);
        _step++;
        return _rows == 0 ? Region.None : region;
    }

    private Region BlockRegion(PackedModel.Block block, int step)
    {
        (int stride, int queryStride, int hiddenStride) = (_work.Stride, _work.QueryKeyValueStride, _work.HiddenStride);
        switch (step)
        {
            case 0: return Norm(block.AttentionNorm);
            case 1: return _product.Take(_work.Normed, stride, _rows, block.QueryKeyValue);
            case 2: return _product.Multiply(_work.QueryKeyValue, queryStride, Epilogue.Store);
            case 3: return new Region(Items(_model.Heads, _headsPerItem), _placeRows, IsSmall: _rows < SmallRows);
            case 4:
                if (_layer == _model.Blocks.Length - 1)
                    KeepAskedRows();
                return new Region(Items(_rows, AttendRowsPerItem) * Items(_model.Heads, _headsPerItem), _attend, IsSmallAttention());
            case 5: return _product.Take(_work.Attended, stride, _rows, block.Output);
            case 6: return _product.Multiply(_work.Residual, stride, Epilogue.Add);
            case 7: return Norm(block.MlpNorm);
            case 8: return _product.Take(_work.Normed, stride, _rows, block.Up);
            case 9: return _product.Multiply(_work.Hidden, hiddenStride, _model.Activation);
            case 10: return _product.Take(_work.Hidden, hiddenStride, _rows, block.Down);
            default: return _product.Multiply(_work.Residual, stride, Epilogue.Add);
        }
    }

    private Region HeadRegion(int step)
    {
        if (_head is null)
            return Region.None;
        return step switch
        {
            0 => _product.Take(_work.Normed, _work.Stride, CollectAskedRows(), _head),
            1 => _product.Multiply(_logits, _model.VocabularySize, Epilogue.Store),
            _ => Region.None,
        };
    }

    private Region Norm(PackedNorm norm)
    {
        _norm = norm;
        return new Region(Items(_rows, NormRowsPerItem), _normRows, IsSmall: _rows < SmallRows);
    }
}
