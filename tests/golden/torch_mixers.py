"""The mixers in PyTorch, and the experts: what ours are compared with.

torch.nn and transformers have some of them. The others are written from their equations in another
form than ours: all T x T weights at once where ours is a recurrence, a loop over the tokens where
ours is a convolution. A `state_dict` fits both unchanged.
Letters in shapes: B batch, T tokens, D width, H heads, d = D/H.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Attention(nn.MultiheadAttention):
    """torch.nn.MultiheadAttention"""

    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__(width, num_heads, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        future = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
        y, _ = super().forward(x, x, x, attn_mask=future, is_causal=True, need_weights=False)
        return y


class LinearAttention(Attention):
    """all T x T weights at once"""

    def forward(self, x: Tensor) -> Tensor:
        qkv = F.linear(x, self.in_proj_weight, self.in_proj_bias)
        q, k, v = (heads(a, self.num_heads) for a in qkv.chunk(3, -1))
        weights = ((F.elu(q) + 1) @ (F.elu(k) + 1).mT).tril()
        return self.out_proj(joined(weights @ v / (weights.sum(-1, keepdim=True) + 1e-6)))


class RetNet(nn.Module):
    """all T x T weights at once"""

    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.q_proj, self.k_proj, self.v_proj, self.g_proj, self.out_proj = (
            nn.Linear(width, width, bias=False) for _ in range(5)
        )

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (heads(p(x), self.num_heads) for p in (self.q_proj, self.k_proj, self.v_proj))
        t, h = (torch.arange(n, dtype=x.dtype) for n in (x.shape[1], self.num_heads))
        size = q.shape[-1]
        angles = torch.outer(t, 10000 ** -torch.linspace(0, 1, size // 2, dtype=x.dtype))
        weights = rotated(q, angles) @ rotated(k, angles).mT / size**0.5
        distances = (t[:, None] - t).clamp(min=0)
        weights = (weights * (1 - 2 ** (-5 - h))[:, None, None] ** distances).tril()
        y = joined(F.rms_norm(weights @ v, (size,), eps=1e-5))
        return self.out_proj(y * F.silu(self.g_proj(x)))


class RWKV(nn.Module):
    """all T x T weights at once"""

    def __init__(self, width: int, num_heads: int, ranks: tuple[int, int] = (8, 16)) -> None:
        super().__init__()
        self.num_heads = num_heads
        mix, decay = ranks
        for name in [*(f"time_maa_{part}" for part in "xwkvrg"), "time_decay"]:
            self.register_parameter(name, nn.Parameter(torch.zeros(1, 1, width)))
        self.time_maa_w1 = nn.Parameter(torch.zeros(width, 5 * mix))
        self.time_maa_w2 = nn.Parameter(torch.zeros(5, mix, width))
        self.time_decay_w1 = nn.Parameter(torch.zeros(width, decay))
        self.time_decay_w2 = nn.Parameter(torch.zeros(decay, width))
        self.time_faaaa = nn.Parameter(torch.zeros(num_heads, width // num_heads))
        self.receptance, self.key, self.value, self.gate, self.output = (
            nn.Linear(width, width, bias=False) for _ in range(5)
        )
        self.ln_x = nn.GroupNorm(num_heads, width, eps=64e-5)

    def forward(self, x: Tensor) -> Tensor:
        change = F.pad(x, (0, 0, 1, -1)) - x  # x[t - 1] - x[t]
        m = torch.tanh((x + change * self.time_maa_x) @ self.time_maa_w1).unflatten(-1, (5, -1))
        m = torch.einsum("btir,ird->ibtd", m, self.time_maa_w2)
        mus = [getattr(self, f"time_maa_{name}") for name in "wkvrg"]
        x_w, x_k, x_v, x_r, x_g = x + change * (torch.stack(mus) + m)
        g = -torch.exp(self.time_decay + torch.tanh(x_w @ self.time_decay_w1) @ self.time_decay_w2)
        r, k, v, g = (
            heads(a, self.num_heads)
            for a in (self.receptance(x_r), self.key(x_k), self.value(x_v), g)
        )
        total = g.cumsum(2)
        between = (total - g)[:, :, :, None] - total[:, :, None]  # sum of g[s + 1 .. t - 1]
        future = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu()
        decays = between.masked_fill(future[..., None], -torch.inf).exp()  # (B, H, T, T, d)
        weights = torch.einsum("bhtd,bhtsd,bhsd->bhts", r, decays, k)
        weights = weights + torch.diag_embed((r * self.time_faaaa[:, None] * k).sum(-1))
        y = self.ln_x(joined(weights @ v).flatten(0, 1)).view_as(x)
        return self.output(y * F.silu(self.gate(x_g)))


class S4(nn.Module):
    """a loop over the tokens, in complex numbers"""

    def __init__(self, width: int, num_heads: int, modes: int = 8) -> None:
        super().__init__()
        sizes = {"log_A_real": (modes,), "A_imag": (modes,), "C": (modes, 2), "log_dt": ()}
        self.kernel = nn.ParameterDict({k: torch.zeros(width, *n) for k, n in sizes.items()})
        self.D = nn.Parameter(torch.zeros(width))
        self.output_linear = nn.Sequential(nn.Linear(width, 2 * width), nn.GLU())

    def forward(self, x: Tensor) -> Tensor:
        A = torch.complex(-self.kernel["log_A_real"].exp(), self.kernel["A_imag"])
        decay = torch.exp(self.kernel["log_dt"].exp()[:, None] * A)
        W = torch.view_as_complex(self.kernel["C"]) * (decay - 1) / A
        s, y = torch.zeros_like(A), []
        for u in x.unbind(1):
            s = decay * s + u[..., None]
            y.append(2 * (W * s).sum(-1).real)
        return self.output_linear(F.gelu(torch.stack(y, 1) + self.D * x))


def mamba(width: int, num_heads: int) -> nn.Module:
    """transformers' MambaMixer"""
    from transformers import MambaConfig
    from transformers.models.mamba.modeling_mamba import MambaMixer

    return MambaMixer(MambaConfig(hidden_size=width, num_hidden_layers=1), 0)


class RNN(nn.RNN):
    """torch.nn.RNN"""

    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__(width, width, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)[0]


class GRU(nn.GRU):
    """torch.nn.GRU"""

    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__(width, width, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)[0]


class Convolution(nn.Module):
    """torch.nn.Conv1d, torch.nn.functional.glu"""

    def __init__(self, width: int, num_heads: int, kernel_size: int = 4) -> None:
        super().__init__()
        self.conv = nn.Conv1d(width, 2 * width, kernel_size, padding=kernel_size - 1)

    def forward(self, x: Tensor) -> Tensor:
        return F.glu(self.conv(x.mT)[..., : x.shape[1]], 1).mT


class Experts(nn.Module):
    """every expert on every token, times its weight: 0 unless it is in topk"""

    def __init__(self, width: int, hidden: int, num_experts: int, num_active: int) -> None:
        super().__init__()
        self.num_active = num_active
        self.router = nn.Linear(width, num_experts, bias=False)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))
            for _ in range(num_experts)
        )

    def forward(self, x: Tensor) -> Tensor:
        scores = self.router(x)
        best, chosen = scores.topk(self.num_active, -1)
        shares = best.softmax(-1) if self.num_active > 1 else scores.softmax(-1).amax(-1, True)
        weights = torch.zeros_like(scores).scatter(-1, chosen, shares)
        y = torch.stack([expert(x) for expert in self.experts], -1)
        return (y * weights[..., None, :]).sum(-1)


def heads(x: Tensor, num_heads: int) -> Tensor:
    """(B, T, D) -> (B, H, T, d)"""
    return x.unflatten(-1, (num_heads, -1)).transpose(1, 2)


def joined(x: Tensor) -> Tensor:
    """(B, H, T, d) -> (B, T, D)"""
    return x.transpose(1, 2).flatten(2)


def rotated(x: Tensor, angles: Tensor) -> Tensor:
    """The pair of entries (2i, 2i + 1) of token t is turned by angles[t, i]."""
    other = torch.stack([-x[..., 1::2], x[..., ::2]], -1).flatten(-2)
    cos, sin = (f(angles).repeat_interleave(2, -1) for f in (torch.cos, torch.sin))
    return x * cos + other * sin


# By the names of teenygpt_np.model.mixers.MIXERS; a docstring says what a peer is.
PEERS: dict[str, Callable[[int, int], nn.Module]] = {
    "attention": Attention,
    "linear-attention": LinearAttention,
    "retnet": RetNet,
    "rwkv": RWKV,
    "s4": S4,
    "mamba": mamba,
    "rnn": RNN,
    "gru": GRU,
    "convolution": Convolution,
}
