"use strict";
/* Small canvas plots that share one time axis and one playhead. */

const PALETTE = ["#3f83c8", "#e07a3f", "#45a374", "#c5508f", "#8d72d6", "#b9922a", "#3aa6b0", "#cf5655", "#7d9a3a", "#a06a4c"];
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const lineColour = (k) => PALETTE[k] || `oklch(0.64 0.13 ${(k * 137.5) % 360})`;
const bandColour = (k, count) => `oklch(${css("--band-light") || 0.6} 0.14 ${(25 + (330 * k) / Math.max(1, count)) % 360})`;
const FONT = "12px system-ui, sans-serif";

function niceTicks(low, high, wanted) {
  const rough = (high - low) / Math.max(1, wanted), power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((k) => k * power).find((one) => one >= rough * 0.999) || rough;
  const ticks = [];
  for (let at = Math.ceil(low / step - 1e-9) * step; at <= high + step * 1e-9; at += step) ticks.push(Math.abs(at) < step * 1e-9 ? 0 : at);
  return ticks;
}

function short(value) {
  if (value === null || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size >= 1e5 || size < 1e-3) return value.toExponential(1).replace("e+", "e").replace(".0e", "e");
  return String(+value.toPrecision(size >= 1000 ? 5 : 3));
}

class Plot {
  constructor(host, { height, left = 58, right = 14, top = 8, bottom = 24, times = true }) {
    Object.assign(this, { host, left, right, top, bottom, times, duration: Plot.duration });
    host.classList.add("plot");
    host.style.height = `${height}px`;
    this.base = host.appendChild(document.createElement("canvas"));
    this.cover = host.appendChild(document.createElement("canvas"));
    this.cover.className = "cover";
    this.hover = null;
    Plot.all.push(this);
    this.cover.addEventListener("pointermove", (event) => { this.hover = event.offsetX; this.hoverY = event.offsetY; this.mark(); });
    this.cover.addEventListener("pointerleave", () => { this.hover = null; this.mark(); });
    if (times) this.cover.addEventListener("click", (event) => Plot.seek(this.timeAt(event.offsetX)));
    new ResizeObserver(() => this.refresh()).observe(host);
  }

  fit(canvas) {
    const ratio = window.devicePixelRatio || 1;
    this.width = this.host.clientWidth; this.height = this.host.clientHeight;
    canvas.width = Math.round(this.width * ratio); canvas.height = Math.round(this.height * ratio);
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.font = FONT;
    return pen;
  }

  x(time) { return this.left + ((this.width - this.left - this.right) * (time - Plot.begin)) / this.duration; }
  timeAt(x) { return Plot.begin + Math.min(this.duration, Math.max(0, ((x - this.left) / (this.width - this.left - this.right)) * this.duration)); }
  y(value) { return this.height - this.bottom - ((this.height - this.top - this.bottom) * (value - this.low)) / (this.high - this.low || 1); }

  refresh() {
    if (!this.host.clientWidth) return;
    const pen = this.fit(this.base);
    this.paint(pen);
    this.mark();
  }

  timeAxis(pen) {
    pen.fillStyle = css("--quiet"); pen.strokeStyle = css("--grid"); pen.lineWidth = 1;
    pen.textAlign = "center"; pen.textBaseline = "top";
    const ticks = niceTicks(Plot.begin, Plot.begin + this.duration, (this.width - this.left) / 110);
    for (const at of ticks) {
      pen.beginPath(); pen.moveTo(this.x(at), this.top); pen.lineTo(this.x(at), this.height - this.bottom); pen.stroke();
      pen.fillText(`${short(at)}${at === ticks[ticks.length - 1] ? " s" : ""}`, this.x(at), this.height - this.bottom + 6);
    }
  }

  valueAxis(pen, unitText) {
    pen.textAlign = "right"; pen.textBaseline = "middle"; pen.fillStyle = css("--quiet"); pen.strokeStyle = css("--grid");
    for (const at of niceTicks(this.low, this.high, (this.height - this.top - this.bottom) / 32)) {
      pen.beginPath(); pen.moveTo(this.left, this.y(at)); pen.lineTo(this.width - this.right, this.y(at)); pen.stroke();
      pen.fillText(short(at), this.left - 7, this.y(at));
    }
    if (unitText) { pen.save(); pen.translate(11, (this.top + this.height - this.bottom) / 2); pen.rotate(-Math.PI / 2); pen.textAlign = "center"; pen.fillText(unitText, 0, 0); pen.restore(); }
  }

  mark() {
    const pen = this.fit(this.cover);
    pen.clearRect(0, 0, this.width, this.height);
    if (this.times) {
      pen.strokeStyle = css("--accent"); pen.lineWidth = 1.5; pen.globalAlpha = 0.85;
      pen.beginPath(); pen.moveTo(this.x(Plot.now), this.top); pen.lineTo(this.x(Plot.now), this.height - this.bottom); pen.stroke();
      pen.globalAlpha = 1;
    }
    if (this.hover !== null) this.point(pen);
  }

  point() {}

  tip(pen, text, x, y, colour) {
    pen.textAlign = "left"; pen.textBaseline = "middle";
    const width = pen.measureText(text).width + 26, left = Math.min(this.width - width - 4, x + 12), top = Math.max(14, Math.min(this.height - 14, y));
    pen.fillStyle = css("--card"); pen.strokeStyle = css("--edge"); pen.lineWidth = 1;
    pen.beginPath(); pen.roundRect(left, top - 12, width, 24, 6); pen.fill(); pen.stroke();
    pen.fillStyle = colour; pen.beginPath(); pen.arc(left + 11, top, 4, 0, 7); pen.fill();
    pen.fillStyle = css("--ink"); pen.fillText(text, left + 20, top + 0.5);
  }
}
Plot.all = [];
Plot.now = 0;
Plot.begin = 0;
Plot.duration = 1;
Plot.seek = () => {};
Plot.at = (time) => { Plot.now = time; for (const plot of Plot.all) if (plot.times || plot.way) plot.mark(); };

function nearest(times, time) {
  let low = 0, high = times.length - 1;
  while (low < high) { const middle = (low + high) >> 1; if (times[middle] < time) low = middle + 1; else high = middle; }
  return low > 0 && time - times[low - 1] < times[low] - time ? low - 1 : low;
}

class Lines extends Plot {
  /* lines: [{name, values, colour}] over common times. */
  constructor(host, times, lines, unitText, options = {}) {
    super(host, { height: 200, ...options });
    Object.assign(this, { at: times, lines: lines.map((line) => ({ ...line, shown: true })), unitText, loud: null });
    let low = Infinity, high = -Infinity;
    for (const line of lines) for (const value of line.values) if (Number.isFinite(value)) { low = Math.min(low, value); high = Math.max(high, value); }
    if (!(low <= high)) [low, high] = [0, 1];
    if (low > 0 && low < 0.15 * high) low = 0;
    const room = (high - low || Math.abs(high) || 1) * 0.06;
    this.low = low === 0 ? 0 : low - room; this.high = high + room;
  }

  paint(pen) {
    this.timeAxis(pen); this.valueAxis(pen, this.unitText);
    for (const line of this.lines) {
      if (!line.shown) continue;
      pen.strokeStyle = line.colour; pen.lineWidth = this.loud === line ? 2.6 : 1.6; pen.lineJoin = "round";
      pen.globalAlpha = this.loud && this.loud !== line ? 0.2 : 0.95;
      pen.beginPath();
      let down = false;
      line.values.forEach((value, k) => {
        if (!Number.isFinite(value)) { down = false; return; }
        if (down) pen.lineTo(this.x(this.at[k]), this.y(value)); else pen.moveTo(this.x(this.at[k]), this.y(value));
        down = true;
      });
      pen.stroke();
    }
    pen.globalAlpha = 1;
  }

  point(pen) {
    const k = nearest(this.at, this.timeAt(this.hover));
    let best = null;
    for (const line of this.lines) {
      if (!line.shown || !Number.isFinite(line.values[k])) continue;
      const away = Math.abs(this.y(line.values[k]) - this.hoverY);
      if (!best || away < best.away) best = { line, away };
    }
    if (!best) return;
    const x = this.x(this.at[k]), y = this.y(best.line.values[k]);
    pen.fillStyle = best.line.colour; pen.beginPath(); pen.arc(x, y, 4, 0, 7); pen.fill();
    this.tip(pen, `${best.line.name}  ${short(best.line.values[k])} ${this.unitText || ""}  at ${short(this.at[k])} s`, x, y - 18, best.line.colour);
  }
}

class Raster extends Plot {
  constructor(host, raster) {
    const sizes = raster.populations.map((one) => one.size), largest = Math.max(...sizes, 1);
    const heights = sizes.map((size) => 16 + 26 * Math.sqrt(size / largest));
    super(host, { height: heights.reduce((a, b) => a + b, 0) + 40, left: 150, right: 84 });
    Object.assign(this, { raster, heights });
  }

  paint(pen) {
    this.timeAxis(pen);
    const { populations, time, code, place } = this.raster, tops = [], count = populations.length;
    let top = this.top;
    pen.textBaseline = "middle";
    populations.forEach((population, k) => {
      tops.push(top);
      pen.fillStyle = bandColour(k, count);
      pen.globalAlpha = 0.07; pen.fillRect(this.left, top + 1, this.width - this.left - this.right, this.heights[k] - 2); pen.globalAlpha = 1;
      pen.textAlign = "right"; pen.fillText(population.name, this.left - 10, top + this.heights[k] / 2, this.left - 14);
      pen.textAlign = "left"; pen.fillStyle = css("--quiet");
      pen.fillText(population.size.toLocaleString("en"), this.width - this.right + 10, top + this.heights[k] / 2);
      top += this.heights[k];
    });
    const dot = time.length > 20000 ? 1 : time.length > 4000 ? 1.4 : 2;
    const colours = populations.map((_, k) => bandColour(k, count));
    pen.globalAlpha = 0.8;
    for (let k = 0, last = -1; k < time.length; k++) {
      if (code[k] !== last) { last = code[k]; pen.fillStyle = colours[last]; }
      pen.fillRect(this.x(time[k]) - dot / 2, tops[last] + 2 + (1 - place[k]) * (this.heights[last] - 5), dot, dot);
    }
    pen.globalAlpha = 1;
  }
}

class Rates extends Plot {
  /* One row a population: its rate over time on its own scale, and its mean on a common one. */
  constructor(host, rates) {
    const row = rates.length > 30 ? 24 : 32;
    super(host, { height: rates.length * row + 34, left: 150, right: 250 });
    Object.assign(this, { rates, row, most: Math.max(...rates.map((one) => one.mean), 1e-9) });
  }

  paint(pen) {
    this.timeAxis(pen);
    this.rates.forEach((rate, k) => {
      const bottom = this.top + (k + 1) * this.row - 3, tall = this.row - 6, colour = bandColour(k, this.rates.length);
      let peak = 1e-9;
      for (const value of rate.values) peak = Math.max(peak, value);
      pen.fillStyle = colour; pen.strokeStyle = colour; pen.textBaseline = "middle"; pen.textAlign = "right";
      pen.fillText(rate.name, this.left - 10, bottom - tall / 2, this.left - 14);
      pen.beginPath(); pen.moveTo(this.x(Plot.begin), bottom);
      rate.values.forEach((value, n) => { pen.lineTo(this.x(n ? rate.times[n - 1] : Plot.begin), bottom - (tall * value) / peak); pen.lineTo(this.x(rate.times[n]), bottom - (tall * value) / peak); });
      pen.lineTo(this.x(rate.times[rate.times.length - 1] || Plot.begin), bottom); pen.closePath();
      pen.globalAlpha = 0.3; pen.fill(); pen.globalAlpha = 1; pen.lineWidth = 1; pen.stroke();
      const start = this.width - this.right + 74, room = 104;
      pen.textAlign = "left"; pen.fillStyle = css("--quiet"); pen.fillText(`≤ ${short(peak)}`, this.width - this.right + 10, bottom - tall / 2);
      pen.fillStyle = css("--grid"); pen.beginPath(); pen.roundRect(start, bottom - tall / 2 - 5, room, 10, 5); pen.fill();
      pen.fillStyle = colour; pen.beginPath(); pen.roundRect(start, bottom - tall / 2 - 5, Math.max(3, (room * rate.mean) / this.most), 10, 5); pen.fill();
      pen.fillStyle = css("--ink"); pen.fillText(`${short(rate.mean)} Hz`, start + room + 8, bottom - tall / 2);
    });
  }

  point(pen) {
    const k = Math.floor((this.hoverY - this.top) / this.row), rate = this.rates[k];
    if (!rate || !rate.values.length) return;
    const n = Math.min(rate.values.length - 1, Math.max(0, rate.times.findIndex((time) => time >= this.timeAt(this.hover))));
    this.tip(pen, `${rate.name}  ${short(rate.values[n])} Hz at ${short(rate.times[n])} s`, this.hover, this.hoverY - 18, bandColour(k, this.rates.length));
  }
}

class Stack extends Plot {
  /* layers: [{name, values, colour}] in ms, from below; a dashed line each for what runs meanwhile. */
  constructor(host, times, layers, dashed) {
    super(host, { height: 260 });
    Object.assign(this, { at: times, layers, dashed, unitText: "ms", low: 0 });
    const tops = Array.from(times, (_, k) => layers.reduce((sum, layer) => sum + layer.values[k], 0));
    const sorted = tops.slice().sort((a, b) => a - b);
    this.high = Math.min(sorted[sorted.length - 1], 2.5 * sorted[Math.floor(sorted.length * 0.98)]) * 1.06 || 1;
  }

  paint(pen) {
    this.timeAxis(pen); this.valueAxis(pen, "ms");
    const sum = new Float64Array(this.at.length), cap = (value) => Math.max(this.top, this.y(value));
    for (const layer of this.layers) {
      const below = Float64Array.from(sum);
      layer.values.forEach((value, k) => { sum[k] += value; });
      pen.fillStyle = layer.colour; pen.globalAlpha = 0.85;
      pen.beginPath();
      for (let k = 0; k < sum.length; k++) pen.lineTo(this.x(this.at[k]), cap(sum[k]));
      for (let k = sum.length - 1; k >= 0; k--) pen.lineTo(this.x(this.at[k]), cap(below[k]));
      pen.closePath(); pen.fill();
    }
    pen.globalAlpha = 1;
    for (const line of this.dashed) {
      pen.strokeStyle = line.colour; pen.setLineDash([5, 4]); pen.lineWidth = 1.6;
      pen.beginPath(); line.values.forEach((value, k) => pen.lineTo(this.x(this.at[k]), cap(value))); pen.stroke(); pen.setLineDash([]);
    }
  }

  point(pen) {
    const k = nearest(this.at, this.timeAt(this.hover));
    let sum = 0;
    for (const layer of this.layers) {
      sum += layer.values[k];
      if (this.y(sum) <= this.hoverY) { this.tip(pen, `${layer.name}  ${short(layer.values[k])} ms at ${short(this.at[k])} s`, this.hover, this.hoverY - 18, layer.colour); return; }
    }
  }
}

class Path extends Plot {
  /* A point's way in its two most moved axes (mm), coloured from early to late. */
  constructor(host) { super(host, { height: 250, left: 52, right: 16, bottom: 34, times: false }); }

  show(times, points) {
    const spread = [0, 1, 2].map((axis) => { const all = points.map((one) => one[axis]); return Math.max(...all) - Math.min(...all); });
    const [a, b] = [0, 1, 2].sort((one, two) => spread[two] - spread[one]).slice(0, 2).sort();
    Object.assign(this, { at: times, axes: [a, b], way: points.map((one) => [1e3 * (one[a] - points[0][a]), 1e3 * (one[b] - points[0][b])]) });
    this.refresh();
  }

  paint(pen) {
    if (!this.way) return;
    const bounds = [0, 1].map((axis) => { const all = this.way.map((one) => one[axis]); return [Math.min(...all), Math.max(...all)]; });
    const wide = this.width - this.left - this.right, tall = this.height - this.top - this.bottom;
    const scale = Math.min(wide / (bounds[0][1] - bounds[0][0] || 1e-6), tall / (bounds[1][1] - bounds[1][0] || 1e-6)) * 0.86;
    const middle = bounds.map(([low, high]) => (low + high) / 2);
    this.place = ([p, q]) => [this.left + wide / 2 + (p - middle[0]) * scale, this.top + tall / 2 - (q - middle[1]) * scale];
    pen.fillStyle = css("--quiet"); pen.strokeStyle = css("--grid"); pen.lineWidth = 1;
    pen.textAlign = "center"; pen.textBaseline = "top";
    for (const at of niceTicks(middle[0] - wide / 2 / scale, middle[0] + wide / 2 / scale, wide / 70)) { const [x] = this.place([at, 0]); pen.beginPath(); pen.moveTo(x, this.top); pen.lineTo(x, this.top + tall); pen.stroke(); pen.fillText(short(at), x, this.top + tall + 4); }
    pen.fillText(`${"xyz"[this.axes[0]]} in mm from the start`, this.left + wide / 2, this.height - 14);
    pen.textAlign = "right"; pen.textBaseline = "middle";
    for (const at of niceTicks(middle[1] - tall / 2 / scale, middle[1] + tall / 2 / scale, tall / 42)) { const [, y] = this.place([0, at]); pen.beginPath(); pen.moveTo(this.left, y); pen.lineTo(this.left + wide, y); pen.stroke(); pen.fillText(short(at), this.left - 7, y); }
    pen.save(); pen.translate(11, this.top + tall / 2); pen.rotate(-Math.PI / 2); pen.textAlign = "center"; pen.fillText(`${"xyz"[this.axes[1]]} in mm`, 0, 0); pen.restore();
    pen.lineWidth = 2.4; pen.lineCap = "round";
    for (let k = 1; k < this.way.length; k++) {
      pen.strokeStyle = `oklch(0.65 0.15 ${250 + (140 * k) / this.way.length})`;
      pen.beginPath(); pen.moveTo(...this.place(this.way[k - 1])); pen.lineTo(...this.place(this.way[k])); pen.stroke();
    }
  }

  mark() {
    const pen = this.fit(this.cover);
    if (!this.way || !this.place) return;
    const [x, y] = this.place(this.way[nearest(this.at, Plot.now)]);
    pen.fillStyle = css("--card"); pen.strokeStyle = css("--accent"); pen.lineWidth = 3;
    pen.beginPath(); pen.arc(x, y, 5.5, 0, 7); pen.fill(); pen.stroke();
  }
}

class Timeline extends Plot {
  constructor(host, events) {
    super(host, { height: 74, left: 20, right: 20, top: 6 });
    this.events = events;
  }

  paint(pen) {
    this.timeAxis(pen);
    for (const event of this.events) {
      const x = this.x(event.time);
      pen.strokeStyle = pen.fillStyle = css(event.bad ? "--bad" : event.kind === "state" ? "--quiet" : "--accent");
      pen.lineWidth = 2; pen.beginPath(); pen.moveTo(x, 22); pen.lineTo(x, this.height - this.bottom); pen.stroke();
      pen.beginPath(); pen.arc(x, 18, 5, 0, 7); pen.fill();
    }
  }

  point(pen) {
    const near = this.events.map((event) => [Math.abs(this.x(event.time) - this.hover), event]).sort((a, b) => a[0] - b[0])[0];
    if (near && near[0] < 12) this.tip(pen, near[1].text, this.x(near[1].time), 18, css("--accent"));
  }
}
