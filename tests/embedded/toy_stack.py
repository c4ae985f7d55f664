"""A stack with two small roles as a program: `python -m tests.embedded.toy_stack DIR`; tests end it."""

import sys
from contextlib import suppress
from pathlib import Path

from streams.embedded.stack import DirectoryInUse, Stack, StackError

ROLE = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (print("said goodbye", flush=True), sys.exit(0)))
print("working", flush=True)
time.sleep(600)
"""


def main() -> int:
    """Runs until a signal."""
    try:
        with Stack(Path(sys.argv[1])) as stack:
            for name in ("track", "track-2"):
                stack.start(name, [sys.executable, "-c", ROLE])
            with suppress(KeyboardInterrupt):  # the signal may come before wait()
                print("ready", flush=True)
                stack.wait()
    except (DirectoryInUse, StackError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
