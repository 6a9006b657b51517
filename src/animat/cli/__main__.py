"""``python -m animat.cli`` is the command `animat`."""

from animat.cli import main

main()
