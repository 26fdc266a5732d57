// The canvas: the photo and the shapes on it, zoomed and moved.

import { isHint, velocity } from "./model.js";

const css = getComputedStyle(document.documentElement);
export const color = (kind) => css.getPropertyValue(`--${kind}`).trim();
const MARGIN = 24;

export class View {
  constructor(canvas, photo, width, height) {
    this.canvas = canvas;
    this.pen = canvas.getContext("2d");
    this.photo = photo;
    this.width = width;
    this.height = height;
    this.fitted = true;
    this.resize();
  }

  resize() {
    const box = this.canvas.getBoundingClientRect();
    this.ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.max(1, Math.round(box.width * this.ratio));
    this.canvas.height = Math.max(1, Math.round(box.height * this.ratio));
    this.box = box;
    if (this.fitted || this.scale === undefined) this.fit();
  }

  fit() {
    const { width, height } = this.box;
    this.scale = Math.max(1e-3, Math.min((width - 2 * MARGIN) / this.width, (height - 2 * MARGIN) / this.height));
    this.left = (width - this.width * this.scale) / 2;
    this.top = (height - this.height * this.scale) / 2;
    this.fitted = true;
  }

  zoom(factor, [x, y] = [this.box.width / 2, this.box.height / 2]) {
    const scale = Math.max(0.02, Math.min(40, this.scale * factor));
    this.left = x - ((x - this.left) * scale) / this.scale;
    this.top = y - ((y - this.top) * scale) / this.scale;
    this.scale = scale;
    this.fitted = false;
  }

  pan(dx, dy) {
    this.left += dx;
    this.top += dy;
    this.fitted = false;
  }

  // The pointer's place on the canvas in CSS pixels, and on the photo.
  place(event) { return [event.clientX - this.box.left, event.clientY - this.box.top]; }
  toPhoto([x, y]) { return [(x - this.left) / this.scale, (y - this.top) / this.scale]; }
  toCanvas([x, y]) { return [x * this.scale + this.left, y * this.scale + this.top]; }
  clamp([x, y]) { return [Math.max(0, Math.min(this.width, x)), Math.max(0, Math.min(this.height, y))]; }

  draw(model, draft, hovered, preview) {
    const pen = this.pen;
    pen.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    pen.clearRect(0, 0, this.box.width, this.box.height);
    pen.imageSmoothingEnabled = this.scale < 3;
    pen.drawImage(this.photo, this.left, this.top, this.width * this.scale, this.height * this.scale);
    const regions = model.shapes.filter((shape) => !isHint(shape));
    for (const shape of regions) this.region(shape, shape === model.selected, shape === hovered);
    if (preview) this.particles(preview);
    for (const hint of model.hints) this.arrow(hint, hint === model.selected, hint === hovered);
    if (draft) this.draft(draft);
  }

  trace(points) {
    this.pen.beginPath();
    for (const point of points) this.pen.lineTo(...this.toCanvas(point));
  }

  region(shape, isSelected, isHovered) {
    const pen = this.pen, ink = color(shape.kind);
    this.trace(shape.points);
    pen.closePath();
    pen.globalAlpha = isSelected ? 0.3 : isHovered ? 0.26 : 0.18;
    pen.fillStyle = ink;
    pen.fill("evenodd");
    pen.globalAlpha = 1;
    this.outline(ink, isSelected ? 2.5 : 1.75);
    if (isSelected) this.corners(shape.points, ink);
  }

  // A coloured line with a dark rim, to be seen on any photo.
  outline(ink, width) {
    const pen = this.pen;
    pen.lineJoin = pen.lineCap = "round";
    pen.strokeStyle = "#0009";
    pen.lineWidth = width + 2;
    pen.stroke();
    pen.strokeStyle = ink;
    pen.lineWidth = width;
    pen.stroke();
  }

  corners(points, ink) {
    for (const point of points) this.dot(this.toCanvas(point), 4, "#fff", ink);
  }

  dot([x, y], radius, fill, rim) {
    const pen = this.pen;
    pen.beginPath();
    pen.arc(x, y, radius, 0, 2 * Math.PI);
    pen.fillStyle = fill;
    pen.fill();
    pen.strokeStyle = rim;
    pen.lineWidth = 1.5;
    pen.stroke();
  }

  arrow(hint, isSelected, isHovered) {
    const pen = this.pen, ink = color("hint");
    const [from, to] = hint.points.map((point) => this.toCanvas(point));
    const length = Math.hypot(to[0] - from[0], to[1] - from[1]);
    const angle = Math.atan2(to[1] - from[1], to[0] - from[0]);
    const head = Math.min(13, Math.max(6, length / 2));
    const wing = (turn) => [to[0] - head * Math.cos(angle + turn), to[1] - head * Math.sin(angle + turn)];
    pen.beginPath();
    pen.moveTo(...from);
    pen.lineTo(...to);
    pen.moveTo(...wing(0.5));
    pen.lineTo(...to);
    pen.lineTo(...wing(-0.5));
    this.outline(ink, isSelected ? 3.5 : isHovered ? 3 : 2.5);
    this.dot(from, isSelected ? 5 : 3.5, ink, "#000a");
    if (isSelected) {
      this.dot(to, 5, "#fff", ink);
      this.speed(hint, to, angle);
    }
  }

  speed(hint, [x, y], angle) {
    const pen = this.pen, text = speedText(hint);
    pen.font = "600 12px system-ui, sans-serif";
    const width = pen.measureText(text).width;
    const left = x + 16 * Math.cos(angle) - (Math.cos(angle) < 0 ? width : 0);
    const base = y + 20 * Math.sin(angle) + 4;
    pen.fillStyle = "#0b0e13d9";
    pen.beginPath();
    pen.roundRect(left - 6, base - 14, width + 12, 20, 6);
    pen.fill();
    pen.fillStyle = color("hint");
    pen.fillText(text, left, base);
  }

  draft({ kind, points, next }) {
    if (kind === "hint") return this.arrow({ points: [points[0], next] }, true, false);
    const ink = color(kind), pen = this.pen;
    this.trace(next ? [...points, next] : points);
    this.outline(ink, 2);
    pen.globalAlpha = 0.12;
    pen.fillStyle = ink;
    pen.fill("evenodd");
    pen.globalAlpha = 1;
    this.corners(points.slice(1), ink);
    this.dot(this.toCanvas(points[0]), 6, ink, "#fff");
  }

  particles(preview) {
    const pen = this.pen;
    pen.fillStyle = "#fff";
    for (const { at, life } of preview.particles) {
      pen.globalAlpha = 0.85 * Math.min(1, 4 * life, 4 * (1 - life));
      const [x, y] = this.toCanvas(at);
      pen.beginPath();
      pen.arc(x, y, 1.9, 0, 2 * Math.PI);
      pen.fill();
    }
    pen.globalAlpha = 1;
  }
}

export function speedText(hint) {
  return `${Math.hypot(...velocity(hint)).toFixed(1)} px/frame`;
}
