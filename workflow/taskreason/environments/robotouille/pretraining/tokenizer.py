"""The laptop model's tokenizer: one token an object name, one token a fixed phrase, bytes for anything else.

A small model finds things by matching tokens, so "patty12" must be one token wherever it stands, and a phrase such
as "Move robot1 from " costs one token instead of six. Phrases and names are added tokens over a byte-level
vocabulary, so any text can be encoded and decoding gives back exactly the text that was encoded.
"""

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from ..renaming import KINDS, LARGEST
from ..simulator.domain import Flag, Op

PAD, END = "<pad>", "<end>"

# Pieces of observations, goals and replies that always occur whole. Names come with the space before them, so that a
# name is one token everywhere and stands right before what is said of it.
PHRASES = (
    *("Stations:\n", "Items:\n", "Containers:\n", "Timers:\n", "Robot", "Empty:"),
    *("Valid actions:\n", "Goal:", " on a", " any order", " last"),
    *(" holding", " nothing", " none", " empty", " nowhere", " boiling", " under", ","),
    *("Thought:", " Tower", " No tower", " Next", " Carry", " Empty", " Robot", "\nAction: "),
    *(" Wait", " here", " away", " See", " Other", " Place", " Stack", " Unstack", " Pick"),
    *(" Cook", " Cut", " Fry", ".", ":", "-", "\n", " to", " robot", " robot1"),
    *(" ask", "At", "On", "Under", "Which"),
    *(f" {number}" for number in range(1, 10)),
)


def list_tokens() -> list[str]:
    """All tokens beyond single bytes: phrases, pieces of action texts, flags, kinds and names."""
    tokens = dict.fromkeys(piece for piece in PHRASES if len(piece) > 1)
    for op in Op:
        text = op.wording.replace("{robot}", "robot1").replace(" {0}", "|").replace(" {1}", "|")
        tokens |= dict.fromkeys(piece for piece in text.split("|") if piece)
    tokens |= dict.fromkeys(f" {flag.name.removeprefix('is')}" for flag in Flag)
    for kind in KINDS:
        tokens[f" {kind}"] = None
        tokens |= dict.fromkeys(f" {kind}{number}" for number in range(1, LARGEST + 1))
    return list(tokens)


def build_tokenizer() -> PreTrainedTokenizerFast:
    """The tokenizer, ready to be saved with a model."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {PAD: 0, END: 1} | {char: n + 2 for n, char in enumerate(alphabet)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_tokens([AddedToken(text, normalized=False) for text in list_tokens()])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        unk_token=PAD,  # never used: every byte is in the vocabulary
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )
