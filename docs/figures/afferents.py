"""Figure of docs/afferents.md: `python docs/figures/afferents.py` (a second)."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from animat.body import load_body
from animat.body.afferents import Afferents
from animat.body.muscle import RigidTendonMuscles

FIGURE = Path(__file__).parents[1] / "images" / "afferents.png"
#: In fibre lengths, and per second: a stretch of Wilkinson et al. 2012, doi:10.1371/journal.pone.0039140.
STRETCH, SPEEDS = 0.075, {0.2: "#66ccee", 0.6: "#4477aa"}
#: s.
BEGIN, HOLD, END, STEP = 0.2, 1.0, 2.2, 0.001


def main() -> None:
    muscle = next(one for one in load_body({"library": "mouse-forelimb"}).muscles if one.name == "Radius1")
    passive = RigidTendonMuscles([muscle])
    fibre = muscle.optimal_fibre_length
    rest = fibre + muscle.tendon_slack_length
    afferents = Afferents(fibre, muscle.max_isometric_force, rest)
    times = np.arange(0.0, END, STEP)
    figure, axes = plt.subplots(4, 1, figsize=(7, 7.5), sharex=True, layout="constrained", height_ratios=[2, 3, 3, 3])
    for speed, colour in SPEEDS.items():
        ramp = STRETCH / speed
        corners = [0.0, BEGIN, BEGIN + ramp, BEGIN + ramp + HOLD, BEGIN + 2 * ramp + HOLD, END]
        stretch = np.interp(times, corners, [0.0, 0.0, STRETCH, STRETCH, 0.0, 0.0])
        moving = np.interp(times + STEP, corners, [0.0, 0.0, STRETCH, STRETCH, 0.0, 0.0]) - stretch
        length, velocity = rest + stretch * fibre, moving / STEP * fibre
        force = np.array([passive.force(passive.lowest, *one) for one in zip(length, velocity, strict=True)])
        rates = afferents.rates(length[:, None], velocity[:, None], force)
        label = f"{100 * speed:g} % of the fibre length per second"
        for axis, values in zip(axes, (100 * stretch[:, None], *rates), strict=True):
            axis.plot(times, values[:, 0], color=colour, label=label)
    titles = ("stretch (%)", "Ia: spindle, primary (Hz)", "II: spindle, secondary (Hz)", "Ib: tendon organ (Hz)")
    for axis, title in zip(axes, titles, strict=True):
        axis.set_title(title, fontsize="medium", loc="left")
        axis.set_ylim(0, None)
        axis.spines[["top", "right"]].set_visible(False)
    figure.legend(
        *axes[0].get_legend_handles_labels(), loc="outside upper right", ncols=2, fontsize="small", frameon=False
    )
    axes[-1].set(xlabel="time (s)", xlim=(0, END))
    figure.savefig(FIGURE, dpi=130)
    plt.close(figure)
    print(f"wrote {FIGURE.name}")


if __name__ == "__main__":
    main()
