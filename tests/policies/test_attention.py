"""Grouped attention against the attention that transformers ships."""

import pytest
import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from taskreason.policies.attention import GROUPED
from taskreason.policies.transformers import generate_replies


@pytest.mark.parametrize("heads, shared", [(4, 2), (6, 1), (3, 3)])
def test_logits_gradients_and_cached_steps_are_those_of_plain_attention(heads, shared):
    config = Qwen2Config(
        vocab_size=60,
        hidden_size=24,
        num_hidden_layers=2,
        intermediate_size=32,
        num_attention_heads=heads,
        num_key_value_heads=shared,
        head_dim=8,
    )
    torch.manual_seed(0)
    plain = Qwen2ForCausalLM._from_config(config, attn_implementation="eager")
    ours = Qwen2ForCausalLM._from_config(config, attn_implementation=GROUPED)
    ours.load_state_dict(plain.state_dict())
    ids = torch.randint(0, 60, (3, 11))
    mask = torch.ones_like(ids)
    mask[0, :4] = 0
    kept = mask.bool()
    found = [model(input_ids=ids, attention_mask=mask).logits[kept] for model in (plain, ours)]
    assert torch.allclose(*found, atol=1e-6)
    for logits in found:
        logits.square().sum().backward()
    for one, other in zip(plain.parameters(), ours.parameters(), strict=True):
        assert torch.allclose(one.grad, other.grad, atol=1e-4, rtol=1e-4)
    texts = [
        model.generate(input_ids=ids, attention_mask=mask, max_new_tokens=8, do_sample=False)
        for model in (plain.eval(), ours.eval())
    ]
    assert torch.equal(*texts)


@pytest.mark.parametrize("prompts", [1, 2])
def test_replies_that_share_their_prompt_are_those_of_plain_attention(prompts):
    config = Qwen2Config(
        vocab_size=60,
        hidden_size=24,
        num_hidden_layers=2,
        intermediate_size=32,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
    )
    torch.manual_seed(0)
    plain = Qwen2ForCausalLM._from_config(config, attn_implementation="eager").eval()
    ours = Qwen2ForCausalLM._from_config(config, attn_implementation=GROUPED).eval()
    ours.load_state_dict(plain.state_dict())
    ids = torch.randint(1, 60, (prompts, 11)).repeat_interleave(3, dim=0)
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    options = {"max_new_tokens": 8, "do_sample": False}
    found = generate_replies(ours, inputs, 3, **options)
    assert torch.equal(found, plain.generate(**inputs, **options)[:, 11:])
