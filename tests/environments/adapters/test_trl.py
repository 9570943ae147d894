"""TRL's GRPOTrainer plays kitchens over several turns through its environments."""

from pathlib import Path

from chat_models import build_chat_tokenizer
from taskreason.environments.adapters.trl import ENDED, PlayedTask, make_dataset, make_factory


def test_an_episode_by_the_tool():
    played = PlayedTask("burger")
    text = played.reset(seed=3, prompt="ignored")
    assert "Goal: " in text and played.get_reward() == 0
    session = played._session
    assert played.act("fly").startswith("Not possible.\n") and played.optimal == (0, 1)
    steps = session.tell()["distance"]
    for _ in range(steps):
        told = played.act(session.tell()["optimal_actions"][0])
    assert told == f"The goal is reached. {ENDED}" and played.get_reward() == 1
    assert played.optimal == (steps, steps + 1)
    assert played.act("fly") == ENDED and session.steps == steps + 1
    assert played.reset(seed=3) == text and played.get_reward() == 0


def test_the_data_set_names_worlds_and_asks_for_tool_calls():
    rows = make_dataset("burger", range(5, 8))
    assert rows["seed"] == [5, 6, 7]
    text = rows[0]["prompt"][0]["content"]
    assert "`act`" in text and "exactly two lines" not in text


def make_model(tokenizer):
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1}
    ends = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    return Qwen2ForCausalLM(Qwen2Config(vocab_size=len(tokenizer), **sizes, **heads, **ends))


def test_grpo_of_trl_plays_episodes_over_several_turns(tmp_path):
    """Of each group, every second rollout is given the optimal calls in place of what the model samples."""
    from trl import GRPOConfig, GRPOTrainer, chat_template_utils

    tokenizer = build_chat_tokenizer()
    templates = Path(chat_template_utils.__file__).parent / "chat_templates"
    tokenizer.chat_template = (templates / "qwen3.jinja").read_text()

    class Scripted(GRPOTrainer):
        """Writes what a model that can do it would; TRL parses it, calls the tool and goes on."""

        def _generate_single_turn(self, prompt_ids, *args, **kwargs):
            texts = [tokenizer.decode(ids) for ids in prompt_ids]
            first = len(texts) == len(self.environments) and not any(
                played.optimal[1] for played in self.environments
            )
            replies = [
                "Nothing." if first and place % 2 else self.call(text)
                for place, text in enumerate(texts)
            ]
            return tokenizer([reply + tokenizer.eos_token for reply in replies])["input_ids"], None

        def call(self, text):
            going = [p._session for p in self.environments if not p._session.over]
            told = [s.tell()["optimal_actions"][0] for s in going if s.observe() in text[-1500:]]
            if not told:
                return "Done."
            return f'<tool_call>\n{{"name": "act", "arguments": {{"action": "{told[0]}"}}}}\n</tool_call>'

    trainer = Scripted(
        make_model(tokenizer),
        args=GRPOConfig(
            output_dir=str(tmp_path),
            max_steps=2,
            per_device_train_batch_size=4,
            num_generations=4,
            max_completion_length=4000,
            logging_steps=1,
            report_to="none",
            use_cpu=True,
            bf16=False,
        ),
        train_dataset=make_dataset("discs_3", [3, 4], "hanoi"),
        processing_class=tokenizer,
        environment_factory=make_factory("discs_3", "hanoi"),
    )
    trainer.train()
    logs = [row for row in trainer.state.log_history if "rewards/PlayedTask/mean" in row]
    assert [row["rewards/PlayedTask/mean"] for row in logs] == [0.5, 0.5]
    assert all(row["tools/failure_frequency"] == 0 < row["tools/call_frequency"] for row in logs)
    assert {played.get_reward() for played in trainer.environments} == {0.0, 1.0}
