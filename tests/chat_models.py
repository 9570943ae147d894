"""A chat model of no knowledge in the published layout, made on disk: what a user with downloaded weights has."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GenerationConfig, Qwen2Config, Qwen2ForCausalLM, Qwen2TokenizerFast

from taskreason.config.load import load_config
from taskreason.policies.prompt import choose_format

CHAT = choose_format(load_config({"prompt": {"style": "chat", "history": True}}))
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def build_chat_tokenizer() -> Qwen2TokenizerFast:
    """A byte-level BPE tokenizer of the published class, with the published special tokens and a chat template."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=900,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator([m["content"] for m in CHAT.list_messages("")], trainer)
    tokenizer = Qwen2TokenizerFast(
        tokenizer_object=core,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=SPECIAL,
    )
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def save_chat_model(folder: Path, shard_size: str = "1TB", width: int = 8) -> Path:
    """Random weights, bf16, in the layout of Qwen2.5-0.5B-Instruct, shrunk; ``shard_size`` may cut them into files.

    width: of each of the seven attention heads.
    """
    tokenizer = build_chat_tokenizer()
    torch.manual_seed(0)
    model = Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=len(tokenizer) + 5,  # published models, too, have more rows than tokens
            hidden_size=7 * width,
            num_hidden_layers=3,
            intermediate_size=152,
            num_attention_heads=7,
            num_key_value_heads=1,
            rope_parameters={"rope_type": "default", "rope_theta": 1e6},
            max_position_embeddings=32768,
            tie_word_embeddings=True,
            bos_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    model.generation_config = GenerationConfig(
        do_sample=True,
        temperature=0.7,
        top_k=20,
        top_p=0.8,
        repetition_penalty=50.0,
        eos_token_id=[tokenizer.eos_token_id, tokenizer.pad_token_id],
        pad_token_id=tokenizer.pad_token_id,
    )
    model.to(torch.bfloat16).save_pretrained(folder, max_shard_size=shard_size)
    tokenizer.save_pretrained(folder)
    return folder
