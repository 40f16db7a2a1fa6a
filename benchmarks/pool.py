"""The workers as the runner sees them: started when first asked, all with the same environment.

A worker stands still unless it is asked: idle threads of OpenMP wait in a loop, Intel's for 0.2 s,
and take a core away from who is measured next.
"""

import contextlib
import json
import os
import signal
import subprocess
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any

from contenders import Contender, environment


class WorkerFailed(RuntimeError):
    """A worker's process ended; the message has what it wrote last."""


@dataclass(frozen=True)
class _Worker:
    process: subprocess.Popen[str]
    stderr: IO[str]  # a file, shown when the worker fails: some libraries are talkative


class Pool:
    def __init__(self, threads: int) -> None:
        self.environment = environment(threads)
        self._workers: dict[str, _Worker] = {}

    def start(self, contenders: list[Contender]) -> None:
        """Start the workers that are not there, all at once: most of their imports take seconds."""
        for contender in contenders:
            if contender.name not in self._workers:
                self._workers[contender.name] = self._start(contender)

    def ask(self, contender: Contender, do: str, **arguments: Any) -> Any:
        """Send a request to the contender's worker and return its answer."""
        self.start([contender])
        worker = self._workers[contender.name]
        assert worker.process.stdin is not None
        assert worker.process.stdout is not None
        worker.process.send_signal(signal.SIGCONT)
        with contextlib.suppress(BrokenPipeError):  # the empty answer says it
            print(json.dumps({"do": do, **arguments}), file=worker.process.stdin, flush=True)
        answer = worker.process.stdout.readline()
        if not answer:
            worker.stderr.seek(0)
            raise WorkerFailed(f"{contender.name} failed:\n{worker.stderr.read()}")
        worker.process.send_signal(signal.SIGSTOP)
        return json.loads(answer)

    def process_id(self, contender: Contender) -> int:
        return self._workers[contender.name].process.pid

    def stop(self, name: str) -> None:
        """End a contender's worker, if there is one; the next request starts a fresh one."""
        worker = self._workers.pop(name, None)
        if worker is not None:
            worker.process.kill()
            worker.process.communicate()
            worker.stderr.close()

    def close(self) -> None:
        for name in list(self._workers):
            self.stop(name)

    def _start(self, contender: Contender) -> _Worker:
        # Infinity is no JSON that everybody reads, and a worker takes any case that it is given.
        description = asdict(replace(contender, most_pairs=0, most_labels=0))
        stderr = tempfile.TemporaryFile("w+")  # noqa: SIM115 (stop closes it)
        process = subprocess.Popen(
            [contender.python, str(Path(__file__).with_name("worker.py")), json.dumps(description)],
            env=os.environ | self.environment | contender.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
        return _Worker(process, stderr)
