"""The one exception that is meant for a person: it carries a sentence, never a traceback."""

LONGEST_QUOTE = 120


def clip(text: str) -> str:
    """What a message quotes of its input, cut where that would drown the message."""
    return text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]}…"


def quote(value: object) -> str:
    """A value as a message shows it."""
    return clip(repr(value))


class UserError(Exception):
    """Something a user can fix; the message is one sentence naming the file, the key and the fix."""
