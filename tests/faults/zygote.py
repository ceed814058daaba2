"""母体 One process that has imported everything and forks the sweeps' processes: `python -m tests.faults.zygote`.

One JSON line in, one out: `{"start": {…}}` forks a role and answers with its pid once it is ready; `{"poll": pid}`
answers how it ended, or null; `{"wait": pid}` waits for that. It has one thread and no files open, so that a fork is a
clean beginning; whoever it made dies with it.
"""

import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

from tests.faults import roles


def main() -> None:
    """Until its input ends."""
    for line in sys.stdin:
        asked = json.loads(line)
        if "start" in asked:
            answer: Any = _start(asked["start"])
        else:
            pid = asked.get("poll") or asked["wait"]
            found, status = os.waitpid(pid, os.WNOHANG if "poll" in asked else 0)
            answer = os.waitstatus_to_exitcode(status) if found else None
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _start(given: dict[str, Any]) -> dict[str, Any]:
    """The pid and what the process said first; an empty word when it ended before."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        _become(given, writer)
    os.close(writer)
    with os.fdopen(reader) as said:
        return {"pid": pid, "said": said.readline().strip()}


def _become(given: dict[str, Any], writer: int) -> None:
    """Never returns."""
    code = 1
    try:
        with roles.dying_with_parent():
            os.dup2(os.open(os.devnull, os.O_RDWR), 0)
            os.dup2(0, 1)

            def say(words: dict[str, Any]) -> None:
                os.write(writer, (json.dumps(words) + "\n").encode())
                os.close(writer)

            roles.play(given, say)
            code = 0
    except SystemExit as end:
        code = int(end.code or 0) if isinstance(end.code, int | None) else 1
    except BaseException:
        with (Path(given["folder"]) / f"{given['name']}.log").open("a") as log:
            traceback.print_exc(file=log)
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
