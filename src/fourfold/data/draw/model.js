// What is drawn: shapes in photo pixels, with undo. A shape is {label, kind, points}.

export const KINDS = ["motion", "sky", "ground", "water", "vertical"];
const HINT = "hint";
// A hint's arrow is the way of 50 frames.
const HINT_FRAMES = 50;

export class Model {
  constructor(shapes, isSaved, changed) {
    this.shapes = shapes;
    this.selected = null;
    this.changed = changed;
    this.past = [];
    this.future = [];
    this.loadedAs = this.snapshot();
    this.savedAs = isSaved ? this.loadedAs : null;
  }

  snapshot() { return JSON.stringify(this.shapes); }

  get isSaved() { return this.snapshot() === this.savedAs; }

  get isChanged() { return ![this.loadedAs, this.savedAs].includes(this.snapshot()); }

  markSaved(snapshot) { this.savedAs = this.loadedAs = snapshot; this.changed(); }

  // Call before the first change of one step that can be undone.
  remember() {
    this.past.push(this.snapshot());
    this.future = [];
  }

  // Forget a remembered step that changed nothing.
  settle() {
    if (this.past.at(-1) === this.snapshot()) this.past.pop();
    this.changed();
  }

  undo() { this.travel(this.past, this.future); }
  redo() { this.travel(this.future, this.past); }

  travel(from, to) {
    if (!from.length) return;
    to.push(this.snapshot());
    this.shapes = JSON.parse(from.pop());
    this.selected = null;
    this.changed();
  }

  add(kind, points) {
    this.remember();
    const shape = { label: this.freeLabel(kind), kind, points };
    this.shapes.push(shape);
    this.selected = shape;
    this.settle();
    return shape;
  }

  remove(shape) {
    this.remember();
    this.shapes = this.shapes.filter((other) => other !== shape);
    if (this.selected === shape) this.selected = null;
    this.settle();
  }

  changeKind(shape, kind) {
    this.remember();
    shape.kind = kind;
    shape.label = this.freeLabel(kind);
    this.settle();
  }

  removeCorner(shape, index) {
    if (isHint(shape) || shape.points.length <= 3) return;
    this.remember();
    shape.points.splice(index, 1);
    this.settle();
  }

  insertCorner(shape, index, point) {
    this.remember();
    shape.points.splice(index, 0, point);
    this.settle();
  }

  freeLabel(kind) {
    const taken = new Set(this.shapes.map((shape) => shape.label));
    let number = 0;
    while (taken.has(`${kind}_${number}`)) number++;
    return `${kind}_${number}`;
  }

  get hints() { return this.shapes.filter(isHint); }

  regions(kind) { return this.shapes.filter((shape) => shape.kind === kind); }
}

export function isHint(shape) { return shape.kind === HINT; }

// Pixels of the photo per frame.
export function velocity(hint) {
  const [[x, y], [toX, toY]] = hint.points;
  return [(toX - x) / HINT_FRAMES, (toY - y) / HINT_FRAMES];
}

export function contains(points, [x, y]) {
  let inside = false;
  for (let i = 0, j = points.length - 1; i < points.length; j = i++) {
    const [xi, yi] = points[i], [xj, yj] = points[j];
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) inside = !inside;
  }
  return inside;
}

export function distanceToSegment([x, y], [ax, ay], [bx, by]) {
  const dx = bx - ax, dy = by - ay;
  const t = Math.max(0, Math.min(1, ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy || 1)));
  return Math.hypot(x - ax - t * dx, y - ay - t * dy);
}
