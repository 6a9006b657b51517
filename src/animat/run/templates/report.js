"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const floats = (text) => decode(text, Float32Array);
Plot.begin = data.begin;
Plot.duration = data.duration || 1;

function element(kind, className, text) {
  const made = document.createElement(kind);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function card(host, title, wide) {
  const made = host.appendChild(element("div", wide ? "card wide" : "card"));
  made.append(element("h3", "", title));
  return made;
}

function keys(host, plot) {
  const list = host.appendChild(element("div", "keys"));
  for (const line of plot.lines) {
    const key = list.appendChild(element("button"));
    const swatch = key.appendChild(element("i"));
    swatch.style.background = line.colour;
    key.append(line.name);
    key.onclick = () => { line.shown = !line.shown; key.classList.toggle("off", !line.shown); plot.refresh(); };
    key.onmouseenter = () => { plot.loud = line; plot.refresh(); };
    key.onmouseleave = () => { plot.loud = null; plot.refresh(); };
  }
  host.insertBefore(list, plot.host);
}

/* One colour a name, the same in every chart. */
const colours = new Map();
(data.bodies || []).forEach((body) => body.muscles.forEach((name) => colours.set(name, lineColour(colours.size))));

function lineCharts(host, groups, times) {
  groups.forEach((group, n) => {
    const box = card(host, group.title, groups.length % 2 === 1 && n === groups.length - 1);
    const lines = group.lines.map((line, k) => ({ name: line.name, values: floats(line.values), colour: colours.get(line.name) || lineColour(k) }));
    const plot = new Lines(box.appendChild(element("div")), times, lines, group.unit);
    if (lines.length > 1) keys(box, plot);
    if (group.note) box.append(element("p", "note", group.note));
  });
}

if (byId("raster")) {
  const raster = data.raster;
  new Raster(byId("raster"), { populations: raster.populations, time: floats(raster.time), code: decode(raster.code, Uint16Array), place: floats(raster.place) });
}
if (byId("rates")) new Rates(byId("rates"), data.rates.map((rate) => ({ ...rate, times: floats(rate.times), values: floats(rate.values) })));
for (const part of ["muscles", "joints", "others"])
  if (byId(part)) lineCharts(byId(part), data.signals[part], floats(data.signals.times));
if (byId("comparison")) lineCharts(byId("comparison"), [data.comparison], floats(data.comparison.lines[0].times));
if (byId("events")) new Timeline(byId("events"), data.events);
if (byId("stack")) {
  const profile = data.profile, layers = profile.layers.map((layer) => ({ ...layer, values: floats(layer.values) }));
  new Stack(byId("stack"), floats(profile.times), layers, profile.dashed.map((line) => ({ ...line, values: floats(line.values) })));
}

/* The moving body, and the way of a point on one of its links. */
let showBody = () => {};
if (byId("stage")) {
  const bodies = data.bodies.map((body) => ({ ...body, times: floats(body.times), poses: floats(body.poses), paths: floats(body.paths), activation: floats(body.activation) }));
  const view = new SceneView(byId("stage"), bodies);
  byId("closer").onclick = () => view.magnify(1.25);
  byId("farther").onclick = () => view.magnify(0.8);
  byId("home").onclick = () => { view.home(); view.paint(); };

  /* Between two recorded frames positions and quaternions are interpolated. */
  const frameAt = (body, time) => {
    const count = body.times.length;
    let k = 0;
    while (k + 2 < count && body.times[k + 1] <= time) k++;
    const next = Math.min(k + 1, count - 1), part = next === k ? 0 : Math.min(1, Math.max(0, (time - body.times[k]) / (body.times[next] - body.times[k])));
    const mix = (all, size) => Array.from({ length: size }, (_, n) => all[k * size + n] * (1 - part) + all[next * size + n] * part);
    const poses = mix(body.poses, 7 * body.links.length);
    for (let link = 0; link < body.links.length; link++) {
      const at = 7 * link + 3, one = body.poses.slice(k * poses.length + at, k * poses.length + at + 4), two = body.poses.slice(next * poses.length + at, next * poses.length + at + 4);
      const sign = one[0] * two[0] + one[1] * two[1] + one[2] * two[2] + one[3] * two[3] < 0 ? -1 : 1;
      const mixed = [0, 1, 2, 3].map((n) => one[n] * (1 - part) + sign * two[n] * part), size = Math.hypot(...mixed) || 1;
      mixed.forEach((value, n) => { poses[at + n] = value / size; });
    }
    return { poses, paths: mix(body.paths, body.paths.length / count), activation: mix(body.activation, body.activation.length / count) };
  };

  const bars = [];
  const host = byId("bars");
  bodies.forEach((body, b) => body.activation.length && body.muscles.forEach((name, k) => {
    const track = element("i"), fill = track.appendChild(element("b")), value = element("output");
    host.append(element("span", "", name), track, value);
    bars.push({ b, k, fill, value });
  }));
  if (!bars.length) { byId("bars").parentElement.remove(); byId("scale").remove(); }
  showBody = (time) => {
    const frames = bodies.map((body) => frameAt(body, time));
    view.draw(frames);
    for (const { b, k, fill, value } of bars) {
      const active = frames[b].activation[k];
      fill.style.width = `${100 * Math.min(1, Math.max(0, active))}%`;
      fill.style.background = activationColour(active);
      value.textContent = Number.isFinite(active) ? active.toFixed(2) : "–";
    }
  };

  const path = new Path(byId("path")), chosen = byId("link");
  const moved = (body, link) => {
    /* The link's frame, or where that stays in place (a hinge), the end of a shape that gets farthest. */
    const spots = [[0, 0, 0]];
    for (const shape of body.scene.shapes) {
      if (shape.link !== link || shape.kind === "plane") continue;
      const place = shape.position || [0, 0, 0], turn = shape.quaternion || [1, 0, 0, 0];
      const reach = shape.kind === "capsule" || shape.kind === "cylinder" ? shape.size[1] : 0;
      for (const side of reach ? [-1, 1] : [0]) spots.push(plus(place, Quaternion.turn(turn, [0, 0, side * reach])));
    }
    const ways = spots.map((spot) => {
      const points = Array.from(body.times, (_, k) => {
        const pose = body.poses.slice(7 * (k * body.links.length + link), 7 * (k * body.links.length + link) + 7);
        return plus(pose, Quaternion.turn(pose.slice(3), spot));
      });
      let length = 0, reach = 0;
      for (let k = 1; k < points.length; k++) { length += Math.hypot(...minus(points[k], points[k - 1])); reach = Math.max(reach, Math.hypot(...minus(points[k], points[0]))); }
      return { points, length, reach };
    });
    const best = ways.reduce((one, two) => (two.reach > one.reach ? two : one));
    return ways[0].reach > 0.5 * best.reach ? ways[0] : best;
  };
  const choices = bodies.flatMap((body) => body.links.map((name, link) => ({ body, name: body.prefix + name, ...moved(body, link) })));
  choices.forEach((choice, k) => chosen.add(new Option(choice.name, k)));
  const show = () => {
    const choice = choices[chosen.value];
    path.show(choice.body.times, choice.points);
    byId("reach").textContent = `${short(1e3 * choice.length)} mm travelled, ${short(1e3 * choice.reach)} mm away at most`;
  };
  const favourite = choices.findIndex((choice) => /joystick$/i.test(choice.name));
  chosen.value = favourite >= 0 ? favourite : choices.reduce((best, choice, k) => (choice.reach > 1.1 * choices[best].reach ? k : best), 0);
  chosen.onchange = show;
  show();
}

/* One clock for everything. */
const clock = { time: Plot.begin, playing: false, speed: 1 };
const speeds = [0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 20];
speeds.forEach((speed) => byId("speed").add(new Option(`${speed} ×`, speed)));
clock.speed = speeds.reduce((best, speed) => (Math.abs(Math.log(Plot.duration / speed / 10)) < Math.abs(Math.log(Plot.duration / best / 10)) ? speed : best));
byId("speed").value = clock.speed;
byId("speed").onchange = (event) => { clock.speed = +event.target.value; };
byId("time").oninput = (event) => Plot.seek(Plot.begin + (event.target.value / 1000) * Plot.duration);
byId("play").onclick = () => { clock.playing = !clock.playing; byId("play").textContent = clock.playing ? "❚❚" : "▶"; };
document.addEventListener("keydown", (event) => { if (event.code === "Space" && event.target === document.body) { event.preventDefault(); byId("play").click(); } });

Plot.seek = (time) => {
  clock.time = time;
  byId("time").value = (1000 * (time - Plot.begin)) / Plot.duration;
  byId("clock").textContent = `${time.toFixed(Plot.duration < 20 ? 2 : 1)} / ${short(Plot.begin + Plot.duration)} s`;
  showBody(time);
  Plot.at(time);
};
let before = performance.now();
function tick(now) {
  if (clock.playing) Plot.seek(Plot.begin + ((clock.time - Plot.begin + ((now - before) / 1000) * clock.speed) % Plot.duration));
  before = now;
  requestAnimationFrame(tick);
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => Plot.all.forEach((plot) => plot.refresh()));
Plot.seek(/^#t=/.test(location.hash) ? +location.hash.slice(3) : Plot.begin);
if (byId("stage") && !location.hash && !matchMedia("(prefers-reduced-motion: reduce)").matches) byId("play").click();
requestAnimationFrame(tick);
