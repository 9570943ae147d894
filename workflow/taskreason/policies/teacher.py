"""The exact planner as a policy: the laptop's expert."""

from taskreason.environments.robotouille.simulator.engine import Kitchen, State
from taskreason.environments.robotouille.teacher import Expert, format_reply
from taskreason.policies import Turn


class PlannerPolicy:
    """Answers with the canonical optimal action and the thought behind it; "Do nothing" where no plan exists."""

    name = "planner"

    def __init__(self):
        self._experts: dict[Kitchen, Expert] = {}
        self._replies: dict[tuple[Kitchen, State], str] = {}

    def act(self, turns: list[Turn]) -> list[str]:
        """One reply a turn."""
        return [self._reply(turn) for turn in turns]

    def _reply(self, turn: Turn) -> str:
        key = (turn.kitchen, turn.state)
        if key not in self._replies:
            expert = self._experts.setdefault(turn.kitchen, Expert(turn.kitchen))
            try:
                plan = expert.plan(turn.state)
            except ValueError:
                return format_reply("the goal can't be reached", "Do nothing")
            for step, (state, _) in enumerate(plan):
                self._replies[turn.kitchen, state] = expert.reply_at(plan, step)
        return self._replies[key]
