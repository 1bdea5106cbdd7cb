"""A stand-in for Huawei's moxing over a folder of the local disk, which fails when it is told to.

Put `tests/doubles` on `sys.path` or PYTHONPATH, and it is what `import moxing` finds. It has
the documented calls of `moxing.file`, with the habits that are documented or were seen:
folders that `remove` leaves alone silently, errors that are no OSError, a copy to a bucket's
root that is refused, existing files overwritten and others left.

MOXING_DOUBLE_ROOT      the folder whose subfolders are the buckets
MOXING_DOUBLE_FAULTS    what goes wrong, as JSON; a file `.faults.json` in the root, looked at
                        by every call, comes first. A fault's number says for how many copied
                        objects (or calls) it holds, over all processes; -1 means for ever:

    fail           a copy raises MoxFileRespException
    fail_list, fail_stat, fail_remove    so do those calls
    text           what that exception says (not a number)
    leave_out      copy_parallel leaves out every second file and says nothing
    truncate       a copied object has half its bytes
    swallow        a copy returns, and nothing was copied
    lose_remove    remove returns, and nothing was removed
    hang           a copy never returns; hang_list, hang_stat: nor do those calls
    child          with a hang: a process of moxing's own hangs too; its number lies in `.child`
    slow_s         seconds that every 64 kB take (not a count)
    chatter        lines are printed to the standard output, and to the descriptor below it
    silent         a missing source raises nothing
    import_s       seconds that the import takes (not a count)

Every call leaves a line [name, source, target] in `.calls` in the root.
"""

import json
import os
import time

from moxing import file
from moxing.faults import setting

__version__ = "2.0.1.double"
__all__ = ["file"]

time.sleep(setting("import_s", 0))
if not os.environ.get("MOX_SILENT_MODE"):
    print(json.dumps({"INFO": f"Using MoXing-v{__version__}"}))  # noqa: T201 - as the real one does
