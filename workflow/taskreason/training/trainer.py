"""The trainers of GRPO: on single decisions, reading each prompt once per group, and for comparison on whole episodes.

TRL runs the model over prompt and completion for every completion, so a group of eight reads its prompt eight times,
twice over (policy and reference), and once more to sample. :class:`SharedPromptTrainer` reads it once each time
(:mod:`taskreason.training.scoring`, :class:`taskreason.policies.transformers.Generator`). Rewards, advantages and the
loss stay TRL's; log-probabilities and gradients are those of stock TRL up to rounding. Where a CPU multiplies bf16,
replies are drawn from the policy in bf16, so from the policy up to rounding, as they are with a serving engine.

A group whose replies all earn the same has no advantage: nothing of it but its KL term enters the loss, and as training
goes on most groups are such. With ``filter_groups`` they stay out of the update, and the reference does not read them.

Four private methods of TRL are overridden, as they are in the release ``TRL_RELEASE``; a test compares their
signatures and says which has changed.
"""

import random
from collections.abc import Sequence
from typing import NamedTuple

import torch
from trl import GRPOTrainer
from trl.trainer.utils import split_tensor_dict

from taskreason.durability.errors import UserError
from taskreason.policies.memory import SURPLUS
from taskreason.policies.prompt import PromptFormat
from taskreason.policies.transformers import Generator, choose_dtype
from taskreason.rollouts.episode import Run, Start
from taskreason.training.scoring import choose_products, read_prompts_once

TRL_RELEASE = "1.16"
"""What the overridden methods were written for."""
EPSILON = 1e-4
"""Added to the standard deviation of a group, as in TRL."""
SPREAD = 0.5
"""Of a group's advantages the largest is above this, or all are zero up to rounding: the squares of n advantages add up
to n - 1, so that one of them is at least (n - 1) / n, which is 1/2 or more, and it is .7 or more itself."""


class SharedPromptTrainer(GRPOTrainer):
    """A :class:`trl.GRPOTrainer` whose groups share one pass over their prompt.

    Sharing needs one process, no gradient checkpointing (which excludes a key-value cache) and text alone; where
    that does not hold, every method is TRL's own. filter_groups: groups whose replies all earn the same are left out of
    the update, and the logged KL and entropy are of the others; where all groups are such, all of them stay.
    """

    _drawn = 0  # tokens sampled for the step in progress

    def __init__(self, *args, filter_groups: bool = False, **kwargs):
        super().__init__(*args, **kwargs)
        self.filter_groups = filter_groups
        if filter_groups and not self.shares_prompts:
            raise UserError(
                "grpo.filter_groups: true needs one training process without gradient checkpointing; "
                "set it to false, train.gradient_checkpointing to false or num_processes to 1."
            )
        if self.shares_prompts:
            for model in filter(None, (self.model, self.ref_model)):
                read_prompts_once(model, choose_products(self.args), self.temperature)

    @property
    def shares_prompts(self) -> bool:
        """Whether this run's loss shares prompts."""
        return self.accelerator.num_processes == 1 and not self.args.gradient_checkpointing

    @property
    def _is_aligned(self) -> bool:
        return self.args.gradient_accumulation_steps % self.args.steps_per_generation == 0

    # Overridden to keep the completions of a group in one micro-batch. TRL's own caches a generation batch under
    # _buffered_inputs and counts passes in _step; should either be renamed, groups are torn apart again and nothing
    # is shared, which tests/training/test_training.py notices.
    def _prepare_inputs(self, generation_batch):
        if not (self.shares_prompts and self._is_aligned and self.model.training):
            return super()._prepare_inputs(generation_batch)
        # TRL shuffles completions before it cuts them into micro-batches, which tears groups apart. All micro-batches
        # enter the same optimiser step here, so their order changes nothing but the sharing.
        slices = self.args.steps_per_generation
        if self._step % (slices * self.num_iterations) == 0 or self._buffered_inputs is None:
            batch = self._generate_and_score_completions(generation_batch)
            if self.filter_groups:
                self._buffered_inputs = self._keep_spread(batch, slices)
            else:
                self._buffered_inputs = split_tensor_dict(batch, slices)
        return self._buffered_inputs[self._step % slices]

    def _keep_spread(self, batch: dict, slices: int) -> list[dict]:
        """Micro-batches of the groups with spread; the last one may be smaller, those after it have no rows."""
        kept = find_spread(batch["advantages"], self.num_generations)
        rows = {name: v[kept] if v.dim() else v for name, v in batch.items()}
        if self.beta and self.ref_model is not None:
            rows["ref_per_token_logps"] = self._score_by_reference(rows)
        size = self.args.per_device_train_batch_size
        cuts = [slice(first, first + size) for first in range(0, slices * size, size)]
        return [{name: v[cut] if v.dim() else v for name, v in rows.items()} for cut in cuts]

    @torch.no_grad()
    def _score_by_reference(self, rows: dict) -> torch.Tensor:
        """Log-probabilities (rows, tokens) of the completions under the reference model."""
        parts = [
            [rows[f"{part}_{kind}"] for part in ("prompt", "completion")]
            for kind in ("ids", "mask")
        ]
        ids, mask = (torch.cat(part, dim=1) for part in parts)
        size = self.args.per_device_train_batch_size
        wanted = rows["completion_ids"].shape[1]
        return self._get_per_token_logps_and_entropies(self.ref_model, ids, mask, wanted, size)[0]

    # Overridden for micro-batches that are not full: TRL takes a mean over each one's rows, so that a row would weigh
    # more in a smaller one.
    def _compute_loss(self, model, inputs):
        rows, full = len(inputs["advantages"]), self.args.per_device_train_batch_size
        if not (self.filter_groups and self.model.training) or rows == full:
            return super()._compute_loss(model, inputs)
        if not rows:
            return torch.zeros((), device=self.accelerator.device, requires_grad=True)
        return super()._compute_loss(model, inputs) * (rows / full)

    # Overridden to log how many tokens were sampled, by which single decisions and episodes are compared, and to let
    # the reference wait until it is known which groups have spread.
    def _generate_and_score_completions(self, inputs):
        beta = self.beta
        filtered = self.filter_groups and self._is_aligned and self.model.training
        if filtered and self.ref_model is not None:
            self.beta = 0.0
        try:
            output = super()._generate_and_score_completions(inputs)
        finally:
            self.beta = beta
        mode = "train" if self.model.training else "eval"
        self._metrics[mode]["generated_tokens"].append(self._drawn)
        self._drawn = 0
        return output

    # Overridden to sample from the policy with shared prompts; TRL repeats every prompt for each completion.
    def _generate_single_turn(
        self, prompt_ids, images, multimodal_fields, num_generations, **options
    ):
        on_cpu = self.accelerator.device.type == "cpu" and self.accelerator.num_processes == 1
        if on_cpu and not self.use_vllm:
            replies, log_probs = self._sample(prompt_ids, num_generations), None
        else:
            replies, log_probs = super()._generate_single_turn(
                prompt_ids, images, multimodal_fields, num_generations, **options
            )
        self._drawn += sum(map(len, replies))
        return replies, log_probs

    def _sample(self, prompt_ids: list[list[int]], group: int) -> list[list[int]]:
        """Replies up to and with their end tokens; TRL has repeated each prompt ``group`` times in a row."""
        model, asked = self.accelerator.unwrap_model(self.model), self.generation_config
        generator = Generator(model, self._tokenizer.pad_token_id, choose_dtype())
        training = model.training
        model.eval()
        temperature = asked.temperature if asked.do_sample else 0.0
        limit = asked.max_new_tokens
        # Passes of training and keys and values of replies would otherwise be resident at once.
        SURPLUS.give_all_back()
        replies = generator.write(prompt_ids[::group], limit, temperature, group)
        SURPLUS.give_all_back()
        model.train(training)
        return replies


def find_spread(advantages: torch.Tensor, group: int) -> torch.Tensor:
    """Which rows (rows,) lie in groups whose replies earn differently; all of them where no group's do."""
    spread = advantages.view(-1, group).abs().amax(1) > SPREAD
    return (spread | ~spread.any()).repeat_interleave(group)


class Step(NamedTuple):
    """One decision of an episode. reply: token ids; earned: the episode's reward; advantage: within its group."""

    prompt: str
    reply: list[int]
    earned: float
    advantage: float


class MultiTurnTrainer(SharedPromptTrainer):
    """GRPO on whole episodes: the sparse reward that the paper's single-turn training does without.

    A group is ``group_size`` sampled episodes in one world, an episode earns 1 when it succeeds before the timeout and
    0 otherwise, and each of its decisions gets the episode's advantage, (reward - group mean) / group std. The loss is
    that of the single-turn training, on the same number of decisions a step, which is all that the dataset says:
    episodes are played until there are enough, and decisions beyond that number are dropped at random.

    starts: worlds to play in; timeout: in steps; rename: the environment that names objects anew in every group, None
    to keep their names.
    """

    def __init__(
        self, *args, starts: Sequence[Start], timeout: int, prompt: PromptFormat, rename, **kwargs
    ):
        super().__init__(*args, **kwargs)
        self.starts, self.timeout, self.prompt_format, self.names = starts, timeout, prompt, rename
        self._replies: list[list[int]] = []

    def _generate_and_score_completions(self, inputs):
        steps = self.collect(len(inputs))
        self._replies = [step.reply for step in steps]
        output = super()._generate_and_score_completions(
            [{"prompt": self.prompt_format.ask(s.prompt), "earned": s.earned} for s in steps]
        )
        # TRL took neighbouring rows for groups.
        found = output["advantages"]
        output["advantages"] = torch.tensor([s.advantage for s in steps]).to(found)
        return output

    def _generate_single_turn(self, prompt_ids, *args, **options):
        if not self._replies:
            return super()._generate_single_turn(prompt_ids, *args, **options)
        replies, self._replies = self._replies, []
        return replies, None

    def collect(self, number: int) -> list[Step]:
        """So many decisions of new episodes, those with equal prompts side by side."""
        # Drawn from the step's own seed, so that an interrupted training plays in the same worlds.
        rng = random.Random(f"episodes {self.args.seed} {self.state.global_step}")
        waiting: list[Start] = []
        steps: list[Step] = []
        while len(steps) < number:
            waiting = waiting or rng.sample(self.starts, len(self.starts))
            length = self.num_generations * (waiting[-1].optimal_steps or self.timeout)
            groups = min(-(-(number - len(steps)) // length), len(waiting))
            steps += self.play([waiting.pop() for _ in range(groups)], rng)
        return sorted(rng.sample(steps, number), key=lambda step: step.prompt)

    def play(self, starts: Sequence[Start], rng: random.Random) -> list[Step]:
        """Every decision of one group of episodes in each world."""
        groups = []
        for start in starts:
            runs = [Run(start) for _ in range(self.num_generations)]
            text = self.prompt_format.describe(runs[0].next_turn())
            names = self.names.draw_renaming(text, rng) if self.names else {}
            groups.append([(run, names, []) for run in runs])  # with its prompts and replies
        episodes = [episode for group in groups for episode in group]
        while running := [
            (run, names, turns)
            for run, names, turns in episodes
            if not run.success and len(run.actions) < self.timeout
        ]:
            told = [
                (self.prompt_format.describe(run.next_turn()), names) for run, names, _ in running
            ]
            texts = [self._rename(text, names) for text, names in told]
            ids = self.prompt_format.tokenize(texts, self._tokenizer)
            replies, _ = super()._generate_single_turn(ids, None, {}, 1)
            written = self._tokenizer.batch_decode(replies, skip_special_tokens=True)
            for (run, names, turns), words, *turn in zip(
                running, written, texts, replies, strict=True
            ):
                turns.append(turn)
                run.advance(self._rename(words, {new: old for old, new in names.items()}))
        steps = []
        for group in groups:
            rewards = torch.tensor([float(run.success) for run, *_ in group])
            advantages = (rewards - rewards.mean()) / (rewards.std() + EPSILON)
            earned = zip(group, rewards.tolist(), advantages.tolist(), strict=True)
            for (*_, turns), reward, advantage in earned:
                steps += [Step(*turn, reward, advantage) for turn in turns]
        return steps

    def _rename(self, text: str, renaming: dict[str, str]) -> str:
        return self.names.rename(text, renaming) if self.names else text


def episode_reward(completions, earned: list[float], **columns) -> list[float]:
    """What the decisions' episodes have earned."""
    return earned
