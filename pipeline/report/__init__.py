"""report.html: what a run or a sweep came to, on one page that needs nothing beside it.

Everything on the page is read from the run folder, so that the same folder always makes the same
page. Nothing here knows MindSpore.
"""

from __future__ import annotations
