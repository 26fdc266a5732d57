// A rough preview: dots that drift through the moving regions as the hints say. Each follows the
// hints near it; the real solver also knows the perspective and the banks.

import { contains, velocity } from "./model.js";

const COUNT = 420;
const SECONDS = 2.5;
const FPS = 30;

export class Preview {
  constructor(model) {
    this.model = model;
    this.particles = [];
  }

  step(seconds) {
    const regions = this.model.regions("motion");
    const hints = this.model.hints.map((hint) => ({ at: hint.points[0], velocity: velocity(hint) }));
    if (!regions.length || !hints.length) {
      this.particles = [];
      return;
    }
    while (this.particles.length < COUNT) this.particles.push({ life: Math.random() });
    for (const particle of this.particles) {
      particle.life += seconds / SECONDS;
      const isGone = !particle.region || !contains(particle.region.points, particle.at);
      if (particle.life >= 1 || isGone) this.place(particle, regions);
      const [vx, vy] = blend(particle, hints);
      particle.at = [particle.at[0] + vx * FPS * seconds, particle.at[1] + vy * FPS * seconds];
    }
  }

  place(particle, regions) {
    const areas = regions.map((region) => Math.abs(area(region.points)) + 1);
    let choice = Math.random() * areas.reduce((sum, value) => sum + value, 0);
    const index = areas.findIndex((value) => (choice -= value) <= 0);
    particle.region = regions[Math.max(0, index)];
    particle.at = inside(particle.region.points);
    particle.life = particle.life >= 1 ? 0 : Math.random();
    particle.hints = null;
  }
}

// Hints in the dot's own region come before those of others; near ones count most.
function blend({ at, region }, hints) {
  const own = hints.filter((hint) => contains(region.points, hint.at));
  let sum = 0, x = 0, y = 0;
  for (const hint of own.length ? own : hints) {
    const weight = 1 / (1 + (hint.at[0] - at[0]) ** 2 + (hint.at[1] - at[1]) ** 2);
    sum += weight;
    x += weight * hint.velocity[0];
    y += weight * hint.velocity[1];
  }
  return [x / sum, y / sum];
}

function inside(points) {
  const xs = points.map((point) => point[0]), ys = points.map((point) => point[1]);
  const [left, top] = [Math.min(...xs), Math.min(...ys)];
  const [width, height] = [Math.max(...xs) - left, Math.max(...ys) - top];
  for (let attempt = 0; attempt < 40; attempt++) {
    const point = [left + Math.random() * width, top + Math.random() * height];
    if (contains(points, point)) return point;
  }
  return points[0];
}

function area(points) {
  return points.reduce((sum, [x, y], i) => {
    const [nextX, nextY] = points[(i + 1) % points.length];
    return sum + (x * nextY - nextX * y) / 2;
  }, 0);
}
