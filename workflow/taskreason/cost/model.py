"""What a language model costs on a GPU: floating-point operations (FLOPs), bytes and seconds.

Arithmetic from a model's shape and a card's data sheet. Constants marked "measured" were set so that the steps come out
which `benchmarks/published_size.py` timed on one H200 (`benchmarks/published_size.csv`); the others are assumptions.
Training is of all weights, in fp32 under bf16 autocast, or of low-rank adapters (LoRA) on bf16 weights, on one GPU.
"""

from dataclasses import dataclass

from taskreason.durability.errors import UserError
from taskreason.policies.model_names import shorten

TRAINING_MFU = (
    0.15  # share of peak FLOP/s: transformers, not compiled, 6,000 tokens a pass (measured)
)
PREFILL_MFU = 0.4  # the same while prompts are read: forward alone, in bf16
BANDWIDTH_SHARE = 0.5  # share of the memory bandwidth that decoding and the optimiser reach
PARALLEL_SHARE = 0.8  # speed of each of several GPUs with one model: they wait for each other
PYTHON_SECONDS = 1.7e-3  # to launch a layer's kernels from Python, as transformers does (measured)
GRAPH_SECONDS = 1e-4  # the same in a CUDA graph, as vLLM does
BACKWARD_LAUNCHES = 2  # for each one forward: gradients of inputs and of weights
ADAPTER_LAUNCHES = 1.5  # of a layer with adapters: casts and two more products a matrix (measured)
AUTOCAST_MOVES = 2.9  # of the cache under fp32 weights: keys are kept in fp32, and cast (measured)
OPTIMIZER_TRAFFIC = (
    28  # bytes a parameter, fp32: weight, gradient, two moments; all but one written
)
RUNTIME_BYTES = 1.5e9  # CUDA context and libraries' workspace, in every process
HEAD_TILE_BYTES = 4096 * 32768 * 4  # logits at once in TRL's fused head: tokens x vocabulary, fp32
VLLM_CHUNK_TOKENS = 8192  # tokens of prompts that vLLM reads at once, about its default


@dataclass(frozen=True)
class Gpu:
    """A card by its data sheet. flops: dense bf16 with fp32 accumulation, 1/s. memory: bytes. bandwidth: bytes/s."""

    name: str
    flops: float
    memory: float
    bandwidth: float


GPUS = {
    "h100": Gpu("H100 SXM 80 GB", 989e12, 80e9, 3.35e12),
    "h200": Gpu("H200 141 GB", 989e12, 141e9, 4.8e12),
    "a100": Gpu("A100 SXM 80 GB", 312e12, 80e9, 2.04e12),
    "rtx4090": Gpu("RTX 4090 24 GB", 165e12, 24e9, 1.01e12),
}


@dataclass(frozen=True)
class Shape:
    """The shape of a Llama or Qwen2 model. group: query heads of a key head. tied: the output head is the embedding."""

    layers: int
    hidden: int
    intermediate: int
    group: int
    vocabulary: int
    tied: bool

    @property
    def keys(self) -> int:
        """Width of all heads' keys together, or of their values; their queries are as wide as the residual stream."""
        return self.hidden // self.group

    @property
    def matrices(self) -> int:
        """Entries of all layers' weight matrices: what a token is multiplied with before the head."""
        attention = 2 * self.hidden * (self.hidden + self.keys)
        return self.layers * (attention + 3 * self.hidden * self.intermediate)

    @property
    def head(self) -> int:
        """Entries of the output head, and of the embedding."""
        return self.vocabulary * self.hidden

    @property
    def parameters(self) -> int:
        """All but biases and norms, which are less than a thousandth."""
        return self.matrices + (2 - self.tied) * self.head

    @property
    def cached(self) -> int:
        """Bytes of one token's keys and values in bf16."""
        return 2 * 2 * self.layers * self.keys

    def count_trained(self, rank: int) -> int:
        """Parameters that an optimiser moves: all, or adapters of a rank on every linear layer but the head."""
        sides = 9 * self.hidden + 2 * self.keys + 3 * self.intermediate
        return self.layers * rank * sides or self.parameters


SHAPES = {
    "Qwen2.5-1.5B-Instruct": Shape(28, 1536, 8960, 6, 151936, True),
    "Qwen2.5-3B-Instruct": Shape(36, 2048, 11008, 8, 151936, True),
    "Qwen2.5-7B-Instruct": Shape(28, 3584, 18944, 7, 152064, False),
    "Qwen2.5-14B-Instruct": Shape(48, 5120, 13824, 5, 152064, False),
    "Llama-3.3-70B-Instruct": Shape(80, 8192, 28672, 8, 128256, False),
}


def find_shape(name: str) -> Shape:
    """The shape of a model on the hub or in a folder, by the last part of its name; raises UserError."""
    if shorten(name) not in SHAPES:
        known = ", ".join(SHAPES)
        raise UserError(f"model {name}: its size is unknown here; configure one of {known}.")
    return SHAPES[shorten(name)]


@dataclass(frozen=True)
class Rows:
    """What goes through a model at once: prompts read, and replies that each follow one of them; lengths in tokens."""

    prompts: float
    prompt: float
    replies: float = 0.0
    reply: float = 0.0

    @property
    def tokens(self) -> float:
        """Tokens of all prompts and replies."""
        return self.prompts * self.prompt + self.replies * self.reply


def forward_flops(shape: Shape, rows: Rows) -> float:
    """FLOPs of one forward pass: 2 for each token and entry of a matrix, the head's for tokens of replies alone."""
    # A token sees itself and all before it.
    pairs = rows.prompts * rows.prompt * (rows.prompt + 1) / 2
    pairs += rows.replies * rows.reply * (rows.prompt + (rows.reply + 1) / 2)
    head = 2 * shape.head * rows.replies * rows.reply
    return 2 * shape.matrices * rows.tokens + head + 4 * shape.layers * shape.hidden * pairs


def training_flops(shape: Shape, rows: Rows, rank: int, checkpointing: bool) -> float:
    """FLOPs of forward and backward: backward costs two forward passes, with frozen weights one; checkpointing one."""
    return forward_flops(shape, rows) * (1 + (1 if rank else 2) + checkpointing)


def activation_bytes(shape: Shape, rows: Rows, checkpointing: bool) -> float:
    """Bytes that backward needs of a forward pass.

    A layer and token: twice the norm's input and output in fp32, a bf16 copy for each of five matrices, queries and
    attention's output (30 x hidden); gate, its activation, up and their product in bf16 (8 x intermediate); and keys
    and values, repeated for every query head, of each token that is seen (4 x hidden), a shared prompt's by every
    reply. With checkpointing each layer keeps its fp32 input, and one layer at a time the rest.
    """
    seen = rows.replies * (rows.prompt + rows.reply)
    seen += rows.prompts * rows.prompt if rows.prompts < rows.replies else 0
    layer = rows.tokens * (30 * shape.hidden + 8 * shape.intermediate) + seen * 4 * shape.hidden
    kept = shape.layers * rows.tokens * 4 * shape.hidden
    return kept + layer if checkpointing else shape.layers * layer


def training_bytes(shape: Shape, rank: int) -> float:
    """Bytes of a training but for activations: weights, gradients, two moments, autocast's copies, and logits."""
    fixed = RUNTIME_BYTES + HEAD_TILE_BYTES
    if rank:
        return fixed + 2 * shape.parameters + 16 * shape.count_trained(rank)
    # The head has an fp32 gradient of its own.
    return fixed + 16 * shape.parameters + 2 * shape.matrices + 6 * shape.head


def generation_seconds(
    shape: Shape, rows: Rows, longest: float, gpu: Gpu, engine: str, gpus: int = 1
) -> float:
    """Time to read the prompts and write the replies side by side until the longest, of ``longest`` tokens, has ended.

    Each new token reads all weights and the keys and values of every running sequence; it takes the longest of that,
    of its FLOPs, and of the launch of its kernels. engine: vllm, transformers, or in training autocast (fp32 weights)
    or adapters (not merged). gpus: that share the model.
    """
    speed = gpus * PARALLEL_SHARE if gpus > 1 else 1.0
    flops, bandwidth = gpu.flops * PREFILL_MFU * speed, gpu.bandwidth * BANDWIDTH_SHARE * speed
    weights = 2 * (shape.matrices + shape.head)
    moves, launch = 1.0, GRAPH_SECONDS
    if engine != "vllm":
        # The cache is copied to append to it, then repeated for every query head of a group, and that is read.
        moves = (2 + 2 * shape.group) * (AUTOCAST_MOVES if engine == "autocast" else 1)
        launch = PYTHON_SECONDS * (ADAPTER_LAUNCHES if engine == "adapters" else 1)
    moved = weights + rows.replies * (rows.prompt + rows.reply / 2) * shape.cached * moves
    token = max(moved / bandwidth, weights * rows.replies / flops, shape.layers * launch)
    return forward_flops(shape, Rows(rows.prompts, rows.prompt)) / flops + longest * token


def generation_bytes(
    shape: Shape, replies: float, tokens: float, engine: str, gpus: int = 1
) -> float:
    """Bytes on each GPU to write replies side by side, each with its prompt of up to ``tokens``, with bf16 weights.

    While prompts are read, one layer's activations are there, too: of all prompts, or of vLLM's chunk of them.
    """
    read = replies * tokens if engine == "transformers" else VLLM_CHUNK_TOKENS
    layer = read * (4 * shape.hidden + 6 * shape.intermediate)
    held = 2 * shape.parameters + replies * tokens * shape.cached + layer
    return held / gpus + RUNTIME_BYTES
