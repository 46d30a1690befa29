import { arrow, axes, circle, clamp, fmt, framed, handle, line, path, power, rect, scale, sigmoid, tag, text } from "./draw.js";
import { mount } from "./kit.js";

const [STEPS, UPDATES] = [50, 200];
const AREA = { w: [3.9, 5.7], b: [-2.95, -1.85] };
const [low, high] = AREA.b;
const FLOOR = -4; // of the drawn exponents of ‖g‖

const past = new Float64Array(STEPS); // σ(h_0) … σ(h_49) of the last call of `cliff`
/** [E, dE/dw, dE/db] of h ← w σ(h) + b, h_0 = ½, after 50 steps: eq-cliff-error. */
export function cliff(w, b) {
  let h = 0.5;
  for (let t = 0; t < STEPS; t++) h = w * (past[t] = sigmoid(h)) + b;
  const y = sigmoid(h);
  let [delta, dw, db] = [2 * (y - 0.7) * y * (1 - y), 0, 0];
  for (let t = STEPS - 1; t >= 0; t--) {
    dw += delta * past[t];
    db += delta;
    delta = delta * w * past[t] * (1 - past[t]);
  }
  return [(y - 0.7) ** 2, dw, db];
}

/** Gradient descent: [w, b, E, ‖g‖] at the start and after each update. */
export function descend(w, b, rate, maxNorm = Infinity) {
  const rows = [];
  for (let k = 0; k <= UPDATES; k++) {
    const [error, dw, db] = cliff(w, b);
    const norm = Math.sqrt(dw * dw + db * db);
    rows.push([w, b, error, norm]);
    const cut = Math.min(1, maxNorm / norm);
    w -= rate * (dw * cut);
    b -= rate * (db * cut);
  }
  return rows;
}

/** The largest move in the first k updates. */
export const farthest = (rows, k, rate, maxNorm = Infinity) =>
  rate * rows.slice(0, k).reduce((most, row) => Math.max(most, Math.min(row[3], maxNorm)), 0);

/** Where the line from a place in the area to one outside crosses the border. */
export function border([w, b], [wTo, bTo]) {
  const part = (from, to, [least, most]) => (to === from ? 1 : ((to > from ? most : least) - from) / (to - from));
  const f = Math.min(1, part(w, wTo, AREA.w), part(b, bTo, AREA.b));
  return [w + f * (wTo - w), b + f * (bTo - b)];
}

/** The b, near the area, where σ(h_50) is `y`. It grows with b. */
export function contour(w, y) {
  let [from, to] = [low - 0.1, high + 0.1];
  for (let k = 0; k < 20; k++) {
    const b = (from + to) / 2;
    let h = 0.5;
    for (let t = 0; t < STEPS; t++) h = w * sigmoid(h) + b;
    if (sigmoid(h) < y) from = b;
    else to = b;
  }
  return (from + to) / 2;
}

// The map is drawn as bands of E, each over the one of the next larger errors. E < c is where
// σ(h_50) is between 0.7 − √c and 0.7 + √c: two contours, close together where the wall is.
const BANDS = Array.from({ length: 21 }, (_, i) => (21 - i) / 50);
const tint = (c) => ({ style: `stroke:none;fill:color-mix(in oklab,var(--error) ${Math.round(c * 165)}%,var(--card))` });
let drawn;
function bands() {
  const across = Array.from({ length: 29 }, (_, i) => scale(0, 1, ...AREA.w)((i / 28) ** 2));
  const side = (c, sign) => across.map((w) => [w, contour(w, 0.7 + sign * Math.sqrt(c))]);
  const corners = [...AREA.w].reverse().map((w) => [w, high]);
  return (drawn ??= BANDS.map((c) => ({ c, points: [...side(c, -1), ...(c < 0.09 ? side(c, 1).reverse() : corners)] })));
}

const halo = { style: "paint-order:stroke;stroke:var(--card);stroke-width:4;stroke-linejoin:round" };
const thin = { style: "stroke-width:1.2" };
const ring = "stroke:var(--card);stroke-width:1.5";
// Plain descent: dashed, in ink, a disk. Clipped descent: a solid line, in blue, a square.
const LINES = ["dash", "hidden"];
const TEXTS = ["", "hidden"];
const MARKS = [
  (x, y) => circle(x, y, 4.5, "", { style: `fill:var(--ink);${ring}` }),
  (x, y) => rect(x - 6, y - 6, 12, 12, "hidden", { style: ring }),
];
const inside = ([w, b]) => w >= AREA.w[0] && w <= AREA.w[1] && b >= low && b <= high;
const shown = (x) => (x && Math.abs(x) < 1e-12 ? `<${power(-12)}` : fmt(x, !x ? 0 : Math.abs(x) < 100 ? 3 : 1));

function view(ui) {
  const { state: s, t } = ui;
  const start = (w, b) => ({ w, b, learning_rate: 0.5, max_norm: 0.1, updates: UPDATES });
  ui.presets({ chapter: start(5.5, -2), low: start(4.6, -2.8), flat: start(5.7, -1.85), soft: { ...start(4.2, -2.9), learning_rate: 0.1 } });
  for (const key of ["w", "b", "learning_rate", "max_norm", "updates"]) ui.slider(key);
  ui.player("updates", { every: 60 });

  let key, limits, runs, seen, now, off, most;
  ui.each(() => {
    const given = [s.w, s.b, s.learning_rate, s.max_norm].join();
    limits = [Infinity, s.max_norm];
    if (given !== key) runs = limits.map((limit) => descend(s.w, s.b, s.learning_rate, limit));
    key = given;
    seen = runs.map((rows) => rows.slice(0, s.updates + 1));
    now = seen.map((rows) => rows[s.updates]);
    // The update since which a run is off the map; if it is on it, one that is still to come.
    off = seen.map((rows) => rows.findLastIndex(inside) + 1);
    most = runs.map((rows, i) => farthest(rows, s.updates, s.learning_rate, limits[i]));
  });

  const told = ([w, b, error, norm]) => [shown(w), shown(b), error.toFixed(4), shown(norm)];

  // The map: what is below the paths changes with the width alone.
  let map, at, ground;
  function survey(w, height) {
    map = { w, ...axes(w, height, { x: [...AREA.w, [4, 4.5, 5, 5.5], "w"], y: [...AREA.b, [-2.8, -2.6, -2.4, -2.2, -2], "b"], top: 28 }) };
    at = ([x, y]) => [map.x(x), map.y(y)];
    const step = 6;
    const from = map.right - step * BANDS.length - 34;
    const legend = BANDS.map((c, i) => rect(from + step * (BANDS.length - 1 - i), 5, step + 0.5, 11, "", tint(c)));
    // The start ½ is a fixed point on the line b = ½ − σ(½) w: there is the cliff.
    const [[x, y], [far, down]] = [5.2, 5.5].map((w) => at([w, 0.5 - sigmoid(0.5) * w]));
    const slope = (Math.atan2(down - y, far - x) * 180) / Math.PI;
    ground = {
      frame: map.svg + legend.join("") +
        rect(from, 5, step * BANDS.length, 11, "", { style: "fill:none;stroke:var(--line)" }) +
        text(from - 6, 15, t("least"), "tick", "end") + text(map.right, 15, "0.42", "tick", "end"),
      bands: rect(map.left, map.top, w, height, "", tint(0.42)) + bands().map(({ c, points }) => path(points.map(at), "", tint(c))).join("") +
        text(x, y + 18, t("cliff"), "", "middle", { transform: `rotate(${slope} ${x} ${y})` }),
    };
  }
  let labels; // where they are
  const gone = (i) => {
    const [last, next] = [runs[i][off[i] - 1], runs[i][off[i]]];
    const tip = at(border(last, next));
    let y = clamp(tip[1], map.top + 16, map.bottom - 22);
    const [startX, startY] = at([s.w, s.b]);
    // Right of the tip, unless there is no room or the start is there.
    const end = tip[0] + 80 > map.right || (Math.abs(startX - tip[0] - 44) < 60 && Math.abs(startY - y - 4) < 32);
    const gap = end === at(last)[0] < tip[0] ? 28 : 10;
    const x = tip[0] + (end ? -gap : gap);
    if (labels.some(([there, high]) => Math.abs(there - x) < 160 && Math.abs(high - y) < 34)) y += y > 150 ? -34 : 34;
    labels.push([x, y]);
    const label = (name, value, down) => text(x, y + down, `${name} = ${shown(value)}`, TEXTS[i], end ? "end" : "start", halo);
    return arrow(...at(last), ...tip, `${TEXTS[i]} thick`) + label("w", now[i][0], 0) + label("b", now[i][1], 16);
  };
  ui.panel("map", (w, height) => {
    if (map?.w !== w) survey(w, height);
    labels = [];
    const trails = seen.map((rows) => rows.map(at));
    const dots = trails[0].map(([x, y]) => `M${x.toFixed(1)} ${y.toFixed(1)}h0`).join("");
    const trail = (i) => path(trails[i], "", { style: "stroke:var(--card);stroke-width:4;opacity:0.6" }) + path(trails[i], LINES[i], thin);
    return ground.frame + framed(map, tag("g", { "data-drag": "start" }, ground.bands + trail(1) + trail(0) +
      tag("path", { d: dots, style: "stroke-width:4;stroke-linecap:round" }))) +
      handle(...at([s.w, s.b]), "output", "start") +
      [1, 0].map((i) => (inside(now[i]) ? MARKS[i](...at(now[i])) : gone(i))).join("");
  }, {
    height: () => 340, min: 380,
    drag: (x, y) => ui.set({ w: map.back.x(x), b: map.back.y(y) }),
  });

  // Error and gradient by update.
  const top = 140; // the height of the upper plot
  let above, below;
  ui.panel("curves", (w) => {
    const by = (ticks, label) => [0, UPDATES, ticks, label];
    above = axes(w, top, { x: by([], ""), y: [0, 0.5, [0, 0.2, 0.4], t("error")], bottom: 8 });
    below = axes(w, 340 - top, { x: by([0, 100, 200], t("update")), y: [FLOOR, 6, [-2, 0, 2, 4, 6], t("norm")], log: true });
    const curve = (a, value) => [1, 0].map((i) => path(seen[i].map((row, k) => [a.x(k), a.y(value(row))]), LINES[i], thin) +
      MARKS[i](a.x(s.updates), a.y(value(now[i])))).join("");
    const x = below.x(s.updates);
    const limit = below.y(Math.log10(s.max_norm));
    return above.svg + line(x, above.top, x, top + below.bottom, "grid") + curve(above, (row) => row[2]) +
      tag("g", { transform: `translate(0,${top})` }, below.svg + text(below.left - 6, below.bottom + 4, `≤${power(FLOOR)}`, "tick", "end") +
      line(below.left, limit, below.right, limit, "hidden dash") +
      curve(below, (row) => Math.max(FLOOR, Math.log10(row[3]))) +
      text(below.right - 14, limit + 18, t("limit"), "hidden", "end", halo) +
      handle(below.right, limit, "hidden", "limit")) +
      handle(x, above.top, "output", "updates");
  }, {
    height: () => 340, min: 250,
    drag: (x, y, what) => ui.set(what === "limit"
      ? { max_norm: 10 ** below.back.y(y - top) }
      : { updates: below.back.x(x) }),
  });

  ui.panel("numbers", (w) => {
    const column = scale(0, 1, 76, w - 2);
    // A phone has no room for w and b: the summary says them.
    const ends = w < 440 ? [0.3, 0.6, 1] : [0.185, 0.37, 0.545, 0.755, 1];
    const row = (y, cells, cls) => cells.slice(-ends.length).map((cell, i) => text(column(ends[i]), y, cell, cls, "end")).join("");
    return row(14, ["w", "b", t("E"), "‖g‖", t("move")], "tick") + line(0, 20, w, 20, "grid") + [0, 1].map((i) => {
      const y = 39 + 22 * i;
      return line(0, y - 4, 24, y - 4, LINES[i]) + MARKS[i](12, y - 4) + text(28, y, t(`run${i}`), TEXTS[i], "start") +
        row(y, [...told(now[i]), shown(most[i])], TEXTS[i]);
    }).join("");
  }, { height: () => 70, min: 600 });

  // Whether the numbers shown depend on rounding: they do if a start 10⁻¹⁴ away leads to others.
  const unsure = (limit, i) => {
    const other = descend(s.w + 1e-14, s.b, s.learning_rate, limit)[s.updates];
    return told(other).join() !== told(now[i]).join();
  };
  ui.summary = () => t("summary", { k: s.updates }) + [0, 1].map((i) => {
    const [w, b, error, norm] = told(now[i]);
    return t("place", { run: t(`run${i}`), w, b, error, norm, move: shown(most[i]), off: inside(now[i]) ? "" : t("off", { k: off[i] }) });
  }).join("") + (limits.some(unsure) ? t("unsure") : "");
}

const explorable = { render: (context) => mount(context, view) };
export default explorable;
