"""A supervised worker process: the parent listens on a private socket, the worker dials out and serves calls.

`Worker` is the parent's side, `animat.link.serve` the worker's, `animat.link.bootstrap` the script that starts it
under any interpreter that has numpy, pyzmq and msgspec.
"""

from animat.link.errors import WorkerDied, WorkerError, WorkerHung
from animat.link.worker import Worker

__all__ = ["Worker", "WorkerDied", "WorkerError", "WorkerHung"]
