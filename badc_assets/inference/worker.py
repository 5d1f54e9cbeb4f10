"""A worker process: one detector on one device, loaded once, and tasks until it is told to stop.

It is started by `worker_pool.py` with one end of a socket. When the engine dies, however it does, the socket closes and the
worker ends itself together with every process that its detector started.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import signal
import sys
import threading
import warnings
from multiprocessing.connection import Connection
from typing import NoReturn

from badc_assets.detectors.protocol import Closable, FileDetector, Loadable, StreamDetector, WindowDetector
from badc_assets.errors import BadcError, printable
from badc_assets.inference.pipeline import WindowPipeline
from badc_assets.inference.progress import Reporter
from badc_assets.inference.scratch import remove_leftovers
from badc_assets.inference.whole import WholeRunner
from badc_assets.inference.work import Fatal, Message, Ready, Setup, Stop, Task

GPU_READERS = 4


def main(descriptor: int) -> None:
    """Serve the engine at the other end of this socket."""
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")
    # Torch says so of a package that we need; nobody who runs a detector can do anything about it.
    warnings.filterwarnings("ignore", message="The pynvml package is deprecated")
    # What libraries print must not end up in the output of the command that started the engine.
    os.dup2(2, 1)
    connection = Connection(descriptor)
    # Ctrl-C in a terminal is the engine's to handle; it tells us by closing the socket.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(EOFError, OSError):
        serve(connection)
    _leave()


def serve(connection: Connection) -> None:
    """Load, then work. What cannot be survived is sent as `Fatal`."""
    setup: Setup = connection.recv()
    lock = threading.Lock()

    def send(message: Message) -> None:
        with lock:
            try:
                connection.send(message)
            except OSError:
                _leave()

    tasks: queue.Queue[Task | None] = queue.Queue()
    readers = setup.settings.decode_threads or (GPU_READERS if setup.device.kind == "cuda" else 1)
    threading.Thread(target=_receive, args=(connection, tasks, readers), daemon=True).start()
    name = setup.detector.info.name
    try:
        loaded = setup.detector.load(setup.device) if isinstance(setup.detector, Loadable) else {}
        send(Ready(loaded))
        _work(setup, Reporter(setup, loaded, send), tasks, readers)
    except BadcError as error:
        send(Fatal(error.subject, error.problem, error.remedy))
    except Exception as error:
        logging.getLogger(__name__).exception("detector %s", name)
        problem = f"cannot be used: {type(error).__name__}: {error}"
        send(Fatal(f"detector {name}", printable(problem), "the log has its traceback"))
    finally:
        if isinstance(setup.detector, Closable):
            setup.detector.close()


def _work(setup: Setup, reporter: Reporter, tasks: queue.Queue[Task | None], readers: int) -> None:
    detector = setup.detector
    if isinstance(detector, WindowDetector):
        WindowPipeline(detector, setup.settings, tasks, reporter, readers).run()
        return
    if not isinstance(detector, StreamDetector | FileDetector):
        raise BadcError(
            detector.info.name, "is neither a window, a stream nor a file detector", "see detectors/protocol.py"
        )
    remove_leftovers()
    runner = WholeRunner(detector, setup.settings, reporter)
    while (task := tasks.get()) is not None:
        runner.run(task)


def _receive(connection: Connection, tasks: queue.Queue[Task | None], readers: int) -> None:
    """Pass tasks on; when the engine is gone, end everything at once."""
    while True:
        try:
            message = connection.recv()
        except (EOFError, OSError):
            _leave()
        if isinstance(message, Stop):
            for _ in range(readers):
                tasks.put(None)
        else:
            tasks.put(message)


def _leave() -> NoReturn:
    """End this process and all that it started: they are one process group."""
    sys.stderr.flush()
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(0)
