// The page: tools, keys and the list, over the model and the view.

import { KINDS, Model, contains, distanceToSegment, isHint } from "./model.js";
import { Preview } from "./preview.js";
import { View, speedText } from "./view.js";

const CATCH = 9; // px on the screen within which the pointer takes a corner or an edge
const FREEHAND = 7; // px on the screen between the corners of a region drawn freehand
const SHORTEST = 6; // px on the screen: a shorter drag is a click
const KEYS = { v: "select", m: "motion", h: "hint", s: "sky", g: "ground", w: "water", u: "vertical" };
const TIPS = {
  select: "Drag corners, arrows and regions. Double-click an edge to add a corner.",
  hint: "Drag from where the matter is to where it goes: the longer, the faster.",
  motion: "Click corners, or drag freehand, around what moves. Enter closes.",
};
const byId = (id) => document.getElementById(id);

const state = await (await fetch("state")).json();
const photo = new Image();
photo.src = "photo";
await photo.decode();
const canvas = byId("canvas");
const view = new View(canvas, photo, state.width, state.height);
const model = new Model(state.shapes, state.is_saved, refresh);
const preview = new Preview(model);
let tool = model.shapes.length ? "select" : "motion";
let draft = null; // the region or arrow that is being drawn: {kind, points, next}
let drag = null; // what the pressed pointer does: {move(event), end(event)}
let hovered = null;
let isPanning = false; // the space bar is down
let isPreviewing = false;

// ---- what the pointer is over ----

function hit(place) {
  const near = (point) => Math.hypot(...view.toCanvas(point).map((value, i) => value - place[i])) <= CATCH;
  const order = model.shapes.toReversed().sort((a, b) => rank(b) - rank(a));
  for (const shape of order) {
    const corner = shape === model.selected || isHint(shape) ? shape.points.findIndex(near) : -1;
    if (corner >= 0) return { shape, corner };
  }
  for (const shape of order) {
    const edge = edgeNear(shape, place);
    if (edge >= 0) return { shape, edge };
  }
  const point = view.toPhoto(place);
  const shape = order.find((other) => !isHint(other) && contains(other.points, point));
  return shape ? { shape } : null;
}

// The selected shape lies on top, then hints, then small regions before large ones as drawn last.
function rank(shape) { return shape === model.selected ? 2 : isHint(shape) ? 1 : 0; }

function edgeNear(shape, place) {
  const points = shape.points.map((point) => view.toCanvas(point));
  const count = isHint(shape) ? 1 : points.length;
  for (let i = 0; i < count; i++) {
    if (distanceToSegment(place, points[i], points[(i + 1) % points.length]) <= CATCH - 2) return i;
  }
  return -1;
}

// ---- tools ----

function pressSelect(event, place) {
  const found = hit(place);
  model.selected = found?.shape ?? null;
  refresh();
  if (!found) return startPan(event);
  if (event.altKey && found.corner >= 0) return model.removeCorner(found.shape, found.corner);
  model.remember();
  const shape = found.shape;
  const from = view.toPhoto(place), old = shape.points.map((point) => [...point]);
  const moved = found.corner >= 0 ? [found.corner] : [...old.keys()];
  drag = {
    move(move) {
      const to = view.toPhoto(view.place(move));
      for (const i of moved) shape.points[i] = view.clamp([old[i][0] + to[0] - from[0], old[i][1] + to[1] - from[1]]);
    },
    end() {
      if (isHint(shape) && tooShort(...shape.points)) shape.points = old;
      model.settle();
    },
  };
}

function pressHint(place) {
  const from = view.clamp(view.toPhoto(place));
  draft = { kind: "hint", points: [from], next: from };
  drag = {
    move(event) { draft.next = view.clamp(view.toPhoto(view.place(event))); },
    end() {
      const points = [from, draft.next];
      draft = null;
      if (!tooShort(...points)) model.add("hint", points);
    },
  };
}

// Clicks add corners; a drag adds many, and closes the region if it began it.
function pressRegion(place) {
  const point = view.clamp(view.toPhoto(place));
  const isFirst = !draft;
  if (isFirst) draft = { kind: tool, points: [], next: null };
  else if (draft.points.length >= 3 && isClose(place, draft.points[0])) return closeRegion();
  draft.points.push(point);
  const before = draft.points.length;
  drag = {
    move(event) {
      const here = view.place(event);
      if (!isClose(here, draft.points.at(-1), FREEHAND)) draft.points.push(view.clamp(view.toPhoto(here)));
    },
    end() {
      const isFreehand = draft.points.length - before > 3;
      if (isFirst && isFreehand) closeRegion();
    },
  };
}

function closeRegion() {
  const { kind, points } = draft;
  draft = drag = null;
  if (points.length >= 3) model.add(kind, points);
  else refresh();
}

function isClose(place, point, distance = CATCH) {
  const [x, y] = view.toCanvas(point);
  return Math.hypot(x - place[0], y - place[1]) <= distance;
}

function tooShort(a, b) { return Math.hypot(a[0] - b[0], a[1] - b[1]) * view.scale < SHORTEST; }

function startPan(event) {
  let last = view.place(event);
  drag = {
    move(move) {
      const here = view.place(move);
      view.pan(here[0] - last[0], here[1] - last[1]);
      last = here;
    },
    end() {},
  };
}

// ---- pointer ----

canvas.addEventListener("pointerdown", (event) => {
  if (drag) return;
  canvas.focus();
  canvas.setPointerCapture(event.pointerId);
  const place = view.place(event);
  if (isPanning || event.button === 1) startPan(event);
  else if (event.button !== 0) return;
  else if (tool === "select") pressSelect(event, place);
  else if (tool === "hint") pressHint(place);
  else pressRegion(place);
  paint();
});

canvas.addEventListener("pointermove", (event) => {
  const place = view.place(event);
  if (drag) drag.move(event);
  else if (draft) draft.next = view.clamp(view.toPhoto(place));
  else hover(tool === "select" ? hit(place) : null);
  paint();
});

function endDrag(event) {
  const ended = drag;
  drag = null;
  ended?.end(event);
  paint();
}
canvas.addEventListener("pointerup", endDrag);
canvas.addEventListener("pointercancel", endDrag);

canvas.addEventListener("dblclick", (event) => {
  if (draft) {
    draft.points.pop(); // the second click of the two
    return closeRegion();
  }
  const place = view.place(event), found = tool === "select" && hit(place);
  if (found && found.edge >= 0 && !isHint(found.shape)) {
    model.insertCorner(found.shape, found.edge + 1, view.clamp(view.toPhoto(place)));
  }
});

canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  view.zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0015)), view.place(event));
  paint();
}, { passive: false });

function hover(found) {
  hovered = found?.shape ?? null;
  const cursor = found ? (found.corner >= 0 ? "grab" : "move") : "default";
  canvas.style.cursor = isPanning ? "grab" : tool === "select" ? cursor : "crosshair";
}

// ---- keys ----

document.addEventListener("keydown", (event) => {
  if (byId("keys").open || event.target.matches("select")) return;
  const key = event.key.toLowerCase(), isCommand = event.ctrlKey || event.metaKey;
  const act = isCommand ? commandKey(key, event.shiftKey) : plainKey(key, event);
  if (!act) return;
  event.preventDefault();
  act();
  paint();
});

function commandKey(key, isShifted) {
  if (key === "z") return isShifted ? redo : undo;
  return { y: redo, s: save }[key];
}

function plainKey(key, event) {
  if (event.altKey) return null;
  if (KEYS[key]) return () => choose(KEYS[key]);
  if (key === " " && event.target === document.body || key === " " && event.target === canvas) {
    return () => { isPanning = true; hover(null); };
  }
  if (key === "enter" && event.target.matches("button, li *")) return null;
  return {
    enter: draft && closeRegion,
    escape: draft ? cancel : () => { model.selected = null; refresh(); },
    delete: remove,
    backspace: remove,
    p: togglePreview,
    0: fit,
    "+": () => view.zoom(1.25),
    "=": () => view.zoom(1.25),
    "-": () => view.zoom(0.8),
    "?": () => byId("keys").showModal(),
  }[key];
}

document.addEventListener("keyup", (event) => {
  if (event.key === " ") { isPanning = false; hover(null); }
});

// ---- commands ----

function choose(name) {
  draft = null;
  tool = name;
  if (name !== "select") model.selected = null;
  refresh();
  hover(null);
}

function cancel() { draft = drag = null; paint(); }

function remove() {
  if (draft) {
    draft.points.pop();
    if (!draft.points.length) draft = null;
  } else if (model.selected) model.remove(model.selected);
}

function undo() { draft ? remove() : model.undo(); }
function redo() { if (!draft) model.redo(); }
function fit() { view.fit(); paint(); }

function togglePreview() {
  isPreviewing = !isPreviewing;
  byId("preview").setAttribute("aria-pressed", isPreviewing);
  if (isPreviewing && !(model.hints.length && model.regions("motion").length)) {
    say("The preview needs a motion region and a hint.", true);
  }
  if (isPreviewing) requestAnimationFrame(animate);
}

let lastTime = null;
function animate(time) {
  if (!isPreviewing) {
    lastTime = null;
    return paint();
  }
  preview.step(Math.min(0.1, (time - (lastTime ?? time)) / 1000));
  lastTime = time;
  paint();
  requestAnimationFrame(animate);
}

async function save() {
  const snapshot = model.snapshot();
  const shapes = model.shapes.map(({ label, kind, points }) => (
    { label, points, shape_type: kind === "hint" ? "line" : "polygon" }));
  byId("save").disabled = true;
  try {
    const answer = await fetch("save", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ shapes }),
    });
    const told = await answer.json();
    if (!answer.ok) throw new Error(told.error);
    model.markSaved(snapshot);
    say(`Saved ${told.saved}`, false, told.next);
  } catch (error) {
    const isGone = error instanceof TypeError;
    say(isGone ? "Not saved: Fourfold no longer runs. Start it again; this page still holds your drawing." : `Not saved: ${error.message}`, true);
  } finally {
    byId("save").disabled = false;
  }
}

// ---- what is shown ----

let sayTimer = 0;
function say(text, isBad = false, command = null) {
  const box = byId("message");
  box.textContent = text;
  box.classList.toggle("bad", isBad);
  if (command) box.append(Object.assign(document.createElement("code"), { textContent: command }));
  box.hidden = false;
  clearTimeout(sayTimer);
  sayTimer = setTimeout(() => { box.hidden = true; }, command ? 15000 : 7000);
}

function refresh() {
  for (const button of document.querySelectorAll("[data-tool]")) {
    button.setAttribute("aria-checked", button.dataset.tool === tool);
  }
  byId("undo").disabled = !model.past.length;
  byId("redo").disabled = !model.future.length;
  byId("save").textContent = model.isSaved ? "Saved" : "Save";
  byId("name").textContent = state.photo;
  byId("summary").textContent = summary();
  byId("tip").textContent = TIPS[tool] ?? `Click corners, or drag freehand, around ${tool}. Helps the depth; optional.`;
  byId("shapes").replaceChildren(...model.shapes.map(listItem));
  document.title = `${model.isChanged ? "• " : ""}${state.photo}: Fourfold`;
  paint();
}

function summary() {
  const moving = model.regions("motion").length, hints = model.hints.length;
  if (!moving) return "Begin with a region that moves.";
  if (!hints) return "Now a hint in it: an arrow.";
  const count = (number, what) => `${number} ${what}${number === 1 ? "" : "s"}`;
  return `${count(moving, "moving region")}, ${count(hints, "hint")}`;
}

function listItem(shape) {
  const item = document.createElement("li");
  item.dataset.kind = shape.kind;
  item.setAttribute("aria-current", shape === model.selected);
  const name = Object.assign(document.createElement("b"), { textContent: shape.label });
  const button = Object.assign(document.createElement("button"), { textContent: "×", title: "Remove (Delete)" });
  button.setAttribute("aria-label", `Remove ${shape.label}`);
  button.onclick = (event) => { event.stopPropagation(); model.remove(shape); };
  item.append(document.createElement("i"), name, isHint(shape) ? speedLabel(shape) : kindChoice(shape), button);
  item.onclick = () => { if (!draft) { tool = "select"; model.selected = shape; refresh(); } };
  item.onpointerenter = () => { hovered = shape; paint(); };
  item.onpointerleave = () => { hovered = null; paint(); };
  return item;
}

function speedLabel(hint) {
  return Object.assign(document.createElement("small"), { textContent: speedText(hint) });
}

function kindChoice(shape) {
  const choice = document.createElement("select");
  choice.setAttribute("aria-label", `Kind of ${shape.label}`);
  choice.append(...KINDS.map((kind) => new Option(kind, kind, false, kind === shape.kind)));
  choice.onclick = (event) => event.stopPropagation();
  choice.onchange = () => model.changeKind(shape, choice.value);
  return choice;
}

let isPainting = false;
function paint() {
  if (isPainting) return;
  isPainting = true;
  requestAnimationFrame(() => {
    isPainting = false;
    view.draw(model, draft, hovered, isPreviewing ? preview : null);
  });
}

// ---- start ----

for (const button of document.querySelectorAll("[data-tool]")) button.onclick = () => choose(button.dataset.tool);
byId("undo").onclick = undo;
byId("redo").onclick = redo;
byId("fit").onclick = fit;
byId("preview").onclick = togglePreview;
byId("help").onclick = () => byId("keys").showModal();
byId("save").onclick = save;
new ResizeObserver(() => { view.resize(); paint(); }).observe(canvas);
window.addEventListener("beforeunload", (event) => { if (model.isChanged) event.preventDefault(); });
if (state.notes.length) say(state.notes.join("\n"));
choose(tool);
document.body.dataset.ready = "true";
// For tests: where a point of the photo is on the page.
window.onPage = (x, y) => view.toCanvas([x, y]).map((value, i) => value + [view.box.left, view.box.top][i]);
