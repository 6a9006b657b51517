"use strict";
/* Draws bodies from shapes on links, with muscles as cords coloured by activation. Plain canvas, orbit by mouse. */

const Quaternion = {
  turn([w, x, y, z], [a, b, c]) {
    const u = 2 * (y * c - z * b), v = 2 * (z * a - x * c), t = 2 * (x * b - y * a);
    return [a + w * u + y * t - z * v, b + w * v + z * u - x * t, c + w * t + x * v - y * u];
  },
  times([a, b, c, d], [e, f, g, h]) {
    return [a * e - b * f - c * g - d * h, a * f + b * e + c * h - d * g, a * g - b * h + c * e + d * f, a * h + b * g - c * f + d * e];
  },
};
const plus = (a, b) => [a[0] + b[0], a[1] + b[1], a[2] + b[2]];
const minus = (a, b) => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
const scaled = (a, k) => [a[0] * k, a[1] * k, a[2] * k];
const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
const unit = (a) => scaled(a, 1 / (Math.hypot(...a) || 1));

function decode(text, Kind) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return new Kind(bytes.buffer, 0, Math.floor(bytes.length / Kind.BYTES_PER_ELEMENT));
}

/* Faces (lists of points) of a shape in its own frame; spheres and capsules are drawn round instead. */
function facesOf(shape, cell) {
  if (shape.kind === "box") return boxFaces(shape.size, cell);
  if (shape.kind === "cylinder") return cylinderFaces(shape.size[0], shape.size[1]);
  if (shape.kind === "ellipsoid") return ellipsoidFaces(shape.size);
  if (shape.kind === "plane") {
    const [x, y] = [0, 1].map((axis) => (shape.size[axis] > 0 && shape.size[axis] < 64 * cell ? shape.size[axis] : 13 * cell));
    return patch([-x, -y, 0], [2 * x, 0, 0], [0, 2 * y, 0], cell);
  }
  if (shape.kind === "mesh" && shape.vertices) {
    const points = decode(shape.vertices, Float32Array), corners = decode(shape.faces, Int32Array), faces = [];
    for (let k = 0; k < corners.length; k += 3)
      faces.push([0, 1, 2].map((n) => Array.from(points.slice(3 * corners[k + n], 3 * corners[k + n] + 3))));
    return faces;
  }
  return [];
}

function patch(corner, along, across, cell) {
  const columns = Math.min(24, Math.max(1, Math.round(Math.hypot(...along) / cell)));
  const rows = Math.min(24, Math.max(1, Math.round(Math.hypot(...across) / cell)));
  const at = (i, j) => plus(corner, plus(scaled(along, i / columns), scaled(across, j / rows)));
  const faces = [];
  for (let i = 0; i < columns; i++)
    for (let j = 0; j < rows; j++) faces.push([at(i, j), at(i + 1, j), at(i + 1, j + 1), at(i, j + 1)]);
  return faces;
}

function boxFaces(half, cell) {
  const faces = [];
  for (let axis = 0; axis < 3; axis++)
    for (const side of [-1, 1]) {
      const [u, v] = side > 0 ? [(axis + 1) % 3, (axis + 2) % 3] : [(axis + 2) % 3, (axis + 1) % 3];
      const corner = [0, 0, 0], along = [0, 0, 0], across = [0, 0, 0];
      corner[axis] = side * half[axis]; corner[u] = -half[u]; corner[v] = -half[v];
      along[u] = 2 * half[u]; across[v] = 2 * half[v];
      faces.push(...patch(corner, along, across, cell));
    }
  return faces;
}

function cylinderFaces(radius, half) {
  const sides = 28, ring = (z) => Array.from({ length: sides }, (_, k) => {
    const angle = (2 * Math.PI * k) / sides;
    return [radius * Math.cos(angle), radius * Math.sin(angle), z];
  });
  const low = ring(-half), high = ring(half), faces = [high, low.slice().reverse()];
  for (let k = 0; k < sides; k++) faces.push([low[k], low[(k + 1) % sides], high[(k + 1) % sides], high[k]]);
  return faces;
}

function ellipsoidFaces(half) {
  const around = 36, along = 20, faces = [];
  const at = (i, j) => {
    const a = (2 * Math.PI * i) / around, b = (Math.PI * j) / along;
    return [half[0] * Math.cos(a) * Math.sin(b), half[1] * Math.sin(a) * Math.sin(b), half[2] * Math.cos(b)];
  };
  for (let i = 0; i < around; i++) for (let j = 0; j < along; j++) faces.push([at(i, j), at(i, j + 1), at(i + 1, j + 1), at(i + 1, j)]);
  return faces;
}

/* Blue at rest to red at full activation. */
function activationColour(value, shade = 1) {
  const stops = [[62, 116, 214], [150, 84, 190], [236, 62, 62]], place = Math.min(0.9999, Math.max(0, value || 0)) * 2;
  const low = stops[Math.floor(place)], high = stops[Math.floor(place) + 1], part = place % 1;
  return `rgb(${low.map((one, k) => Math.round((one + (high[k] - one) * part) * shade)).join(",")})`;
}

class SceneView {
  /* bodies: [{scene: {shapes, muscle_points, cords, focus}, links, muscles}], as in scene.json. */
  constructor(canvas, bodies) {
    this.canvas = canvas;
    this.bodies = bodies.map((body) => ({
      ...body,
      shapes: body.scene.shapes.map((shape) => {
        const whole = { size: [], position: [0, 0, 0], quaternion: [1, 0, 0, 0], colour: [0.7, 0.7, 0.7, 1], ...shape };
        return { ...whole, faces: facesOf(whole, (body.scene.focus || [0, 0, 0, 1])[3] * 0.22) };
      }),
    }));
    const focuses = bodies.map((body) => body.scene.focus || [0, 0, 0, 1]);
    const centre = [0, 1, 2].map((axis) => focuses.reduce((sum, one) => sum + one[axis], 0) / focuses.length);
    this.radius = Math.max(...focuses.map((one) => one[3] + Math.hypot(...minus(one, centre))));
    const muscles = bodies.some((body) => body.muscles.length);
    this.home = () => Object.assign(this, { yaw: -0.55, pitch: muscles ? 0.3 : 0.65, zoom: 1, target: centre.slice() });
    this.home();
    this.follow = null;
    this.frames = null;
    this.listen();
    new ResizeObserver(() => this.paint()).observe(canvas);
  }

  listen() {
    const canvas = this.canvas;
    let last = null;
    canvas.addEventListener("pointerdown", (event) => { last = event; canvas.setPointerCapture(event.pointerId); });
    canvas.addEventListener("pointerup", () => { last = null; });
    canvas.addEventListener("pointermove", (event) => {
      if (!last) return;
      const dx = event.clientX - last.clientX, dy = event.clientY - last.clientY;
      last = event;
      if (event.shiftKey) {
        const step = (2.2 * this.radius) / this.zoom / canvas.clientHeight;
        this.target = plus(this.target, plus(scaled(this.axes.right, -dx * step), scaled(this.axes.up, dy * step)));
      } else {
        this.yaw -= dx * 0.008;
        this.pitch = Math.min(1.5, Math.max(-0.4, this.pitch + dy * 0.008));
      }
      this.paint();
    });
    canvas.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && document.activeElement !== canvas) return;
      event.preventDefault();
      this.magnify(Math.exp(-event.deltaY * 0.0015));
    }, { passive: false });
    canvas.addEventListener("dblclick", () => { this.home(); this.paint(); });
  }

  magnify(factor) {
    this.zoom = Math.min(12, Math.max(0.15, this.zoom * factor));
    this.paint();
  }

  /* frames: per body {poses: flat 7 per link, paths: flat 3 per point (muscles, then cords), activation: one per muscle}. */
  draw(frames) {
    this.frames = frames;
    this.paint();
  }

  aim() {
    const forward = [-Math.cos(this.pitch) * Math.cos(this.yaw), -Math.cos(this.pitch) * Math.sin(this.yaw), -Math.sin(this.pitch)];
    const right = unit(cross(forward, [0, 0, 1])), up = cross(right, forward);
    this.axes = { forward, right, up };
    this.distance = (3 * this.radius) / this.zoom;
    this.eye = minus(this.target, scaled(forward, this.distance));
    this.light = unit(plus(plus(scaled(right, -0.35), scaled(up, 0.85)), scaled(forward, -0.75)));
  }

  see(point) {
    const from = minus(point, this.eye), depth = dot(from, this.axes.forward);
    if (depth < this.distance * 0.05) return null;
    const scale = this.focal / depth;
    return [this.width / 2 + dot(from, this.axes.right) * scale, this.height / 2 - dot(from, this.axes.up) * scale, depth, scale];
  }

  paint() {
    const canvas = this.canvas, ratio = window.devicePixelRatio || 1;
    this.width = canvas.clientWidth; this.height = canvas.clientHeight;
    if (!this.frames || !this.width || !this.height) return;
    if (canvas.width !== Math.round(this.width * ratio) || canvas.height !== Math.round(this.height * ratio)) {
      canvas.width = Math.round(this.width * ratio); canvas.height = Math.round(this.height * ratio);
    }
    this.pen = canvas.getContext("2d");
    this.pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.pen.clearRect(0, 0, this.width, this.height);
    this.focal = 1.45 * Math.min(this.height, this.width);
    this.pen.lineJoin = this.pen.lineCap = "round";
    this.aim();
    const items = [];
    this.bodies.forEach((body, k) => this.frames[k] && this.collect(body, this.frames[k], items));
    items.sort((a, b) => b.depth - a.depth);
    for (const item of items) item.paint();
  }

  collect(body, frame, items) {
    for (const shape of body.shapes) {
      const pose = frame.poses.slice(7 * shape.link, 7 * shape.link + 7);
      if (pose.length < 7) continue;
      const turn = Quaternion.times(pose.slice(3), shape.quaternion);
      const place = plus(pose, Quaternion.turn(pose.slice(3), shape.position));
      const put = (point) => plus(place, Quaternion.turn(turn, point));
      if (shape.kind === "sphere") this.ball(place, shape.size[0], shape.colour, items);
      else if (shape.kind === "capsule") this.rod(put([0, 0, -shape.size[1]]), put([0, 0, shape.size[1]]), shape.size[0], shape.colour, items);
      else for (const face of shape.faces) this.face(face.map(put), shape, items);
    }
    let first = 0;
    (body.scene.muscle_points || []).forEach((count, muscle) => {
      const points = Array.from({ length: count }, (_, k) => Array.from(frame.paths.slice(3 * (first + k), 3 * (first + k) + 3)));
      first += count;
      this.muscle(points, frame.activation ? frame.activation[muscle] : 0, items);
    });
    for (const cord of body.scene.cords || []) {
      const points = Array.from({ length: cord.points }, (_, k) => Array.from(frame.paths.slice(3 * (first + k), 3 * (first + k) + 3)));
      first += cord.points;
      for (let k = 0; k + 1 < points.length; k++)
        if (Math.hypot(...minus(points[k + 1], points[k])) > 0) this.rod(points[k], points[k + 1], cord.radius, cord.colour || [0.7, 0.7, 0.7, 1], items);
    }
  }

  ink(colour, brightness) {
    return `rgba(${colour.slice(0, 3).map((one) => Math.round(255 * Math.min(1, one * brightness))).join(",")},${colour[3]})`;
  }

  face(points, shape, items) {
    const seen = points.map((point) => this.see(point));
    if (seen.includes(null)) return;
    const normal = unit(cross(minus(points[1], points[0]), minus(points[2], points[0])));
    const centre = scaled(points.reduce(plus), 1 / points.length);
    const facing = dot(normal, minus(centre, this.eye)) < 0;
    if (!facing && shape.kind !== "plane" && shape.kind !== "mesh") return;
    const light = 0.5 + 0.55 * Math.max(0, (facing ? 1 : -1) * dot(normal, this.light));
    const ground = shape.kind === "plane", far = dot(minus(centre, this.eye), this.axes.forward);
    const inTheWay = shape.kind === "box" && Math.max(...shape.size) > 0.5 * this.radius && far < this.distance - 0.35 * this.radius && Math.abs(normal[2]) < 0.5;
    const colour = inTheWay ? [...shape.colour.slice(0, 3), 0.1] : shape.colour;
    const depth = far + (ground ? 1e3 * this.radius : 0);
    items.push({ depth, paint: () => {
      const pen = this.pen;
      pen.beginPath();
      for (const [x, y] of seen) pen.lineTo(x, y);
      pen.closePath();
      pen.fillStyle = this.ink(ground ? [...shape.colour.slice(0, 3), 0.16 * shape.colour[3]] : colour, light);
      pen.fill();
      if (inTheWay) return;
      pen.strokeStyle = ground ? this.ink([...shape.colour.slice(0, 3), 0.3], 0.9) : pen.fillStyle;
      pen.lineWidth = 0.7;
      pen.stroke();
    } });
  }

  shade(gradient, colour) {
    gradient.addColorStop(0, this.ink(colour, 1.18));
    gradient.addColorStop(0.45, this.ink(colour, 0.95));
    gradient.addColorStop(1, this.ink(colour, 0.5));
    return gradient;
  }

  ball(place, radius, colour, items) {
    const seen = this.see(place);
    if (!seen) return;
    const [x, y, depth, scale] = seen, r = radius * scale;
    items.push({ depth, paint: () => {
      const pen = this.pen;
      pen.fillStyle = this.shade(pen.createRadialGradient(x - 0.32 * r, y - 0.42 * r, 0.05 * r, x, y, r), colour);
      pen.beginPath(); pen.arc(x, y, r, 0, 7); pen.fill();
    } });
  }

  rod(start, end, radius, colour, items) {
    const cuts = colour[3] < 1 ? 1 : 4;
    const a = this.see(start), b = this.see(end);
    if (!a || !b) return;
    const dx = b[0] - a[0], dy = b[1] - a[1], length = Math.hypot(dx, dy), thick = radius * Math.max(a[3], b[3]);
    if (length < 0.35 * thick) {
      const near = a[2] < b[2] ? start : end;
      this.ball(near, radius, colour, items);
      return;
    }
    let nx = -dy / length, ny = dx / length;
    if (ny > 0 || (ny === 0 && nx > 0)) { nx = -nx; ny = -ny; }
    const middle = this.see(scaled(plus(start, end), 0.5)), r = radius * middle[3];
    const parts = [];
    for (let k = 0; k <= cuts; k++) parts.push(this.see(plus(scaled(start, 1 - k / cuts), scaled(end, k / cuts))));
    const gradient = () => {
      const g = this.pen.createLinearGradient(middle[0] + nx * r, middle[1] + ny * r, middle[0] - nx * r, middle[1] - ny * r);
      g.addColorStop(0, this.ink(colour, 0.98)); g.addColorStop(0.3, this.ink(colour, 1.15));
      g.addColorStop(0.6, this.ink(colour, 0.9)); g.addColorStop(1, this.ink(colour, 0.48));
      return g;
    };
    for (let k = 0; k < cuts; k++) {
      const [p, q] = [parts[k], parts[k + 1]], depth = (p[2] + q[2]) / 2;
      items.push({ depth, paint: () => {
        const pen = this.pen, rp = radius * p[3], rq = radius * q[3], angle = Math.atan2(q[1] - p[1], q[0] - p[0]);
        pen.fillStyle = gradient();
        pen.beginPath();
        pen.arc(p[0], p[1], rp, angle + Math.PI / 2, angle - Math.PI / 2);
        pen.arc(q[0], q[1], rq, angle - Math.PI / 2, angle + Math.PI / 2);
        pen.closePath(); pen.fill();
      } });
    }
  }

  muscle(points, activation, items) {
    const thick = this.radius * (0.02 + 0.02 * Math.min(1, Math.max(0, activation || 0)));
    for (let k = 0; k + 1 < points.length; k++) {
      const p = this.see(points[k]), q = this.see(points[k + 1]);
      if (!p || !q) continue;
      const depth = (p[2] + q[2]) / 2 - 1.5 * thick, width = Math.max(1.5, (thick * (p[3] + q[3])) / 2);
      items.push({ depth, paint: () => {
        const pen = this.pen;
        for (const [shade, part, shift] of [[0.55, 1.25, 0], [1, 0.95, 0], [1.35, 0.3, 0.22]]) {
          pen.strokeStyle = activationColour(activation, shade);
          pen.lineWidth = width * part;
          pen.beginPath(); pen.moveTo(p[0] - shift * width, p[1] - shift * width); pen.lineTo(q[0] - shift * width, q[1] - shift * width); pen.stroke();
        }
      } });
    }
  }
}
