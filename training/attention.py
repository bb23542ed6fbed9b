"""Causal attention with rotary positions as one operation: attention.cpp on a CPU, PyTorch's own on a GPU or without g++."""
import ctypes, os, shutil, subprocess, tempfile
import torch
import torch.nn.functional as F

HERE = os.path.dirname(os.path.abspath(__file__))


def angles(length, head_size):
    """cos, sin [length, head_size / 2], float32: position * 10000^(-2i / head_size)."""
    inverse = 1 / 10000 ** (torch.arange(0, head_size, 2).float() / head_size)
    turn = torch.outer(torch.arange(length).float(), inverse)
    return turn.cos(), turn.sin()


def plain(qkv, cos, sin):
    """qkv [B, T, 3, H, D] -> [B, T, H, D]: the definition, and what runs on a GPU."""
    q, k, v = qkv.transpose(1, 3).unbind(2)                     # [B, H, T, D]

    def rotate(x):
        a, b = x.chunk(2, -1)
        return torch.cat([a * cos - b * sin, b * cos + a * sin], -1).to(x.dtype)

    return F.scaled_dot_product_attention(rotate(q), rotate(k), v, is_causal=True).transpose(1, 2)


def compiled():
    """The C++ kernel, built once for this processor into a temporary folder."""
    target = os.path.join(tempfile.mkdtemp(), "attention.so")
    subprocess.run(["g++", "-O3", "-march=native", "-ffast-math", "-fopenmp", "-shared", "-fPIC", os.path.join(HERE, "attention.cpp"), "-o", target], check=True)
    return ctypes.CDLL(target)


def pointer(tensor): return ctypes.c_void_p(tensor.data_ptr())


class Fused(torch.autograd.Function):
    library = None

    @staticmethod
    def forward(context, qkv, cos, sin):
        if Fused.library is None: Fused.library = compiled()
        qkv = qkv.to(torch.bfloat16).contiguous()
        B, T, _, H, D = qkv.shape
        out, lse = qkv.new_empty(B, T, H, D), torch.empty(B, H, T)
        Fused.library.forward(pointer(qkv), pointer(cos), pointer(sin), pointer(out), pointer(lse), B, T, H)
        context.save_for_backward(qkv, cos, sin, out, lse)
        return out

    @staticmethod
    def backward(context, d_out):
        qkv, cos, sin, out, lse = context.saved_tensors
        B, T, _, H, D = qkv.shape
        d_out, d_qkv = d_out.to(torch.bfloat16).contiguous(), torch.empty_like(qkv)
        Fused.library.backward(pointer(qkv), pointer(cos), pointer(sin), pointer(out), pointer(lse), pointer(d_out), pointer(d_qkv), B, T, H)
        return d_qkv, None, None


def attend(qkv, cos, sin):
    """qkv [B, T, 3, H, 32] -> [B, T, H, 32]. Heads of 32 only, as in the family."""
    return plain(qkv, cos, sin) if qkv.is_cuda or not shutil.which("g++") else Fused.apply(qkv, cos, sin)
