"""The laptop model's tokenizer: one token an object name, one token a fixed phrase, bytes for anything else.

A small model finds things by matching tokens, so "patty12" must be one token wherever it stands, and a phrase such
as "Move robot1 from " costs one token instead of six. Phrases and names are added tokens over a byte-level
vocabulary, so any text can be encoded and decoding gives back exactly the text that was encoded.
"""

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from taskreason.augment import LARGEST
from taskreason.kitchen.domain import (
    CONTAINER_KINDS,
    ITEM_KINDS,
    MEAL_KINDS,
    STATION_KINDS,
    WORDING,
    Flag,
)

PAD, END = "<pad>", "<end>"

# Pieces of observations, goals and replies that always occur whole.
PHRASES = (
    *("Stations:\n", "Items:\n", "Containers:\n", "Timers:\n", "Robot: ", "Empty: ", "Valid actions:\n"),
    *("Goal: ", "on a ", " build ", "; any order ", "; last ", ", holding ", " holding ", ": empty", "nowhere"),
    *("Thought: ", "Tower at ", "No tower", ". Next ", "Clear ", "Robot at ", "Go to ", ".\nAction: ", "Wait"),
    *("Place", "Stack", "Unstack", "Pick", "Cook", "Cut", "Fry", ". ", " at ", ": ", ", ", "\n", " "),
    *("nothing", "none", "empty", "robot1", "1 ", "2 ", "3 ", "4 ", "5 ", "6 ", "7 ", "8 ", "9 "),
    *("Where is ", "What is on ", "What is under ", "Which ", "Where is the robot? ", "What is held? ", "? ", "ask"),
)


def list_tokens() -> list[str]:
    """All multi-character tokens: phrases, pieces of action texts, flags, kinds and names."""
    tokens = dict.fromkeys(PHRASES)
    for wording in WORDING.values():
        text = wording.replace("{robot}", "robot1")
        tokens |= dict.fromkeys(piece for piece in text.replace("{1}", "{0}").split("{0}") if piece)
    tokens |= dict.fromkeys(flag.name.removeprefix("is") for flag in Flag)
    for kind in (*STATION_KINDS, *ITEM_KINDS, *CONTAINER_KINDS, *MEAL_KINDS):
        tokens[kind] = None
        tokens |= dict.fromkeys(f"{kind}{number}" for number in range(1, LARGEST + 1))
    return list(tokens)


def build_tokenizer() -> PreTrainedTokenizerFast:
    """The tokenizer, ready to be saved beside a model."""
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
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )
