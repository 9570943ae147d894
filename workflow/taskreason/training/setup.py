"""What SFT, GRPO and the base model's training share: arguments for this machine, adapters, safe outputs.

Checkpoints lie outside the declared outputs, so an interrupted training resumes from the last one; a finished
model is written to a folder of its own first and moved into place whole.
"""

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from transformers import (
    AutoConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PrinterCallback,
    TrainerCallback,
)

from taskreason.config.groups import Train
from taskreason.config.models import Config
from taskreason.durability.errors import UserError
from taskreason.durability.progress import say
from taskreason.durability.provenance import write_provenance
from taskreason.policies.memory import SURPLUS
from taskreason.policies.prompt import choose_format
from taskreason.policies.transformers import has_fast_bf16, load_model
from taskreason.training.checkpoints import CheckpointSums, CurveLog, find_checkpoint


@dataclass(frozen=True)
class TrainingFiles:
    """What one training reads (the expert's decisions, the folder of the model to start from) and writes.

    model: folder of the result. checkpoints: folder from which a killed training resumes, gone at the end. curve: CSV
    log. provenance: JSON record. rehearsal: decisions on no task, drawn ahead for trainings with this seed (read). Of
    GRPO alone: worlds, in which the policy is watched meanwhile (read); validation, the CSV log of that; training, the
    worlds of the trajectories, where ``grpo.turns`` is multi (read).
    """

    trajectories: Path
    start: Path
    model: Path
    checkpoints: Path
    curve: Path
    provenance: Path
    rehearsal: Path | None = None
    worlds: Path | None = None
    validation: Path | None = None
    training: Path | None = None


def read_dtype(folder: Path) -> torch.dtype:
    """What a model's weights are stored in, which is what they are after training, too."""
    return AutoConfig.from_pretrained(folder, local_files_only=True).dtype or torch.float32


def load_trainee(folder: Path, cfg: Config) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The model to be trained, in fp32; with adapters on a GPU in bf16, since its own weights stay as they are."""
    frozen = cfg.train.lora_rank and torch.cuda.is_available()
    model, tokenizer = load_model(folder, torch.bfloat16 if frozen else torch.float32)
    choose_format(cfg).check_template(tokenizer, folder)
    return model, tokenizer


def count_tokens(replies: Sequence[str], tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Tokens of each reply, with the one that ends it."""
    ids = tokenizer(list(replies), add_special_tokens=False)["input_ids"]
    return [len(reply) + 1 for reply in ids]


def tell_cut_replies(lengths: Sequence[int], cfg: Config, label: str) -> None:
    """Say how many of the replies to be learnt, given by their tokens, are longer than a policy may write."""
    limit = cfg.rollout.max_new_tokens
    if cut := sum(length > limit for length in lengths):
        say(
            f"{label}: {cut} of the {len(lengths)} replies to be learnt are longer than rollout.max_new_tokens, "
            f"{limit}, so that no policy can give them; set it to {max(lengths)} or more."
        )


def common_arguments(checkpoint_dir: Path, save_steps: int, seed: int, train: Train) -> dict:
    """Arguments that every trainer here takes: checkpoints, seed, no reports, and what this machine is good at.

    On a CPU that is one thread (or OMP_NUM_THREADS) and bf16 autocast where the processor has it.
    """
    arguments = {
        "output_dir": str(checkpoint_dir),
        "save_steps": save_steps,
        "seed": seed,
        "report_to": "none",
        "disable_tqdm": True,
        "dataloader_pin_memory": False,
        "gradient_checkpointing": train.gradient_checkpointing,
    }
    if torch.cuda.is_available():
        return arguments | {"bf16": True}
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    return arguments | {"use_cpu": True, "bf16": has_fast_bf16()}


def split_batch(key: str, rows: int, micro: int) -> dict[str, int]:
    """Arguments that cut a batch of ``rows`` into passes of at most ``micro`` rows on each of the processes.

    key: of the batch in the configuration, for the message when it can't be cut.
    """
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    share, rest = divmod(rows, processes)
    if rest:
        raise UserError(
            f"{key} makes {rows} rows a step, which {processes} processes can't share evenly; "
            "change it or num_processes in the file that train.accelerate names."
        )
    micro = next(size for size in range(min(micro, share), 0, -1) if share % size == 0)
    return {"per_device_train_batch_size": micro, "gradient_accumulation_steps": share // micro}


def make_adapters(train: Train):
    """The low-rank adapters to train (a ``peft.LoraConfig`` on all linear layers), None for every weight."""
    if not train.lora_rank:
        return None
    from peft import LoraConfig

    return LoraConfig(
        r=train.lora_rank,
        lora_alpha=train.lora_alpha,
        lora_dropout=train.lora_dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )


@contextmanager
def write_folder(folder: Path) -> Iterator[Path]:
    """A new folder to write a model to, whose files are then moved into place.

    The place may exist already (a workflow makes it for its outputs), so files are replaced one by one.
    """
    fresh = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    yield fresh
    folder.mkdir(parents=True, exist_ok=True)
    for file in fresh.iterdir():
        os.replace(file, folder / file.name)
    fresh.rmdir()


class MemoryLimit(TrainerCallback):
    """Gives freed memory back between two passes, where it has become much."""

    def on_substep_end(self, args, state, control, **kwargs):
        """After every micro-batch but the last of a step."""
        SURPLUS.give_back()

    def on_step_end(self, args, state, control, **kwargs):
        """After the last one, and the optimiser's step."""
        SURPLUS.give_back()


def train_policy(trainer, cfg: Config, files: TrainingFiles, curve: CurveLog) -> None:
    """Train, and write the model in the dtype of the one that it started from, with the record of how it was made."""
    seconds = train_and_save(trainer, files.model, curve, read_dtype(files.start))
    if seconds is not None:
        write_provenance(files.provenance, asdict(cfg), cfg.seed, seconds)


def train_and_save(
    trainer, output_dir: Path, curve: CurveLog, dtype: torch.dtype = torch.float32
) -> float | None:
    """Train (resuming where a checkpoint lies), write the model folder whole, and return the wall time in seconds.

    Of several processes the first one writes; the others return None. dtype: of the weights on disk.
    """
    accelerator, checkpoints = trainer.accelerator, Path(trainer.args.output_dir)
    several = accelerator.num_processes > 1
    # The first process removes what is damaged, the others find the same.
    with accelerator.main_process_first():
        last = find_checkpoint(checkpoints, curve.label)
    if accelerator.is_main_process and several:
        print(f"{curve.label}: {accelerator.num_processes} processes", flush=True)
    if last and accelerator.is_main_process:
        print(f"{curve.label}: resuming from {last}", flush=True)
    trainer.remove_callback(PrinterCallback)  # one line now and then is enough
    trainer.add_callback(curve)
    trainer.add_callback(MemoryLimit())
    trainer.add_callback(CheckpointSums)
    trainer.train(resume_from_checkpoint=last)
    # Where the weights are spread over processes, all of these have to take part in collecting them.
    state = accelerator.get_state_dict(trainer.model_wrapped) if several else None
    if not accelerator.is_main_process:
        return None
    seconds = curve.before + time.time() - curve.started
    model = accelerator.unwrap_model(trainer.model)
    if hasattr(model, "merge_and_unload"):  # adapters; readers of the folder need not know of them
        model, state = model.merge_and_unload(), None
    model.to(dtype)
    if state is not None:
        state = {name: weight.to(dtype) for name, weight in state.items()}
    with write_folder(output_dir) as fresh:
        model.save_pretrained(fresh, state_dict=state, max_shard_size="1TB")
        trainer.processing_class.save_pretrained(fresh)
    shutil.rmtree(checkpoints, ignore_errors=True)
    return seconds
