"""The one exception that is meant for a person: it carries a sentence, never a traceback."""


class UserError(Exception):
    """Something a user can fix; the message is one sentence naming the file, the key and the fix."""
