"""The environment's exact solver as a policy: the laptop's expert."""

from taskreason.environments.base import Environment, Teacher, World
from taskreason.environments.reply import format_reply
from taskreason.policies import Turn


class TeacherPolicy:
    """Answers with the expert's action and the thought behind it, or the last possible action where no plan exists."""

    name = "planner"

    def __init__(self, environment: Environment):
        self.environment = environment
        self._teachers: dict[World, Teacher] = {}

    def act(self, turns: list[Turn]) -> list[str]:
        """One reply a turn."""
        return [self._reply(turn) for turn in turns]

    def _reply(self, turn: Turn) -> str:
        teacher = self._teachers.get(turn.world)
        if teacher is None:
            teacher = self._teachers[turn.world] = self.environment.teacher(turn.world)
        try:
            return teacher.reply(turn.state)
        except ValueError:
            return format_reply("the goal can't be reached", turn.world.actions(turn.state)[-1])
