"""How a command ends: at once, when all it wrote is written."""

from __future__ import annotations

import atexit
import logging
import os
import sys
from typing import NoReturn


def leave(status: int) -> NoReturn:
    """End the process.

    Taking Great Expectations and DuckDB's bindings down object by object takes a second, prints
    notices nobody can act on, and changes nothing: files and connections are closed by then.
    """
    atexit._run_exitfuncs()
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:  # the reader of our output went away; what it read was right
            continue
    os._exit(status)
