"""The report of a run: one self-contained page with figures, a moving picture of the body, and what was run."""

from __future__ import annotations

import html
import json
import math
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from animat.run.files import write_text
from animat.run.format import REPORT
from animat.run.profile import profile_summary
from animat.run.reader import Run, open_run
from animat.run.report_data import PROFILE_TEXT, report_data
from animat.run.scene import write_scene

__all__ = ["template", "write_report", "write_scene"]


def write_report(folder: str | Path) -> Path:
    """Write `report.html` of a run, finished or not, and return it. The page loads nothing from anywhere.

    Raises
    ------
    AnimatError
        If the folder holds no run or the page cannot be written.
    """
    run = open_run(folder)
    data = report_data(run)
    manifest, summary = run.manifest, run.summary
    state = str(summary.get("state") or _last_state(run))
    scripts = "\n".join(template(name) for name in ("scene.js", "plots.js", "report.js"))
    page = _fill(
        template("report.html"),
        title=html.escape(str(manifest.get("name") or run.folder.name)),
        state=html.escape(state),
        lead=html.escape(" ".join(str(manifest.get("description") or "").split())),
        notices=_failure(run) + _warnings(run),
        facts="".join(_fact(label, value, unit) for label, value, unit in _facts(run, data)),
        sections="\n".join(_sections(run, data)),
        css=template("page.css"),
        data=json.dumps(_finite(data), separators=(",", ":")).replace("<", "\\u003c"),
        scripts=scripts,
    )
    write_text(run.folder / REPORT, page)
    return run.folder / REPORT


def template(name: str) -> str:
    """Return the text of a page, style or script that belongs to the reports."""
    return files("animat.run").joinpath("templates", name).read_text(encoding="utf-8")


def _fill(text: str, **parts: str) -> str:
    """Put `parts` in the places marked {{name}} in one pass, so that what is put in is never looked at again."""
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], text)


def _finite(value: Any) -> Any:
    """Return JSON values without NaN and infinity, which JavaScript cannot read."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _last_state(run: Run) -> str:
    states = [str(event.get("state")) for event in run.events if event.get("kind") == "state"]
    ended = states and states[-1] in ("completed", "stopped", "failed")
    return states[-1] if ended else "unfinished"


def _failure(run: Run) -> str:
    error = str(run.summary.get("error") or "")
    if not error:
        return ""
    return f'<section class="failure"><b>The run failed</b><pre>{html.escape(error)}</pre></section>'


def _warnings(run: Run) -> str:
    """Return what is implausible in the run."""
    found = "".join(f"<li>{html.escape(str(one))}</li>" for one in run.summary.get("warnings") or ())
    return f'<section class="warnings"><b>Implausible</b><ul>{found}</ul></section>' if found else ""


def _facts(run: Run, data: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return the key figures that are known: (label, number, unit)."""
    summary, manifest = run.summary, run.manifest
    found = [("simulated time", f"{data['duration']:.4g}", "s")]
    if data["begin"]:
        found.append(("begun at a checkpoint of", f"{data['begin']:.4g}", "s"))
    factor = summary.get("real_time_factor")
    if factor:
        found.append(("of real time", f"{float(factor):.2g}", "×"))
    found += [(name, _count(summary[name]), "") for name in ("neurons", "synapses", "spikes") if summary.get(name)]
    muscles = sum(len(body["muscles"]) for body in data["bodies"])
    if muscles:
        found.append(("muscles", str(muscles), ""))
    if summary.get("wall_s"):
        found.append(("wall clock", f"{float(summary['wall_s']):.3g}", "s"))
    memory = summary.get("peak_memory_mb")
    if isinstance(memory, dict) and memory:
        megabytes = sum(float(one) for one in memory.values())
        big = megabytes >= 1000
        found.append(("peak memory", f"{megabytes / 1000:.1f}" if big else f"{megabytes:.0f}", "GB" if big else "MB"))
    if "seed" in manifest:
        found.append(("seed", str(manifest["seed"]), ""))
    return found


def _count(number: Any) -> str:
    value = float(number)
    for size, letter in ((1e9, "G"), (1e6, "M")):
        if value >= size:
            return f"{value / size:.3g} {letter}"
    return f"{int(value):,}"


def _fact(label: str, value: str, unit: str) -> str:
    small = f" <small>{html.escape(unit)}</small>" if unit else ""
    return f"<div><b>{html.escape(value)}{small}</b><span>{html.escape(label)}</span></div>"


def _sections(run: Run, data: dict[str, Any]) -> list[str]:
    found = []
    if data["bodies"]:
        found.append(template("body.html"))
    found += [_network(brain) for brain in run.manifest.get("brains", {}).values() if brain.get("network")]
    if data["comparison"]:
        label, text = (html.escape(data["comparison"][part]) for part in ("label", "text"))
        heading = label[:1].upper() + label[1:]
        found.append(f"<h2>{heading}</h2><p class='note'>{text}</p><div class='columns' id='comparison'></div>")
    if data["raster"]:
        raster = data["raster"]
        whole = raster["shown"] == raster["total"]
        part = "All" if whole else f"{raster['shown']:,} of"
        fair = "" if whole else " (of busy populations the same number each)"
        found.append(
            f"<h2>Spikes</h2><p class='note'>{part} {raster['total']:,} recorded spikes{fair}, every neuron "
            "at its height in the band of its population; population sizes at the right.</p>"
            "<div class='card'><div id='raster'></div></div>"
        )
    if data["rates"]:
        found.append(
            "<h2>Firing rates</h2><p class='note'>Mean rate of every population in each step, each on its own scale, "
            "and over the whole run.</p><div class='card'><div id='rates'></div></div>"
        )
    for part, title in (("muscles", "Muscles"), ("joints", "Joints"), ("others", "Signals")):
        if data["signals"][part]:
            found.append(f"<h2>{title}</h2><div class='columns' id='{part}'></div>")
    constant = data["signals"]["constant"]
    if constant:
        listing = ", ".join(html.escape(one) for one in constant[:200])
        found.append(
            f"<details class='note'><summary>{len(constant)} signals never changed</summary>{listing}</details>"
        )
    if data["profile"]:
        found.append(_profile(run))
    if data["events"]:
        found.append(_events(data["events"]))
    if run.manifest:
        table = _tree(run.manifest)
        found.append(f"<h2>What was run</h2><div class='card'>{table}</div>")
    return found


def _network(brain: dict[str, Any]) -> str:
    """Return what network ran, and what should be known of it."""
    counts = " and ".join(f"{int(brain[what]):,} {what}" for what in ("neurons", "synapses") if brain.get(what))
    first, *rest = [html.escape(str(note)) for note in brain.get("notes") or ("",)]
    listed = "".join(f"<li>{note}</li>" for note in rest)
    more = f"<details class='note'><summary>What else to know of this network</summary><ul>{listed}</ul></details>"
    heading = f"<h2>Brain: {html.escape(str(brain['network']))}</h2>"
    return f"{heading}<p class='note'>{counts}. {first}</p>{more if rest else ''}"


def _profile(run: Run) -> str:
    profile, means = run.profile, profile_summary(run.profile)
    first = np.flatnonzero(profile["first"])[:1] if "first" in profile else np.array([0])
    whole = means.get("step", {}).get("mean", 0.0)
    rows = []
    for name in (*PROFILE_TEXT, "step_s"):
        key = "step" if name == "step_s" else name
        if key not in means:
            continue
        colour, text = PROFILE_TEXT.get(name, ("transparent", "one whole step"))
        share = f"{100 * means[key]['mean'] / whole:.0f} %" if whole else ""
        numbers = [1e3 * one for one in (means[key]["median"], means[key]["mean"])]
        numbers.append(1e3 * float(profile[name][first[0]]) if len(first) else math.nan)
        cells = "".join(f"<td class='number'>{'' if one != one else f'{one:.3f}'}</td>" for one in numbers)
        rows.append(
            f"<tr><td><span class='swatch' style='background:{colour}'></span>{html.escape(key)}</td>"
            f"<td>{html.escape(text)}</td>{cells}<td class='number'>{share}</td></tr>"
        )
    heads = "".join(
        f"<th class='number'>{head}</th>" for head in ("median (ms)", "mean (ms)", "first step (ms)", "share")
    )
    return (
        "<h2>Where each step's time went</h2><p class='note'>Stacked: what follows one another; dashed: the body, "
        "which runs while the brain does. The first step is measured apart.</p>"
        "<div class='card'><div id='stack'></div></div>"
        f"<div class='card'><table><tr><th>part</th><th></th>{heads}</tr>{''.join(rows)}</table></div>"
    )


def _events(events: list[dict[str, Any]]) -> str:
    shown = events[:300]
    rows = "".join(
        f"<tr><td class='number'>{event['time']:.3f} s</td><td{' class=bad' if event['bad'] else ''}>"
        f"{html.escape(event['kind'].replace('_', ' '))}</td><td>{html.escape(event['text'])}</td></tr>"
        for event in shown
    )
    more = (
        f"<p class='note'>and {len(events) - len(shown)} more in events.jsonl</p>" if len(events) > len(shown) else ""
    )
    return (
        "<h2>Events</h2><div class='card'><div id='events'></div></div>"
        "<div class='card scroll'><table><tr><th class='number'>at</th><th>kind</th><th>what</th></tr>"
        f"{rows}</table>{more}</div>"
    )


def _tree(value: Any) -> str:
    """Return nested values as nested tables."""
    if isinstance(value, dict) and value:
        rows = "".join(f"<tr><th>{html.escape(str(key))}</th><td>{_tree(one)}</td></tr>" for key, one in value.items())
        return f"<table>{rows}</table>"
    if isinstance(value, list):
        return ", ".join(_tree(one) for one in value) or "<span class='note'>none</span>"
    text = html.escape(str(value))
    return f"<code>{text}</code>" if len(text) > 40 and " " not in text else text
