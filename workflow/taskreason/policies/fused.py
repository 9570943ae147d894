"""The arithmetic of small Llama- and Qwen2-like models on a CPU: what transformers computes, in a fraction of the time.

Small models lose most of their time beside the matrix products: to copies, to elementwise operations in fp32, to
padding, and to prompts that are read once for every reply. Here matrices that multiply the same input are joined,
tokens lie side by side without padding, only attention sees rows, a prompt that several completions share is read
once, and the last layer computes what is asked for alone. Results equal those of transformers up to rounding, which
tests hold to a tolerance, and gradients flow through all of it to the model's own parameters.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch.nn.functional import embedding, linear, silu
from transformers import PreTrainedModel

from taskreason.policies.batch import Batch, round_up

Pair = tuple[torch.Tensor, torch.Tensor]
"""Keys and values of one layer, each (prompts x key heads, tokens, size)."""
Kept = tuple[torch.Tensor, ...]
"""Those of the prompts and, where there are completions, those of these: (.., completions x tokens, size)."""

ARCHITECTURES = ("llama", "qwen2")
ROPE_TYPES = ("default", "linear", "llama3")
"""Rotary embeddings that depend on nothing but the position."""


def is_supported(model: torch.nn.Module) -> bool:
    """Whether a model can be computed here: one of the architectures, on a CPU, with nothing unusual switched on."""
    config = model.config
    adapted = hasattr(model, "get_base_model")  # low-rank adapters (peft)
    if adapted or config.model_type not in ARCHITECTURES or model.device.type != "cpu":
        return False
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    attention = [layer.self_attn for layer in model.model.layers]
    mlps = [layer.mlp for layer in model.model.layers]
    used = [a.q_proj for a in attention] + [a.o_proj for a in attention]
    used += [mlp.gate_proj for mlp in mlps] + [mlp.down_proj for mlp in mlps]
    return (
        config.hidden_act == "silu"
        and kinds == {"full_attention"}
        and config.rope_parameters["rope_type"] in ROPE_TYPES
        and not config.attention_dropout
        and all(type(module) is torch.nn.Linear for module in used)
        and all(module.bias is None for module in used[len(attention) :])
    )


@dataclass(frozen=True)
class Layer:
    """Weights of one layer; ``qkv`` and ``gate_up`` are what joins, the queries' part scaled for attention."""

    qkv: torch.Tensor
    qkv_bias: torch.Tensor | None
    out: torch.Tensor
    gate_up: torch.Tensor
    down: torch.Tensor
    attention_norm: torch.Tensor
    mlp_norm: torch.Tensor


class FusedModel:
    """A model's weights, joined, in ``dtype``; with gradients, a view of its parameters as they are now.

    residual: what hidden states are summed in, fp32 in training.
    """

    def __init__(self, model: PreTrainedModel, dtype: torch.dtype, residual: torch.dtype):
        config, body = model.config, model.model
        self.dtype, self.residual = dtype, residual
        self.heads, self.key_heads = config.num_attention_heads, config.num_key_value_heads
        self.size = getattr(config, "head_dim", None) or config.hidden_size // self.heads
        self.shared = self.heads // self.key_heads
        self.eps = config.rms_norm_eps
        self.layers = [self._join(layer) for layer in body.layers]
        self.embedding = body.embed_tokens.weight.to(residual)
        self.norm = body.norm.weight.to(residual)
        self._head = model.lm_head.weight
        self._rotary, self._turns = body.rotary_emb, None

    @cached_property
    def head(self) -> torch.Tensor:
        """Weights that make logits of hidden states, in ``dtype``."""
        return self._head.to(self.dtype)

    def _join(self, layer: torch.nn.Module) -> Layer:
        attention, mlp = layer.self_attn, layer.mlp
        parts = [attention.q_proj, attention.k_proj, attention.v_proj]
        biased = parts[0].bias is not None

        def pair(rows: torch.Tensor) -> torch.Tensor:
            """The two numbers that are rotated together side by side."""
            heads = rows.unflatten(0, (-1, 2, self.size // 2))
            return heads.transpose(1, 2).flatten(0, 2)

        def join(queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
            parts = [pair(queries) * self.size**-0.5, pair(keys), values]
            return torch.cat(parts).to(self.dtype)

        return Layer(
            qkv=join(*(part.weight for part in parts)),
            qkv_bias=join(*(part.bias for part in parts)) if biased else None,
            out=attention.o_proj.weight.to(self.dtype),
            gate_up=torch.cat([mlp.gate_proj.weight, mlp.up_proj.weight]).to(self.dtype),
            down=mlp.down_proj.weight.to(self.dtype),
            attention_norm=layer.input_layernorm.weight.to(self.residual),
            mlp_norm=layer.post_attention_layernorm.weight.to(self.residual),
        )

    def angles(self, positions: torch.Tensor) -> torch.Tensor:
        """By what :func:`turn` rotates at each of the positions: complex numbers (tokens, 1, size / 2)."""
        if self._turns is None or int(positions.max()) >= len(self._turns):
            steps = torch.arange(round_up(int(positions.max()) + 1, 256))
            cos, sin = self._rotary(self.norm[:0].float(), steps[None])
            half = self.size // 2
            self._turns = torch.complex(cos[0, :, :half], sin[0, :, :half])[:, None]
        return self._turns[positions]

    def normalise(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """RMS norm of hidden states, in the dtype of the products."""
        return _Norm.apply(x, weight, self.eps, self.dtype)

    def project(self, layer: Layer, x: torch.Tensor) -> torch.Tensor:
        """Queries, keys and values of hidden states: (tokens, heads + 2 key heads, size)."""
        joined = linear(self.normalise(x, layer.attention_norm), layer.qkv, layer.qkv_bias)
        return joined.view(len(x), -1, self.size)

    def finish(self, layer: Layer, x: torch.Tensor, attended: torch.Tensor) -> torch.Tensor:
        """Hidden states after a layer, from those before it and what its heads attended to (tokens, heads x size)."""
        x = self._add(x, attended, layer.out)
        inner = _Gate.apply(linear(self.normalise(x, layer.mlp_norm), layer.gate_up))
        return self._add(x, inner, layer.down)

    def _add(self, x: torch.Tensor, inner: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        if x.dtype == inner.dtype:
            return torch.addmm(x, inner, weight.t())
        return x + linear(inner, weight)

    def logits(self, x: torch.Tensor) -> torch.Tensor:
        """Of the next token (tokens, vocabulary), in fp32."""
        return linear(self.normalise(x, self.norm), self.head).float()


def turn(x: torch.Tensor, angles: torch.Tensor) -> torch.Tensor:
    """Rotary embedding of (tokens, heads, size), in which pairs lie side by side."""
    pairs = torch.view_as_complex(x.float().unflatten(-1, (-1, 2)))
    return torch.view_as_real(pairs * angles).flatten(-2).to(x.dtype)


class _Norm(torch.autograd.Function):
    """RMS norm: x / sqrt(mean of squares + eps) x weight, computed in fp32, the result in ``dtype``."""

    @staticmethod
    def forward(ctx, x, weight, eps, dtype):
        size = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=torch.float32)
        inverse = (size.square_() / x.shape[-1]).add_(eps).rsqrt_()
        ctx.save_for_backward(x, weight, inverse)
        return (x * inverse).mul_(weight).to(dtype)

    @staticmethod
    def backward(ctx, grad):
        x, weight, inverse = ctx.saved_tensors
        of_weight = torch.mv((grad * x).t(), inverse[:, 0])
        scaled = grad * weight
        along = torch.linalg.vecdot(scaled, x)[:, None] * inverse**3 / x.shape[-1]
        return scaled.mul_(inverse).addcmul_(x, along, value=-1), of_weight, None, None


class _Gate(torch.autograd.Function):
    """silu(gate) x up of (tokens, 2 x width), whose halves these are."""

    @staticmethod
    def forward(ctx, joined):
        ctx.save_for_backward(joined)
        gate, up = joined.chunk(2, dim=-1)
        return silu(gate).mul_(up)

    @staticmethod
    def backward(ctx, grad):
        (joined,) = ctx.saved_tensors
        gate, up = joined.chunk(2, dim=-1)
        found = torch.empty_like(joined)
        of_gate, of_up = found.chunk(2, dim=-1)
        torch.mul(grad, silu(gate), out=of_up)
        of_gate.copy_(torch.ops.aten.silu_backward(grad * up, gate))
        return found


class _ToHeads(torch.autograd.Function):
    """Queries and keys of (tokens, heads, size) rotated, and all rows sorted for attention."""

    @staticmethod
    def forward(ctx, joined, angles, places, turned):
        ctx.known = angles, places, turned
        mixed = torch.cat([turn(joined[:, :turned], angles), joined[:, turned:]], dim=1)
        return mixed.view(-1, joined.shape[-1]).index_select(0, places.index)

    @staticmethod
    def backward(ctx, grad):
        angles, places, turned = ctx.known
        mixed = grad.index_select(0, places.back).view(len(angles), -1, grad.shape[-1])
        # The transpose of a rotation is the rotation back.
        mixed[:, :turned] = turn(mixed[:, :turned], angles.conj())
        return mixed, None, None, None


class _ToTokens(torch.autograd.Function):
    """Rows of attention's results sorted by token and head."""

    @staticmethod
    def forward(ctx, rows, places):
        ctx.places = places
        return rows.index_select(0, places.back)

    @staticmethod
    def backward(ctx, grad):
        places = ctx.places
        return grad.index_select(0, places.index).index_fill_(0, places.empty, 0), None


def read(model: FusedModel, batch: Batch, kept: list[Kept] | None = None) -> torch.Tensor:
    """Hidden states of the completions' tokens (tokens, hidden size), before the last norm.

    kept: takes up keys and values, layer by layer.
    """
    keys, size = model.key_heads, model.size
    x = embedding(batch.ids, model.embedding)
    for number, layer in enumerate(model.layers, start=1):
        last = number == len(model.layers)
        joined = model.project(layer, x)
        turned = model.heads + keys
        rows = _ToHeads.apply(joined, batch.angles, batch.heads, turned)
        q, k, v, *ends = (
            part.view(batch.prompts * keys, -1, size) for part in rows.split(batch.cuts)
        )
        if kept is not None:
            kept.append((k, v, *ends[1:]))
        outputs = []
        if not last:
            bias = batch.causal.expand(len(q), -1, -1)
            weights = torch.baddbmm(bias, q, k.transpose(1, 2)).softmax(-1)
            outputs.append(torch.bmm(weights, v))
        if ends:
            outputs.append(
                attend_shared(*ends, (k, v), batch.padding, batch.causal_ends, batch.group)
            )
        if not outputs:
            return x[:0]
        places = batch.last if last else batch.tokens
        flat = torch.cat([output.view(-1, size) for output in outputs])
        attended = _ToTokens.apply(flat, places).view(-1, model.heads * size)
        x = model.finish(layer, x[batch.in_prompts :] if last else x, attended)
    return x


def attend_shared(
    q, k, v, prompt: Pair, padding: torch.Tensor, bias: torch.Tensor, group: int
) -> torch.Tensor:
    """Attention of completions over their prompt and themselves.

    q (prompts x key heads, group x shared x new, size); k and v: the completions' own, (.., group x all, size); prompt:
    keys and values that ``group`` completions share. padding (.., 1, width) and bias (shared x new, all) are added to
    the scores of prompt and completion. Returns the shape of q.
    """
    lines, size = len(q), q.shape[-1]
    k, v = (own.view(lines * group, -1, size) for own in (k, v))
    of_prompt = torch.baddbmm(padding.expand(-1, q.shape[1], -1), q, prompt[0].transpose(1, 2))
    width = of_prompt.shape[-1]
    of_prompt = of_prompt.view(lines * group, -1, width)
    bias = bias.expand(lines * group, -1, -1)
    of_own = torch.baddbmm(bias, q.view(lines * group, -1, size), k.transpose(1, 2))
    weights = torch.cat([of_prompt, of_own], dim=-1).softmax(-1)
    on_prompt, on_own = weights.split([width, of_own.shape[-1]], dim=-1)
    output = torch.bmm(on_prompt.reshape(lines, -1, width), prompt[1])
    return torch.baddbmm(output.view(lines * group, -1, size), on_own, v).view(q.shape)
