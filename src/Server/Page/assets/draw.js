// Pictures on canvases, in the colours of the page.
import { el } from "./dom.js";

const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** "#rrggbb" → [r, g, b]. */
const rgb = hex => [1, 3, 5].map(i => parseInt(hex.slice(i, i + 2), 16));

/** A canvas of pixels that are scaled up without smoothing; `paint(x, y)` gives [r, g, b]. */
function pixels(width, height, label, paint) {
  const canvas = el("canvas", { class: "pixels", width, height, ...(label ? { role: "img", "aria-label": label } : { "aria-hidden": "true" }) });
  const context = canvas.getContext("2d"), image = context.createImageData(width, height);
  for (let i = 0; i < width * height; i++) image.data.set([...paint(i % width, Math.floor(i / width)), 255], 4 * i);
  context.putImageData(image, 0, 0);
  return canvas;
}

const paper = () => rgb(colour("--sheet")), ink = () => rgb(colour("--sheet-ink"));
const between = (a, b, t) => a.map((value, i) => Math.round(value + (b[i] - value) * Math.max(0, Math.min(1, t))));

/** A token's picture. */
export function glyph(picture, label) {
  const [light, dark] = [paper(), ink()];
  return pixels(picture.width, picture.height, label, (x, y) => picture.rows[y][x] === "#" ? dark : light);
}

/** Gives a black-and-white picture the paper of the page. */
export function tint(canvas) {
  const context = canvas.getContext("2d");
  context.globalCompositeOperation = "multiply";
  context.fillStyle = colour("--sheet");
  context.fillRect(0, 0, canvas.width, canvas.height);
}

/** A picture in greys: 0 is paper, 1 is ink. */
export function greys(answer, label) {
  const [light, dark] = [paper(), ink()];
  return pixels(answer.width, answer.height, label, (x, y) => between(light, dark, answer.pixels[y * answer.width + x]));
}

/** Two pictures over each other: ink of both, of the first only, of the second only. */
export function difference(a, b, label) {
  const [light, dark, first, second] = [paper(), ink(), rgb(colour("--first")), rgb(colour("--second"))];
  return pixels(a.width, a.height, label, (x, y) => {
    const [one, two] = [a.rows[y][x] === "#", b.rows[y][x] === "#"];
    return one && two ? dark : one ? first : two ? second : light;
  });
}

/** Numbers as a heat map in rows, from the minus colour over the page's to the plus colour. */
export function heat(values, columns, label) {
  const [minus, zero, plus] = [rgb(colour("--second")), rgb(colour("--card")), rgb(colour("--first"))];
  const sorted = values.map(Math.abs).sort((a, b) => a - b);
  const scale = sorted[Math.floor(0.98 * (sorted.length - 1))] || sorted.at(-1) || 1;
  const rows = Math.ceil(values.length / columns);
  return pixels(columns, rows, label, (x, y) => {
    const value = (values[y * columns + x] ?? 0) / scale;
    return between(zero, value < 0 ? minus : plus, Math.sqrt(Math.abs(value)));
  });
}

/** A line over time or components, filled below. `mark` is an index to point at. */
export function curve(values, label, { mark, max } = {}) {
  const canvas = el("canvas", { class: "curve", width: 600, height: 120, role: "img", "aria-label": label });
  const context = canvas.getContext("2d");
  const top = max ?? Math.max(...values, 1e-9), step = 600 / Math.max(values.length - 1, 1);
  const place = i => [i * step, 116 - 110 * (values[i] ?? 0) / top];
  context.beginPath();
  context.moveTo(0, 116);
  values.forEach((_, i) => context.lineTo(...place(i)));
  context.lineTo((values.length - 1) * step, 116);
  context.fillStyle = colour("--wash");
  context.fill();
  context.beginPath();
  values.forEach((_, i) => context.lineTo(...place(i)));
  context.strokeStyle = colour("--accent");
  context.lineWidth = 2.5;
  context.stroke();
  if (mark !== undefined) {
    context.fillStyle = colour("--ink");
    context.beginPath();
    context.arc(Math.min(Math.max(place(mark)[0], 5), 595), place(mark)[1], 5, 0, 7);
    context.fill();
  }
  return canvas;
}

/** A window below which pictures would be too small to see on a wide map. */
const NARROW = 760;

/** Sprites at the places of a map. Returns the canvas and what stands at a point of it. */
export function sprites(points, label) {
  const isNarrow = innerWidth < NARROW, size = isNarrow ? 520 : 1100, margin = 24, side = isNarrow ? 34 : 38;
  const canvas = el("canvas", { class: "map", width: size, height: size * (isNarrow ? 1.1 : 0.56), role: "img", tabindex: 0, "aria-label": label });
  const context = canvas.getContext("2d"), height = canvas.height;
  const [minX, maxX] = extent(points.map(point => point.x)), [minY, maxY] = extent(points.map(point => point.y));
  const places = points.map(point => ({
    point,
    x: margin + (size - 2 * margin) * (point.x - minX) / (maxX - minX || 1),
    y: height - margin - (height - 2 * margin) * (point.y - minY) / (maxY - minY || 1),
  }));
  separate(places, 0.78 * side, { left: margin, right: size - margin, top: margin, bottom: height - margin });
  const stamps = places.map(({ point }) => stamp(point.glyph));

  function draw(chosen) {
    context.clearRect(0, 0, size, height);
    context.imageSmoothingEnabled = false;
    places.forEach(({ x, y }, i) => { if (i !== chosen) context.drawImage(stamps[i], x - side / 2, y - side / 2, side, side); });
    if (chosen === undefined) return;
    const { x, y } = places[chosen];
    context.fillStyle = colour("--sheet");
    context.strokeStyle = colour("--accent");
    context.lineWidth = 3;
    context.beginPath();
    context.roundRect(x - side, y - side, 2 * side, 2 * side, 6);
    context.fill();
    context.stroke();
    context.drawImage(stamps[chosen], x - side, y - side, 2 * side, 2 * side);
  }

  function nearest(event) {
    const box = canvas.getBoundingClientRect();
    const [x, y] = [(event.clientX - box.left) * size / box.width, (event.clientY - box.top) * height / box.height];
    let best = 0;
    places.forEach((place, i) => { if (Math.hypot(place.x - x, place.y - y) < Math.hypot(places[best].x - x, places[best].y - y)) best = i; });
    return best;
  }

  draw();
  return { canvas, draw, nearest };
}

/** Moves places apart, each as little as it takes, until hardly any two are nearer than `distance`. */
function separate(places, distance, bounds) {
  for (let round = 0; round < 60; round++) {
    for (let i = 0; i < places.length; i++) {
      for (let j = 0; j < i; j++) {
        const [a, b] = [places[i], places[j]], [dx, dy] = [a.x - b.x || 0.1, a.y - b.y || 0.1], apart = Math.hypot(dx, dy);
        if (apart >= distance) continue;
        const push = (distance - apart) / apart / 4;
        [a.x, a.y, b.x, b.y] = [a.x + push * dx, a.y + push * dy, b.x - push * dx, b.y - push * dy];
      }
    }
    for (const place of places) {
      place.x = Math.max(bounds.left, Math.min(bounds.right, place.x));
      place.y = Math.max(bounds.top, Math.min(bounds.bottom, place.y));
    }
  }
}

const extent = values => [Math.min(...values), Math.max(...values)];

// Ink on nothing, so that sprites may overlap.
function stamp(picture) {
  const canvas = el("canvas", { width: picture.width, height: picture.height });
  const context = canvas.getContext("2d"), image = context.createImageData(picture.width, picture.height);
  const dark = rgb(colour("--ink"));
  picture.rows.forEach((row, y) => [...row].forEach((pixel, x) => { if (pixel === "#") image.data.set([...dark, 255], 4 * (y * picture.width + x)); }));
  context.putImageData(image, 0, 0);
  return canvas;
}
