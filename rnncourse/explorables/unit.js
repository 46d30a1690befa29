import { axes, circle, fmt, framed, handle, line, path, rect, text } from "./draw.js";
import { mount } from "./kit.js";

const STEPS = 40;
export const PULSES = Array.from({ length: STEPS }, (_, i) => ({ 9: 1, 10: 1, 24: -1, 25: -1 })[i] ?? 0);

/** h_0 … h_40: h ← tanh(w h + u x_t + b). */
export function trajectory(w, u, b, h0) {
  const h = [h0];
  for (const x of PULSES) h.push(Math.tanh(w * h.at(-1) + u * x + b));
  return h;
}

/** The place between `low` and `high` where `above` changes from true to false, or back. */
function halve(low, high, above) {
  const sign = above(low);
  for (let k = 0; k < 60; k++) {
    const middle = (low + high) / 2;
    if (above(middle) === sign) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** Every h with h = tanh(w h + b), ascending. Between the turning points there is at most one. */
export function fixedPoints(w, b) {
  const turn = Math.sqrt(1 - 1 / w);
  const ends = w > 1 ? [-1, -turn, turn, 1] : [-1, 1];
  const above = (h) => Math.tanh(w * h + b) - h > 0;
  const pairs = ends.slice(1).map((end, i) => [ends[i], end]);
  return pairs.filter(([low, high]) => above(low) !== above(high)).map(([low, high]) => halve(low, high, above));
}

/** The slope of the map at its fixed point h: stable if it is between −1 and 1. */
export const slope = (w, h) => w * (1 - h * h);

const kind = (size) => (Math.abs(size - 1) < 1e-6 ? "border" : size < 1 ? "stable" : "unstable");

/** The two values between which the state ends up swinging, the larger first; none if there is no swing. */
export function cycle(w, b) {
  const [h] = fixedPoints(w, b);
  if (slope(w, h) >= -1) return [];
  const f = (x) => Math.tanh(w * x + b);
  const high = halve(h + 1e-6, 1, (x) => f(f(x)) > x);
  return [high, f(high)];
}

/** The swings for every weight from −3 up to the one where they begin, [w, high, low]. */
function swings(b) {
  const none = (w) => !cycle(w, b).length;
  if (none(-3)) return [];
  const border = halve(-3, 0, none);
  const [h] = fixedPoints(border, b);
  // They grow fast at first, so the weights lie close there.
  const w = Array.from({ length: 30 }, (_, i) => border - (border + 3) * ((i + 1) / 30) ** 2);
  return [[border, h, h], ...w.map((w) => [w, ...cycle(w, b)])];
}

function view(ui) {
  const { state: s, t } = ui;
  let h, points;
  ui.each(() => {
    h = trajectory(s.w, s.u, s.b, s.h0);
    points = fixedPoints(s.w, s.b).map((at) => ({ at, slope: slope(s.w, at), kind: kind(Math.abs(slope(s.w, at))) }));
  });
  const map = { x: [-1, 1, [-1, 0, 1], t("before")], y: [-1, 1, [-1, 0, 1], t("after")] };
  const fork = { x: [-3, 3, [-3, -1, 1, 3], t("weight")], y: [-1, 1, [-1, 0, 1], t("points")] };
  const square = { height: (w) => Math.min(w, 260), min: 230 };
  const still = { "pointer-events": "none" }; // it may lie on a ring that can be dragged
  const mark = (x, y, p) => circle(x, y, 5, p.kind === "stable" ? "hidden" : "hidden node", still);

  let plane, forks; // the axes as last drawn
  ui.panel("cobweb", (w, height) => {
    const a = (plane = axes(w, height, map));
    const at = ([x, y]) => [a.x(x), a.y(y)];
    const curve = Array.from({ length: 81 }, (_, i) => -1 + i / 40).map((x) => at([x, Math.tanh(s.w * x + s.b)]));
    // Up or down to the next state, then across to the diagonal; with a pulse the way misses the curve.
    const web = (pulsed) => h.slice(0, s.steps).flatMap((from, k) => {
      const to = h[k + 1];
      return Boolean(PULSES[k] * s.u) === pulsed ? [[from, from], [from, to], [to, to], [NaN, NaN]].map(at) : [];
    });
    const here = h[s.steps];
    return a.svg + line(...at([-1, -1]), ...at([1, 1]), "axis dash") + path(curve, "hidden thick") +
      path(web(false), "error") + path(web(true), "input dash") + handle(...at([s.h0, s.h0]), "error", "h0") +
      points.map((p) => mark(...at([p.at, p.at]), p)).join("") + circle(...at([here, here]), 3, "error", still);
  }, { ...square, drag: (x) => ui.set({ h0: plane.back.x(x) }) });

  ui.panel("trace", (w, height) => {
    const a = axes(w, height, { x: [0, STEPS, [0, 10, 20, 30, 40], t("time")], y: [-1, 1, [-1, 0, 1], t("value")] });
    const pulses = PULSES.map((x, i) => x * s.u && rect(a.x(i + 0.5), x > 0 ? a.y(1) : a.y(0), a.x(1) - a.x(0), a.y(0) - a.y(1), "input faint"));
    const seen = h.slice(0, s.steps + 1).map((y, k) => [a.x(k), a.y(y)]);
    return a.svg + pulses.filter(Boolean).join("") + (s.u ? text(a.x(10.5), a.y(1) - 6, t("pulse"), "input") + text(a.x(27), a.y(0) - 6, t("down"), "input", "start") : "") +
      path(seen, "error") + seen.map(([x, y], k) => circle(x, y, k === s.steps ? 5 : 2.5, "error")).join("");
  }, { height: (w) => (w > 380 ? 260 : 150), min: 400 });

  // What the story needs stands below its pictures: a push, and whether it is remembered.
  ui.player("steps", { every: 120 });
  ui.slider("w");
  ui.slider("b");
  ui.presets({
    latch: { w: 2, b: 0, u: 2, h0: -0.95, steps: STEPS },
    forget: { w: 0.5, b: 0, u: 2, h0: -0.95, steps: STEPS },
    oscillate: { w: -2, b: 0, u: 0, h0: 0.5, steps: STEPS },
  });
  ui.panel("fork", (w, height) => {
    const a = (forks = axes(w, height, fork));
    const at = ([x, y]) => [a.x(x), a.y(y)];
    // A fixed point h = tanh(z) belongs to the weight (z − b) / h. Near h = 0 the weights lie far apart.
    const branch = Array.from({ length: 401 }, (_, i) => 5 * ((i - 200) / 200) ** 3)
      .map((z) => [(z - s.b) / Math.tanh(z), Math.tanh(z)])
      .map((p) => ({ stable: Math.abs(slope(...p)) < 1, at: at(p) }));
    const part = (test) => branch.map((p, i) => (test(p) || (i && test(branch[i - 1])) ? p.at : [NaN, NaN]));
    const zero = s.b ? "" : [[-3, -1, "dash"], [-1, 1, "thick"], [1, 3, "dash"]]
      .map(([from, to, cls]) => line(a.x(from), a.y(0), a.x(to), a.y(0), `hidden ${cls}`)).join("");
    const swing = swings(s.b);
    const curves = zero + path(part((p) => p.stable), "hidden thick") + path(part((p) => !p.stable), "hidden dash") +
      [1, 2].map((i) => path(swing.map((row) => at([row[0], row[i]])), "output thick")).join("");
    return a.svg + framed(a, curves) + line(a.x(s.w), a.top, a.x(s.w), a.bottom, "error") +
      (swing.length ? text(a.left + 4, a.y((swing.at(-1)[1] + fixedPoints(-3, s.b)[0]) / 2) + 4, t("swing"), "output", "start") : "") +
      points.map((p) => mark(a.x(s.w), a.y(p.at), p)).join("") + handle(a.x(s.w), a.bottom, "error", "w");
  }, { ...square, parent: ui.more.panels, drag: (x) => ui.set({ w: forks.back.x(x) }) });

  for (const key of ["h0", "u", "steps"]) ui.slider(key, { parent: ui.more.controls });

  ui.summary = () => {
    const stable = points.filter((p) => p.kind === "stable").length;
    const still = points.some((p) => p.kind === "unstable" && Math.abs(p.at - h.at(-1)) < 1e-9);
    const verdict = still ? "rests" : stable > 1 ? "remembers" : stable ? "forgets" : points[0].kind === "border" ? "borders" : "swings";
    const list = points.map((p) => t("point", { h: fmt(Math.abs(p.at) < 1e-9 ? 0 : p.at, 3), kind: t(p.kind), slope: fmt(p.slope, 3) })).join(", ");
    return t("summary", {
      w: fmt(s.w), b: fmt(s.b), steps: s.steps, h: fmt(h[s.steps], 3), verdict: t(verdict),
      points: (points.length > 1 ? t("many", { n: points.length }) : t("one")) + list,
    });
  };
}

const explorable = { render: (context) => mount(context, view) };
export default explorable;
