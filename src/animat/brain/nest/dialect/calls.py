"""Which of NEST's functions can be called from outside, and what their arguments mean."""

from __future__ import annotations

__all__ = ["CALLS", "CONNECTIONS_TOO", "FILE_WORDS", "LOCAL", "NEEDS_SCRIPTS", "NODES", "RECORD_TO"]

#: Functions that neither load code nor reach files, as long as their arguments do not (`FILE_WORDS`).
CALLS = frozenset(
    {
        "Cleanup",
        "Connect",
        "ConnectionRules",
        "CopyModel",
        "Create",
        "DisableStructuralPlasticity",
        "Disconnect",
        "Displacement",
        "Distance",
        "EnableStructuralPlasticity",
        "FindCenterElement",
        "FindNearestElement",
        "GetConnections",
        "GetDefaults",
        "GetKernelStatus",
        "GetLocalNodeCollection",
        "GetLocalVPs",
        "GetNodes",
        "GetPosition",
        "GetSourceNodes",
        "GetSourcePositions",
        "GetStatus",
        "GetTargetNodes",
        "GetTargetPositions",
        "Models",
        "NumProcesses",
        "Prepare",
        "PrintNodes",
        "Rank",
        "ResetKernel",
        "Run",
        "SetDefaults",
        "SetKernelStatus",
        "SetStatus",
        "Simulate",
        "SyncProcesses",
        "get_verbosity",
        "set_verbosity",
    }
)

#: Why others are refused unless scripts are allowed.
NEEDS_SCRIPTS = {
    "DumpLayerConnections": "it writes a file",
    "DumpLayerNodes": "it writes a file",
    "Install": "it loads a library, which is running code",
    "SonataNetwork": "it reads files",
}

#: Names of parameters that are nodes, given as one id or a list of ids.
NODES = frozenset(
    {
        "from_arg",
        "layer",
        "nc",
        "nodes",
        "post",
        "pre",
        "source",
        "sources",
        "src_layer",
        "target",
        "targets",
        "tgt_layer",
        "third",
        "to_arg",
    }
)

#: Names under which the first argument of GetStatus and SetStatus is known: nodes or connections.
CONNECTIONS_TOO = ("nodes_or_conns", "nodes", "conns", "connections", "collections")

#: Parameters through which NEST opens files, and those of `record_to` that it keeps in memory.
FILE_WORDS = frozenset({"data_path", "data_prefix", "stimulus_source"})
RECORD_TO = frozenset({"memory"})

#: Calls that exchange nothing between processes, and after which each can go on even if only one of them failed.
LOCAL = frozenset({"Connect", "Create", "Disconnect", "GetConnections", "GetPosition", "GetStatus", "SetStatus"})
