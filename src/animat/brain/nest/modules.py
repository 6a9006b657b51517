"""Extension modules of NEST, such as NESTML compiles them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from animat.brain.nest.kernel import reason
from animat.errors import AnimatError

__all__ = ["install_modules"]


def install_modules(nest: Any, names: Sequence[str]) -> None:
    """Load modules by name unless they are loaded; NEST looks along the system's library path.

    Raises
    ------
    AnimatError
        If a module is not found or was compiled for another NEST.
    """
    for name in names:
        if name in nest.kernel_status["modules"]:
            continue
        try:
            nest.Install(name)
        except nest.NESTError as error:
            raise AnimatError(
                f"module {name!r} cannot be loaded into NEST {nest.__version__}: {reason(error)}\n"
                "It must be compiled for this very version, and its folder must be on the library path before animat "
                "starts: LD_LIBRARY_PATH on Linux, DYLD_LIBRARY_PATH on macOS"
            ) from None
