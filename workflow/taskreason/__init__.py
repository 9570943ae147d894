"""Task-level reasoning with small language models: worlds, training, evaluation, report."""

import os

# Whatever library reads a file of torch's from here on takes plain tensors from it and runs nothing.
os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] = "1"
os.environ.pop("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", None)
