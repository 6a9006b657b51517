"use strict";
const byId = (id) => document.getElementById(id);
const element = (kind, text) => Object.assign(document.createElement(kind), text === undefined ? {} : { textContent: text });
const WINDOW_S = 1;

/* Spikes of the last second, the newest at the right. */
class LiveRaster extends Plot {
  constructor(host, populations) {
    const row = Math.max(9, Math.min(22, 380 / populations.length));
    super(host, { height: populations.length * row + 34, left: 130, times: false });
    Object.assign(this, { populations, row, spikes: [], now: 0 });
  }

  x(time) { return this.width - this.right - ((this.now - time) / WINDOW_S) * (this.width - this.left - this.right); }

  add(spikes, now) {
    if (now < this.now) this.spikes = [];
    this.now = now;
    for (const spike of spikes) this.spikes.push(spike);
    this.spikes = this.spikes.filter((spike) => spike[2] > now - WINDOW_S);
    this.refresh();
  }

  timeAxis(pen) {
    pen.fillStyle = css("--quiet"); pen.strokeStyle = css("--grid"); pen.textAlign = "center"; pen.textBaseline = "top";
    for (const at of niceTicks(Math.max(0, this.now - WINDOW_S), this.now, 5)) {
      pen.beginPath(); pen.moveTo(this.x(at), this.top); pen.lineTo(this.x(at), this.height - this.bottom); pen.stroke();
      pen.fillText(`${short(at)} s`, this.x(at), this.height - this.bottom + 6);
    }
  }

  paint(pen) {
    this.timeAxis(pen);
    const count = this.populations.length, colours = this.populations.map((_, k) => bandColour(k, count));
    pen.textAlign = "right"; pen.textBaseline = "middle"; pen.font = `${Math.min(12, this.row + 1)}px system-ui, sans-serif`;
    this.populations.forEach((population, k) => { pen.fillStyle = colours[k]; pen.fillText(population.name, this.left - 8, this.top + (k + 0.5) * this.row, this.left - 12); });
    for (const [population, place, time] of this.spikes) {
      pen.fillStyle = colours[population];
      pen.fillRect(this.x(time) - 0.75, this.top + (population + 0.95 - 0.85 * place) * this.row - 1, 1.6, 1.6);
    }
  }

  mark() {}
}

function bars(host, names) {
  return names.map((name) => {
    const track = element("i"), fill = track.appendChild(element("b")), value = element("output", "–");
    host.append(element("span", name), track, value);
    return { fill, value };
  });
}

let setup = null, view, raster, muscles, rates;
function begin(content) {
  setup = content;
  const known = setup.bodies, names = known.flatMap((body) => body.muscles.map((name) => body.prefix + name));
  byId("waiting").hidden = true;
  byId("panels").hidden = false;
  byId("scene").hidden = !known.length;
  byId("panels").classList.toggle("single", !known.length);
  byId("active").hidden = byId("scale").hidden = !names.length;
  byId("spiking").hidden = byId("firing").hidden = !setup.populations.length;
  if (known.length) {
    view = new SceneView(byId("stage"), known);
    byId("closer").onclick = () => view.magnify(1.25);
    byId("farther").onclick = () => view.magnify(0.8);
    byId("home").onclick = () => { view.home(); view.paint(); };
  }
  muscles = bars(byId("bars"), names);
  if (setup.populations.length) raster = new LiveRaster(byId("raster"), setup.populations);
  rates = bars(byId("rates"), setup.populations.map((one) => one.name));
}

function show(frame) {
  const state = frame.state || {}, now = frame.tick / 1e9;
  byId("name").textContent = document.title = state.name || "animat";
  byId("state").textContent = state.state || "";
  byId("state").className = `state ${state.state}`;
  byId("clock").textContent = `${now.toFixed(2)} s`;
  if (state.real_time_factor) byId("speed").textContent = `${short(state.real_time_factor)} ×`;
  if (state.steps) byId("steps").textContent = state.steps;
  byId("failure").hidden = !state.error;
  byId("why").textContent = state.error || "";
  if (!setup) return;
  const activation = frame.activation || {};
  const active = setup.bodies.map((body) => body.muscles.map((name) => activation[`${body.prefix}activation/${name}`] ?? 0));
  active.flat().forEach((value, k) => {
    muscles[k].fill.style.width = `${100 * Math.min(1, Math.max(0, value))}%`;
    muscles[k].fill.style.background = activationColour(value);
    muscles[k].value.textContent = value.toFixed(2);
  });
  if (view) {
    const bodies = Object.values(frame.bodies);
    const frames = setup.bodies.map((body, k) => {
      const one = frame.bodies[body.name] || (bodies.length === 1 ? bodies[0] : null);
      return one && { ...one, activation: active[k] };
    });
    if (frames.some(Boolean)) view.draw(frames);
  }
  if (raster) raster.add(frame.spikes, now);
  const most = Math.max(1e-9, ...Object.values(frame.rates));
  setup.populations.forEach((population, k) => {
    const rate = frame.rates[population.name];
    if (rate === undefined) return;
    rates[k].fill.style.width = `${(100 * rate) / most}%`;
    rates[k].fill.style.background = bandColour(k, setup.populations.length);
    rates[k].value.textContent = short(+rate.toPrecision(3));
  });
}

const source = new EventSource("frames");
source.addEventListener("setup", (event) => { if (!setup) begin(JSON.parse(event.data)); });
source.addEventListener("frame", (event) => show(JSON.parse(event.data)));
source.addEventListener("end", () => { source.close(); byId("waiting").hidden = true; });
