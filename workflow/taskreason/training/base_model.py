"""The base model: installed from a folder or the hub, or a small Qwen2 trained from scratch.

The laptop's has the architecture of the paper's model and a tokenizer of its own. It learns the environment's language
and single small goals (:class:`taskreason.environments.base.Pretraining`), never a task, and so stands where
Qwen2.5-1.5B stands in the paper. The bundled weights are this module's output; ``base.rebuild`` makes them again.
"""

import math
import shutil
from pathlib import Path

import torch
from datasets import Dataset
from transformers import PreTrainedTokenizerBase, Qwen2Config, Qwen2ForCausalLM
from trl import SFTConfig, SFTTrainer

from taskreason.config.models import Config
from taskreason.environments.base import Pretraining
from taskreason.policies.fused import is_supported
from taskreason.policies.model_names import expand, find_folder
from taskreason.policies.prompt import PLAIN, PromptFormat
from taskreason.policies.transformers import load_model
from taskreason.training.checkpoints import CurveLog
from taskreason.training.scoring import choose_products, read_prompts_once
from taskreason.training.setup import common_arguments, train_and_save, write_folder
from taskreason.training.sft import COLUMNS, Rows, encode, order_by_length

CONTEXT = 1024
ROPE_THETA = 1e6
"""As published; with slow rotations, names are matched alike at every distance."""
BACKWARD_BIAS, BACKWARD_PAIRS = 7.0, 6
"""Size of the biases that point a head back, and the fastest rotations that they use."""
LOADERS = 4
"""Processes that lay out batches for a GPU, on which a step is over before one of them has done it."""
FILES = (
    *("config.json", "generation_config.json", "model.safetensors"),
    *("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"),
)
"""What is copied of a base model's folder, as far as it is there."""


def build_base(cfg: Config, output_dir: Path, checkpoint_dir: Path, log_csv: Path) -> None:
    """Train the base model, from scratch or on from ``base.start``; resumes from ``checkpoint_dir``."""
    base, processes = cfg.base, torch.get_num_threads()
    pretraining = cfg.env.pretraining
    torch.manual_seed(base.seed)
    if base.start:
        model, tokenizer = load_model(find_folder(expand(base.start, cfg.env)))
    else:
        tokenizer = pretraining.build_tokenizer()
        model = make_model(cfg, tokenizer)
    examples = list(pretraining.draw_examples(base.seed, base.curriculum, processes))
    rows = order_by_length(examples, base.batch_size, base.seed)
    steps = base.epochs * -(-len(rows) // base.batch_size)
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(
            num_train_epochs=base.epochs,
            per_device_train_batch_size=base.batch_size,
            learning_rate=base.learning_rate,
            lr_scheduler_type="warmup_stable_decay",
            lr_scheduler_kwargs={"num_decay_steps": steps // 3, "min_lr_ratio": 0.02},
            warmup_steps=min(200, steps // 10),
            adam_beta2=0.98,
            weight_decay=0.01,
            logging_steps=max(1, steps // 400),
            max_length=None,
            train_sampling_strategy="sequential",
            dataloader_num_workers=LOADERS if torch.cuda.is_available() else 0,
            **common_arguments(checkpoint_dir, base.save_steps, base.seed, cfg.train),
        ),
        train_dataset=encode_curriculum(rows, tokenizer, pretraining, processes),
        processing_class=tokenizer,
    )
    if is_supported(model):
        read_prompts_once(model, choose_products(trainer.args))
    train_and_save(trainer, output_dir, CurveLog(log_csv, COLUMNS, base.epochs, "base"))


def make_model(cfg: Config, tokenizer: PreTrainedTokenizerBase) -> Qwen2ForCausalLM:
    """A model with random weights, all but the heads that point back."""
    base = cfg.base
    model = Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=-(-len(tokenizer) // 64) * 64,
            hidden_size=base.hidden_size,
            num_hidden_layers=base.layers,
            intermediate_size=base.intermediate_size,
            num_attention_heads=base.heads,
            num_key_value_heads=base.kv_heads,
            head_dim=base.head_dim,
            rope_parameters={"rope_type": "default", "rope_theta": ROPE_THETA},
            max_position_embeddings=CONTEXT,
            tie_word_embeddings=True,
            # The published models' 0.02 at their width, scaled to ours: below it attention stays flat for long.
            initializer_range=0.9 / math.sqrt(base.hidden_size),
            attn_implementation="sdpa",
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    point_heads_back(model)
    return model


@torch.no_grad()
def point_heads_back(model: Qwen2ForCausalLM) -> None:
    """Start the first layer's heads 0 and 1 attending one and two tokens back, by their query and key biases.

    Looking up what followed a name needs a head that passes each token on to the next; found by chance, it takes
    most of the training. A rotary score is the sum of cos(w (m - n - o)) over rotations w for query position m and
    key position n when the biases differ by the angle o w, so it peaks o tokens back. The heads train on from there.
    """
    config = model.config
    size, pairs = config.head_dim, BACKWARD_PAIRS
    group = config.num_attention_heads // config.num_key_value_heads
    speeds = model.model.rotary_emb.inv_freq[:pairs]
    attention = model.model.layers[0].self_attn
    for head, offset in enumerate(range(1, 1 + min(2, config.num_attention_heads))):
        key, query = (head // group) * size, head * size
        attention.k_proj.bias[key : key + pairs] = BACKWARD_BIAS
        attention.q_proj.bias[query : query + pairs] = BACKWARD_BIAS * torch.cos(offset * speeds)
        imaginary = query + size // 2
        attention.q_proj.bias[imaginary : imaginary + pairs] = -BACKWARD_BIAS * torch.sin(
            offset * speeds
        )


def encode_curriculum(
    rows: Rows, tokenizer: PreTrainedTokenizerBase, pretraining: Pretraining, processes: int
) -> Dataset:
    """Token ids and labels, the same for any number of processes, each of which labels a part of the rows."""

    def label(row: dict[str, list[int]]) -> dict[str, list[int]]:
        return {"labels": pretraining.label(row["input_ids"], row["labels"], tokenizer)}

    return encode(rows, tokenizer).map(label, num_proc=processes if processes > 1 else None)


def install_base(source: str | Path, output_dir: Path, prompt: PromptFormat = PLAIN) -> None:
    """Install a model as the base that trainings start from, after loading it once; UserError when it is damaged.

    source: its folder or its name on the hub. Weights in several files are joined into one.
    """
    folder = find_folder(source)
    model, tokenizer = load_model(folder, torch.bfloat16)
    prompt.check_template(tokenizer, folder)
    with write_folder(output_dir) as fresh:
        for name in FILES:
            if (folder / name).is_file():
                shutil.copyfile(folder / name, fresh / name)
        if not (fresh / "model.safetensors").exists():
            model.save_pretrained(fresh, max_shard_size="1TB")
        if not (fresh / "tokenizer_config.json").exists():
            tokenizer.save_pretrained(fresh)
        if not (fresh / "generation_config.json").exists():
            model.generation_config.save_pretrained(fresh)
