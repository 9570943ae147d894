"""What a language model costs on a GPU: parameters, floating-point operations (FLOPs), bytes and seconds.

Arithmetic from a model's shape and a card's data sheet. Constants marked "measured" were set so that the steps come out
which `benchmarks/published_size.py` timed on one H200 (`benchmarks/published_size.csv`); the others are assumptions.

- FLOPs: 2 for each entry of a weight matrix and token, once forward and, with every weight trained, twice backward:
  6·N a token. Low-rank adapters need the gradients of inputs, not those of frozen weights: 4·N. Gradient checkpointing
  runs forward once more: 2·N on top. Attention adds 4 x layers x (heads x head size) for each pair of a token and one
  that it sees. The output head counts for tokens of replies alone: TRL scores no others.
- Training takes no less than the launches of its kernels, which small micro-batches and adapters multiply, and SFT
  something with every pass; generation is in `generation`.
- Full fine-tuning holds fp32 weights, gradients and two Adam moments, 16 bytes a parameter, and bf16 copies of the
  matrices for autocast. LoRA holds bf16 weights, and those 16 bytes for its adapters. Activations are added up layer by
  layer in `activation_bytes`. TRL's fused head computes logits in tiles, so (tokens x vocabulary) is never in memory.

All constants are in capitals, each with its reason.
"""

from dataclasses import dataclass
from pathlib import Path

from taskreason.durability.errors import UserError
from taskreason.durability.files import decode

TRAINING_MFU = 0.15
"""Share of peak FLOP/s in training and scoring: transformers without compilation, 6,000 tokens at a time (measured)."""
BANDWIDTH_SHARE = 0.5
"""Share of the memory bandwidth that decoding and the optimiser reach."""
PARALLEL_SHARE = 0.8
"""Speed of each of several GPUs in one job, beside a single one: they wait for each other at every layer or step."""
LAUNCH_SECONDS = {"transformers": 1.7e-3, "vllm": 1e-4}
"""Time to launch one layer's kernels: Python, in decoding once a token (measured), or a CUDA graph (assumed)."""
BACKWARD_LAUNCHES = 2
"""A layer's kernels backward, beside forward: gradients of inputs and of weights."""
ADAPTER_LAUNCHES = 1.5
"""The same of a layer with adapters, beside one without: casts and two more products at each matrix (measured)."""
SFT_PASS_SECONDS = 0.2
"""What a pass of SFT takes beside its layers' kernels; steps with and without adapters agree on it (measured)."""
RUNTIME_BYTES = 1.5e9
"""CUDA context and libraries' workspace, in every process."""
HEAD_TILE_BYTES = 4096 * 32768 * 4
"""Logits that TRL's fused head holds at once: tokens x vocabulary x fp32."""
OPTIMIZER_TRAFFIC = 28
"""Bytes a parameter and step: weight, gradient and two moments (fp32) read, all but the gradient written."""


@dataclass(frozen=True)
class Gpu:
    """A card by its data sheet. flops: dense bf16 with fp32 accumulation, 1/s. memory: bytes. bandwidth: bytes/s.

    lora_rank: rank of the adapters that training on it means, since every weight of the smallest model of
    ``ARCHITECTURES`` is too much for it; 0 for cards that train every weight.
    """

    name: str
    flops: float
    memory: float
    bandwidth: float
    lora_rank: int = 0


GPUS = {
    "h100": Gpu("H100 SXM 80 GB", 989e12, 80e9, 3.35e12),
    "h200": Gpu("H200 141 GB", 989e12, 141e9, 4.8e12),
    "a100": Gpu("A100 SXM 80 GB", 312e12, 80e9, 2.04e12),
    "rtx4090": Gpu("RTX 4090 24 GB", 165e12, 24e9, 1.01e12, lora_rank=16),
}
"""Sizes are decimal as printed; drivers show some 7 % more, which is left to the allocator's gaps."""


@dataclass(frozen=True)
class Architecture:
    """The shape of a Llama or Qwen2 model. bias: of queries, keys and values. tied: the head is the embedding."""

    layers: int
    hidden: int
    intermediate: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    tied: bool
    bias: bool

    @property
    def query_width(self) -> int:
        """Width of all heads' queries together."""
        return self.heads * self.head_dim

    @property
    def kv_width(self) -> int:
        """Width of all heads' keys together, or of their values."""
        return self.kv_heads * self.head_dim

    @property
    def matrices(self) -> int:
        """Entries of all layers' weight matrices: what a token is multiplied with before the head."""
        attention = 2 * self.hidden * (self.query_width + self.kv_width)
        return self.layers * (attention + 3 * self.hidden * self.intermediate)

    @property
    def head(self) -> int:
        """Entries of the output head, and of the embedding."""
        return self.vocabulary * self.hidden

    @property
    def non_embedding(self) -> int:
        """Parameters without embedding and head: matrices, biases and norms."""
        biases = self.bias * (self.query_width + 2 * self.kv_width)
        return self.matrices + self.layers * (biases + 2 * self.hidden) + self.hidden

    @property
    def parameters(self) -> int:
        """All parameters, a tied head counted once."""
        return self.non_embedding + (1 if self.tied else 2) * self.head

    @property
    def kv_bytes(self) -> int:
        """Keys and values of one token in bf16."""
        return 2 * 2 * self.layers * self.kv_width

    def count_adapters(self, rank: int) -> int:
        """Parameters of low-rank adapters on every linear layer but the head."""
        query, kv, hidden, inner = self.query_width, self.kv_width, self.hidden, self.intermediate
        sides = 2 * (hidden + query) + 2 * (hidden + kv) + 3 * (hidden + inner)
        return self.layers * rank * sides


ARCHITECTURES = {
    "Qwen/Qwen2.5-1.5B-Instruct": Architecture(28, 1536, 8960, 12, 2, 128, 151936, True, True),
    "Qwen/Qwen2.5-3B-Instruct": Architecture(36, 2048, 11008, 16, 2, 128, 151936, True, True),
    "Qwen/Qwen2.5-7B-Instruct": Architecture(28, 3584, 18944, 28, 4, 128, 152064, False, True),
    "Qwen/Qwen2.5-14B-Instruct": Architecture(48, 5120, 13824, 40, 8, 128, 152064, False, True),
    "meta-llama/Llama-3.3-70B-Instruct": Architecture(
        80, 8192, 28672, 64, 8, 128, 128256, False, False
    ),
}
FAMILIES = {"qwen2": True, "llama": False, "mistral": False}
"""Model types of config.json with this shape, and whether their queries, keys and values have a bias."""


def find_architecture(key: str, name: str, project: Path) -> Architecture:
    """The shape of a model: from config.json in a folder, else from the table of hub models.

    key: of the name in the configuration, for messages. Relative folders are the project's. Raises UserError.
    """
    folder = project / name
    if folder.is_dir():
        return _read_architecture(key, folder / "config.json")
    if name not in ARCHITECTURES:
        raise UserError(
            f"{key}: the size of {name} is unknown here; give a folder that holds its config.json, "
            f"or one of {', '.join(ARCHITECTURES)}."
        )
    return ARCHITECTURES[name]


def _read_architecture(key: str, path: Path) -> Architecture:
    try:
        values = decode(path.read_text(encoding="utf-8"))
        family = values["model_type"]
        if family not in FAMILIES:
            raise UserError(
                f"{key}: {path} is of a {family} model, whose cost is not modelled; "
                f"give one of the types {', '.join(FAMILIES)}."
            )
        heads, hidden = values["num_attention_heads"], values["hidden_size"]
        return Architecture(
            layers=values["num_hidden_layers"],
            hidden=hidden,
            intermediate=values["intermediate_size"],
            heads=heads,
            kv_heads=values.get("num_key_value_heads") or heads,
            head_dim=values.get("head_dim") or hidden // heads,
            vocabulary=values["vocab_size"],
            tied=values.get("tie_word_embeddings", False),
            bias=values.get("attention_bias", FAMILIES[family]),
        )
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(
            f"{key}: {path} does not tell the model's shape ({type(error).__name__}: {error}); "
            "copy the model's folder again."
        ) from None


@dataclass(frozen=True)
class Rows:
    """What goes through a model at once: prompts read, and replies that each follow one of them; lengths in tokens."""

    prompts: float
    prompt_tokens: float
    replies: float
    reply_tokens: float

    @property
    def tokens(self) -> float:
        """Tokens of all prompts and replies."""
        return self.prompts * self.prompt_tokens + self.replies * self.reply_tokens

    @property
    def seen_tokens(self) -> float:
        """Tokens whose keys and values are laid out for attention: a shared prompt's again for every reply."""
        shared = 0 if self.prompts == self.replies else self.prompts * self.prompt_tokens
        return shared + self.replies * (self.prompt_tokens + self.reply_tokens)


def forward_flops(model: Architecture, rows: Rows) -> float:
    """FLOPs of one forward pass; the head is applied to the replies' tokens."""
    prompt, reply = rows.prompt_tokens, rows.reply_tokens
    # A token sees itself and all before it.
    pairs = rows.prompts * prompt * (prompt + 1) / 2
    pairs += rows.replies * reply * (prompt + (reply + 1) / 2)
    attention = 4 * model.layers * model.query_width * pairs
    head = 2 * model.head * rows.replies * reply
    return 2 * model.matrices * rows.tokens + attention + head


def training_flops(model: Architecture, rows: Rows, lora: bool, checkpointing: bool) -> float:
    """FLOPs of forward and backward; backward costs two forward passes, with frozen weights one."""
    return forward_flops(model, rows) * (1 + (1 if lora else 2) + checkpointing)


def activation_bytes(model: Architecture, rows: Rows, checkpointing: bool) -> float:
    """Bytes that backward needs of a forward pass under bf16 autocast with an fp32 residual stream.

    A layer and token: twice the norm's input and output in fp32, and a bf16 copy for each of the five matrices that
    read them (26 x hidden); gate, its activation, up and their product in bf16 (8 x intermediate); queries and
    attention's output (4 x heads x head size); and keys and values, repeated for every query head, of each token
    that is seen (as much again). LoRA keeps about as much, since each adapter needs its input. With checkpointing
    each layer keeps its fp32 input, and one layer at a time the rest.
    """
    layer = rows.tokens * (26 * model.hidden + 8 * model.intermediate + 4 * model.query_width)
    layer += rows.seen_tokens * 4 * model.query_width
    if checkpointing:
        return model.layers * rows.tokens * 4 * model.hidden + layer
    return model.layers * layer


def state_bytes(model: Architecture, lora_rank: int, shards: tuple[int, int] = (1, 1)) -> float:
    """Bytes of weights, gradients, Adam moments and autocast's copies on each GPU.

    shards: GPUs across which the weights, and gradients with moments, are spread.
    """
    weights, moments = shards
    if lora_rank:
        return 2 * model.parameters / weights + 16 * model.count_adapters(lora_rank)
    held = model.parameters * (4 / weights + 12 / moments)
    return held + 2 * (model.matrices + model.head) / weights


def head_bytes(model: Architecture, lora: bool) -> float:
    """Working memory of TRL's fused head: one tile of logits and, where it is trained, its fp32 gradient."""
    return HEAD_TILE_BYTES + (0 if lora else 4 * model.head)


def optimizer_seconds(gpu: Gpu, trained: float) -> float:
    """Time of one Adam step over ``trained`` parameters on one GPU."""
    return OPTIMIZER_TRAFFIC * trained / (gpu.bandwidth * BANDWIDTH_SHARE)


def share_speed(gpus: int) -> float:
    """How many times as fast as one GPU several are together."""
    return gpus * PARALLEL_SHARE if gpus > 1 else 1.0


def launch_seconds(
    model: Architecture, forward: float, backward: float, lora: bool, bare: float = 0
) -> float:
    """Time to launch the kernels of so many passes through all layers; a recomputed pass counts as forward.

    bare: further forward passes, which leave adapters out.
    """
    passes = (forward + BACKWARD_LAUNCHES * backward) * (ADAPTER_LAUNCHES if lora else 1)
    return model.layers * LAUNCH_SECONDS["transformers"] * (passes + bare)
