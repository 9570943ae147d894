"""The fused forward pass and decoding against transformers' plain ones, on models of every shape that is accepted."""

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, Qwen2Config, Qwen2ForCausalLM

from taskreason.policies import decoding, fused_head, prompt_cache
from taskreason.policies.batch import Batch
from taskreason.policies.decoding import decode
from taskreason.policies.fused import FusedModel, is_supported, read
from taskreason.policies.transformers import Generator

VOCABULARY = 60
SHAPE = {
    "vocab_size": VOCABULARY,
    "hidden_size": 24,
    "num_hidden_layers": 3,
    "intermediate_size": 40,
    "head_dim": 8,
}
MODELS = {
    "qwen2": (Qwen2ForCausalLM, Qwen2Config, {"num_attention_heads": 4, "num_key_value_heads": 2}),
    "one key head": (
        Qwen2ForCausalLM,
        Qwen2Config,
        {"num_attention_heads": 6, "num_key_value_heads": 1},
    ),
    "tied": (
        Qwen2ForCausalLM,
        Qwen2Config,
        {"num_attention_heads": 3, "num_key_value_heads": 3, "tie_word_embeddings": True},
    ),
    "llama": (LlamaForCausalLM, LlamaConfig, {"num_attention_heads": 4, "num_key_value_heads": 2}),
    "slow rotations": (
        LlamaForCausalLM,
        LlamaConfig,
        {
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "rope_parameters": {"rope_type": "linear", "rope_theta": 1e4, "factor": 2.0},
        },
    ),
}


def make_model(name: str, seed: int = 0):
    """A model with random weights, biases and norms."""
    kind, config, options = MODELS[name]
    torch.manual_seed(seed)
    model = kind._from_config(config(**SHAPE, **options), attn_implementation="eager").eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.2 * torch.randn_like(weight))
    return model


def draw_ids(number: int, lengths: range, seed: int = 1) -> list[list[int]]:
    generator = torch.Generator().manual_seed(seed)

    def draw(low: int, high: int, *size: int) -> torch.Tensor:
        return torch.randint(low, high, size, generator=generator)

    sizes = draw(lengths.start, lengths.stop, number).tolist()
    return [draw(2, VOCABULARY, size).tolist() for size in sizes]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("group", [1, 3])
def test_logits_and_gradients_are_those_of_transformers(name, group):
    model = make_model(name)
    assert is_supported(model)
    prompts = draw_ids(4, range(2, 40))
    completions = draw_ids(4 * group, range(1, 20), seed=2)
    fused = FusedModel(model, torch.float32, torch.float32)
    ours = fused.logits(read(fused, Batch(fused, prompts, completions)))
    owners = [prompt for prompt in prompts for _ in range(group)]
    parts = []
    for prompt, completion in zip(owners, completions, strict=True):
        logits = model(input_ids=torch.tensor([prompt + completion])).logits[0]
        parts.append(logits[len(prompt) - 1 : -1])
    theirs = torch.cat(parts)
    assert torch.allclose(ours, theirs, atol=1e-4, rtol=1e-4)
    weights = torch.randn(theirs.shape, generator=torch.Generator().manual_seed(3))
    gradients = []
    for logits in (theirs, ours):
        model.zero_grad()
        (logits * weights).sum().backward()
        gradients.append({n: p.grad.clone() for n, p in model.named_parameters()})
    for key, grad in gradients[0].items():
        assert (grad - gradients[1][key]).norm() < 1e-4 * grad.norm() + 1e-5, key


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("portion, rows, block", [(1500, 128, 16), (30, 3, 2)])
def test_greedy_replies_are_those_of_transformers(name, portion, rows, block, monkeypatch):
    """Of prompts of many lengths, which end at different times, in one batch and in small ones."""
    monkeypatch.setattr(prompt_cache, "PORTION", portion)
    for key, value in {"ROWS": rows, "BLOCK": block}.items():
        monkeypatch.setattr(decoding, key, value)
    model = make_model(name)
    prompts, ends = draw_ids(12, range(1, 50)), set(range(2, 20))
    fused = FusedModel(model, torch.float32, torch.float32)
    found = decode(fused, prompts, 25, ends)
    for prompt, reply in zip(prompts, found, strict=True):
        ids = list(prompt)
        for token in reply:
            logits = model(input_ids=torch.tensor([ids])).logits[0, -1]
            assert logits[token] > logits.max() - 1e-4
            ids.append(token)
        assert not ends.intersection(reply[:-1])
        assert reply[-1] in ends or len(reply) == 25
    assert len({*map(len, found)}) > 2, "replies of several lengths"
    again = decode(fused, prompts, 25, ends, group=3)
    assert again == [reply for reply in found for _ in range(3)]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("portion", [1500, 30])
def test_what_prompts_begin_with_is_read_once_a_portion(name, portion, monkeypatch):
    """Their keys and values are those that transformers computes, prompt by prompt."""
    monkeypatch.setattr(prompt_cache, "PORTION", portion)
    batches = []

    def watch(model, batch, kept):
        batches.append(len(batch.ids))
        return read(model, batch, kept)

    monkeypatch.setattr(prompt_cache, "read", watch)
    model = make_model(name)
    begin = draw_ids(1, range(20, 21))[0]
    prompts = [begin + rest for rest in draw_ids(11, range(1, 30), seed=3)]
    prompts.append(begin)  # one that all others go on from
    fused = FusedModel(model, torch.float32, torch.float32)
    monkeypatch.setattr(prompt_cache, "SHARED", 19)
    found = prompt_cache.read_prompts(fused, prompts)
    assert sum(batches) == sum(map(len, prompts)) - 18 * (len(prompts) - len(batches))
    assert (len(batches) > 1) == (portion == 30)
    keys = fused.key_heads
    for number, prompt in enumerate(prompts):
        cache = model(input_ids=torch.tensor([prompt]), use_cache=True).past_key_values
        for layer, (_, values) in zip(cache.layers, found, strict=True):
            ours = values[number * keys : (number + 1) * keys, : len(prompt)]
            assert torch.allclose(ours, layer.values[0], atol=1e-4)
    replies = decode(fused, prompts, 12, {2})
    monkeypatch.setattr(prompt_cache, "SHARED", 10**6)
    assert replies == decode(fused, prompts, 12, {2}), "the keys, too, are those read alone"


def test_sampled_tokens_come_as_often_as_their_probability_says():
    model = make_model("qwen2")
    prompt = draw_ids(1, range(9, 10))[0]
    fused = FusedModel(model, torch.float32, torch.float32)
    torch.manual_seed(4)
    number = 4000
    pairs = decode(fused, [prompt], 2, (), group=number, temperature=0.7)
    logits = model(input_ids=torch.tensor([prompt])).logits[0, -1]
    wanted = (logits / 0.7).softmax(-1)
    seen = torch.tensor([first for first, _ in pairs]).bincount(minlength=VOCABULARY) / number
    noise = (wanted * (1 - wanted) / number).sqrt()
    assert ((seen - wanted).abs() < 5 * noise + 1e-3).all()
    first = int(seen.argmax())
    after = torch.tensor([b for a, b in pairs if a == first])
    wanted = (model(input_ids=torch.tensor([prompt + [first]])).logits[0, -1] / 0.7).softmax(-1)
    seen = after.bincount(minlength=VOCABULARY) / len(after)
    noise = (wanted * (1 - wanted) / len(after)).sqrt()
    assert ((seen - wanted).abs() < 5 * noise + 1e-3).all(), "the second token follows the first"


def test_impossible_tokens_are_never_drawn():
    """Tokens whose probability is 0 in fp32, the first and the last of the vocabulary among them."""
    logits = torch.full((20_000, 5), -1e4)
    logits[:, [1, 3]] = torch.tensor([0.0, 1.0])
    torch.manual_seed(5)
    drawn = decoding._Writer._draw(logits, 1.0).bincount(minlength=5) / len(logits)
    share = 1 / (1 + torch.e)
    assert drawn[[0, 2, 4]].tolist() == [0, 0, 0]
    assert abs(drawn[1] - share) < 5 * (share * (1 - share) / len(logits)) ** 0.5


def test_what_is_computed_differently_is_left_to_transformers():
    model = make_model("qwen2")
    assert is_supported(model)
    for key, value in {
        "hidden_act": "gelu",
        "attention_dropout": 0.1,
        "layer_types": ["full_attention", "sliding_attention", "full_attention"],
        "model_type": "qwen3",
        "rope_parameters": {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0},
    }.items():
        other = make_model("qwen2")
        setattr(other.config, key, value)
        assert not is_supported(other), key
    model.model.layers[1].self_attn.q_proj = torch.nn.utils.parametrizations.weight_norm(
        torch.nn.Linear(24, 32)
    )
    assert not is_supported(model)
    assert MistralConfig().model_type not in ("llama", "qwen2")


@pytest.mark.parametrize("group", [1, 3])
def test_both_generators_write_the_same(group, monkeypatch):
    """Fused, and transformers' own, which models of other architectures take."""
    model = make_model("llama")
    model.generation_config.eos_token_id = [2, 3, 4]
    prompts = draw_ids(5, range(2, 30))
    ours = Generator(model, 0, torch.float32).write(prompts, 20, 0.0, group)
    monkeypatch.setattr("taskreason.policies.transformers.is_supported", lambda model: False)
    assert Generator(model, 0, torch.float32).write(prompts, 20, 0.0, group) == ours


@pytest.mark.parametrize("temperature", [1.0, 0.7])
@pytest.mark.parametrize("numbers", [10**6, 7 * VOCABULARY, 1])
def test_scores_are_those_of_all_logits_at_once(numbers, temperature, monkeypatch):
    """By log_softmax, with the gradients of its chosen elements; a few tokens at a time and all together."""
    monkeypatch.setattr(fused_head, "NUMBERS", numbers)
    generator = torch.Generator().manual_seed(6)
    hidden = torch.randn(40, 24, generator=generator, requires_grad=True)
    weight = torch.randn(VOCABULARY, 24, generator=generator, requires_grad=True)
    targets = torch.randint(VOCABULARY, (40,), generator=generator)
    factor = torch.randn(40, generator=generator)
    logits = hidden @ weight.t() / temperature
    targets[:9] = logits[:9].argmax(-1)
    wanted = logits.log_softmax(-1)
    spread = torch.distributions.Categorical(logits=logits).entropy()
    found, entropy, best = fused_head.score(hidden, weight, targets, temperature)
    assert torch.allclose(found, wanted[torch.arange(40), targets], atol=1e-4)
    assert torch.allclose(entropy, spread, atol=1e-4) and not entropy.requires_grad
    assert best.tolist() == (logits.argmax(-1) == targets).tolist() and best[:9].all()
    gradients = [
        torch.autograd.grad((values * factor).sum(), (hidden, weight))
        for values in (wanted[torch.arange(40), targets], found)
    ]
    for theirs, ours in zip(*gradients, strict=True):
        assert torch.allclose(theirs, ours, atol=1e-4)
