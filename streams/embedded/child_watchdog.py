"""Runs a program that dies with its parent process: `python child_watchdog.py PARENT PROGRAM ARGUMENT…`.

It asks the kernel for SIGKILL when the parent ends, for any reason, and then becomes the program (same process id). It
is a separate program because in a process with threads, only exec is safe after a fork. Linux only: on other systems,
the program outlives a parent killed with -9. Standard library only: it runs without site-packages.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> None:
    """Becomes the program; exit status 127 with a sentence if that is not possible."""
    parent, program = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # the parent ended before the call above
        sys.exit(1)
    try:
        os.execvp(program[0], program)
    except OSError as error:
        sys.exit(f"{program[0]} cannot be started: {error.strerror}.")


if __name__ == "__main__":
    main()
