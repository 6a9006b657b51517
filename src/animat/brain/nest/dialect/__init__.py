"""NEST's own calls and scripts, answered by a worker of any number of processes as if there were one."""
