"""A process that has imported everything and forks for each command: real processes, without two seconds of imports each.

It reads one JSON line per command, {"args", "env", "out", "err", "stdin"}, and answers with its exit code.
"""

import contextlib
import gc
import importlib
import json
import os
import pkgutil
import subprocess
import sys
import threading
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
LEFT_OUT = ("bench", "tests", "sandbox", "migrations", "docs")


def serve() -> None:
    sys.path.insert(0, str(ROOT))
    from sqlalchemy.orm import configure_mappers

    import app  # noqa: F401

    for room in [one for one in pkgutil.iter_modules([str(ROOT)]) if one.ispkg and one.name not in LEFT_OUT]:
        for module in pkgutil.walk_packages([str(ROOT / room.name)], f"{room.name}."):
            if not module.name.endswith("__main__"):
                with contextlib.suppress(ImportError):
                    importlib.import_module(module.name)
    for plugin in entry_points(group="flask.commands"):  # `flask` looks for them before it runs any command
        plugin.load()
    configure_mappers()
    gc.freeze()  # no child looks through what it never changes, and no page of it is copied
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if not child:
            obey(order)
        _pid, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def obey(order: dict[str, Any]) -> None:
    """In the child: become `flask …`."""
    from flask.cli import main

    for number, path, flags in ((0, order["stdin"], os.O_RDONLY), (1, order["out"], os.O_WRONLY), (2, order["err"], os.O_WRONLY)):
        os.dup2(os.open(path, flags), number)
    os.environ.clear()
    os.environ.update(order["env"])
    sys.argv = ["flask", "--app", "app", *order["args"]]
    code: Any = 1
    try:
        main()
        code = 0
    except SystemExit as end:
        code = end.code
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code if isinstance(code, int) else 0 if code is None else 1)


class Zygote:
    """The test's side of it."""

    def __init__(self, folder: Path):
        self.folder, self.lock = folder, threading.Lock()
        self.process = subprocess.Popen([sys.executable, str(Path(__file__))], cwd=ROOT, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdout and self.process.stdout.readline() == "ready\n"

    def run(self, args: tuple[str, ...], env: dict[str, str], given: str | None) -> subprocess.CompletedProcess[str]:
        with self.lock:
            stdin, out, err = (self.folder / f"zygote-{name}" for name in ("in", "out", "err"))
            stdin.write_text(given or "")
            out.write_text("")
            err.write_text("")
            assert self.process.stdin and self.process.stdout
            self.process.stdin.write(json.dumps({"args": args, "env": env, "stdin": str(stdin), "out": str(out),
                                                 "err": str(err)}) + "\n")
            self.process.stdin.flush()
            code = int(self.process.stdout.readline())
            return subprocess.CompletedProcess(list(args), code, out.read_text(), err.read_text())

    def stop(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(10)


if __name__ == "__main__":
    serve()
