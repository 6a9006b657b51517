"""What building NEST needs from the system, looked for before minutes are spent."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from animat.errors import AnimatError

__all__ = ["check_requirements"]


@dataclass(frozen=True)
class _Package:
    """Something to install, by its name in several places."""

    what: str
    debian: str
    fedora: str
    brew: str
    module: str


_COMPILER = _Package("a C++ compiler", "g++", "gcc-c++", "gcc", "GCC")
_PYTHON = _Package("Python's headers (Python.h)", "python3-dev", "python3-devel", "python", "Python")
_GSL = _Package(
    "the GNU Scientific Library's headers (gsl/gsl_version.h), without which conductance-based neurons do not exist",
    "libgsl-dev",
    "gsl-devel",
    "gsl",
    "GSL",
)
_LTDL = _Package("libltdl's headers (ltdl.h)", "libltdl-dev", "libtool-ltdl-devel", "libtool", "libtool")


def check_requirements(environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Return what will be lacking, one sentence each.

    Parameters
    ----------
    environment
        Variables to look with: ``PATH``, ``CXX``, and the include paths that a compiler heeds.

    Raises
    ------
    AnimatError
        If NEST cannot be built here; names what is missing and the packages that bring it.
    """
    compiler = _compiler(environment)
    if compiler is None:
        missing = [_COMPILER]
    else:
        missing = [] if _has_header(compiler, "gsl/gsl_version.h", environment, _gsl_flags(environment)) else [_GSL]
    if not (Path(sysconfig.get_path("include")) / "Python.h").is_file():
        missing.append(_PYTHON)
    if missing:
        raise AnimatError(f"NEST cannot be built here yet; missing: {_listing(missing)}")
    assert compiler is not None
    if _has_header(compiler, "ltdl.h", environment):
        return ()
    return (
        f"It cannot load models compiled by a user (nest.Install): at build time this was missing: {_listing([_LTDL])}",
    )


def _compiler(environment: Mapping[str, str]) -> list[str] | None:
    named = shlex.split(environment.get("CXX", ""))
    for candidate in (named, ["c++"], ["g++"], ["clang++"]):
        if candidate and shutil.which(candidate[0], path=environment.get("PATH", os.defpath)):
            return candidate
    return None


def _has_header(
    compiler: list[str], header: str, environment: Mapping[str, str], flags: list[str] | None = None
) -> bool:
    source = f"#include <{header}>\n"
    # An own installation may lie anywhere: Homebrew's and a module's are found by their variables.
    more = [
        f"-I{environment[name]}/include"
        for name in ("GSL_ROOT_DIR", "HOMEBREW_PREFIX", "CONDA_PREFIX")
        if environment.get(name)
    ]
    command = [*compiler, *(flags or ()), *more, "-x", "c++", "-E", "-o", os.devnull, "-"]
    try:
        done = subprocess.run(command, input=source.encode(), capture_output=True, env=dict(environment), check=False)
    except OSError:
        return False
    return done.returncode == 0


def _gsl_flags(environment: Mapping[str, str]) -> list[str]:
    path = shutil.which("gsl-config", path=environment.get("PATH", os.defpath))
    if path is None:
        return []
    done = subprocess.run([path, "--cflags"], capture_output=True, text=True, env=dict(environment), check=False)
    return shlex.split(done.stdout) if done.returncode == 0 else []


def _listing(packages: list[_Package]) -> str:
    """Say what is missing and how each system's users get it, this system first."""
    ways = {
        "Debian, Ubuntu": "sudo apt-get install " + " ".join(package.debian for package in packages),
        "Fedora, RHEL": "sudo dnf install " + " ".join(package.fedora for package in packages),
        "macOS": "brew install " + " ".join(package.brew for package in packages),
        "a cluster": "module load " + " ".join(package.module for package in packages),
    }
    if sys.platform == "darwin":
        ways = {"macOS": ways["macOS"]}
    else:
        del ways["macOS"]
        family = _linux_family()
        ways = dict(sorted(ways.items(), key=lambda way: family not in way[0].lower()))
    what = "; ".join(package.what for package in packages)
    return what + "".join(f"\n  {system}: {command}" for system, command in ways.items())


def _linux_family() -> str:
    try:
        known = platform.freedesktop_os_release()
    except OSError:
        return "cluster"
    words = f"{known.get('ID', '')} {known.get('ID_LIKE', '')}".split()
    return "fedora" if {"fedora", "rhel", "centos"} & set(words) else "debian"
