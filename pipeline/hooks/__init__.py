"""Who is told of a run's start and end, in a process each that can do the job no harm.

`Caller` calls a job's hooks, `News` is what each of them gets; webhook.py holds senders for chats.
"""

from pipeline.hooks.caller import Caller
from pipeline.hooks.news import News

__all__ = ["Caller", "News"]
