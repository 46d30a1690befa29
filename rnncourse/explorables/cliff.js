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
const ring = "stroke:var(--card);stroke-width:1.5";
// Plain descent: dots, in ink, a disk. Clipped descent: a thin line, in blue, a square.
const TEXTS = ["", "hidden"];
const MARKS = [
  (x, y) => circle(x, y, 4.5, "", { style: `fill:var(--ink);${ring}` }),
  (x, y) => rect(x - 6, y - 6, 12, 12, "hidden", { style: ring }),
];
const dots = (points) => tag("path", { d: points.map(([x, y]) => `M${x.toFixed(1)} ${y.toFixed(1)}h0`).join(""), style: "stroke-width:3.5;stroke-linecap:round" });
const TAIL = 12; // so many of the last moves are drawn in full
const inside = ([w, b]) => w >= AREA.w[0] && w <= AREA.w[1] && b >= low && b <= high;
const shown = (x) => (x && Math.abs(x) < 1e-12 ? `<${power(-12)}` : fmt(x, !x ? 0 : Math.abs(x) < 100 ? 3 : 1));

/** A way to place rows of text beside points of the frame, so that no two of them meet. */
function labels({ left, right, top, bottom }, taken) {
  const free = ([x1, y1, x2, y2]) => x1 >= left && x2 <= right && y1 >= top && y2 <= bottom &&
    !taken.some((box) => x1 < box[2] && x2 > box[0] && y1 < box[3] && y2 > box[1]);
  return (x, y, rows, cls, gaps) => {
    const [w, h] = [7.4 * Math.max(...rows.map((row) => row.length)), 16 * rows.length];
    const level = clamp(y - h / 2, top + 2, bottom - h);
    const places = gaps.flatMap((gap) => [level, y + gap, y - gap - h].flatMap((y) =>
      [x + gap, x - gap - w, x - w / 2].map((x) => [x, y, x + w, y + h])));
    const place = places.find(free);
    if (!place) return "";
    taken.push(place);
    return rows.map((row, i) => text(place[0], place[1] + 12 + 16 * i, row, cls, "start", halo)).join("");
  };
}

function view(ui) {
  const { state: s, t } = ui;
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
    map = { w, ...axes(w, height, { x: [...AREA.w, [4, 4.5, 5, 5.5], "w"], y: [...AREA.b, [-2.8, -2.6, -2.4, -2.2, -2], "b"] }) };
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
  ui.panel("map", (w, height) => {
    if (map?.w !== w) survey(w, height);
    const [plain, clipped] = seen.map((rows) => rows.map(at));
    const trails = path(clipped, "hidden", { style: "stroke-width:1;opacity:0.45" }) + path(clipped.slice(-TAIL), "hidden") +
      path(plain, "dash", { style: "stroke-width:1" }) + dots(plain);
    const begin = at([s.w, s.b]);
    const marks = [begin, ...[0, 1].map((i) => at(inside(now[i]) ? now[i] : border(runs[i][off[i] - 1], runs[i][off[i]])))];
    const label = labels(map, marks.map(([x, y]) => [x - 9, y - 9, x + 9, y + 9]));
    const together = Math.hypot(marks[1][0] - marks[2][0], marks[1][1] - marks[2][1]) < 3;
    const name = (i) => {
      const gone = inside(now[i]) ? [] : [`w = ${shown(now[i][0])}`, `b = ${shown(now[i][1])}`];
      return label(...marks[i + 1], [t(together ? "both" : `run${i}`), ...gone], TEXTS[i], gone.length ? [28, 60] : [13, 50]);
    };
    const names = (together ? [0] : [0, 1]).map((i) => (s.updates ? name(i) : ""));
    return ground.frame + framed(map, ground.bands + trails) +
      [1, 0].map((i) => (inside(now[i]) ? MARKS[i](...marks[i + 1]) : arrow(...at(runs[i][off[i] - 1]), ...marks[i + 1], `${TEXTS[i]} thick`))).join("") + handle(...begin, "output", "start") +
      names.join("") + label(...begin, [t("start")], "output", [13]);
  }, {
    height: () => 290, min: 400,
    drag: (x, y) => ui.set({ w: map.back.x(x), b: map.back.y(y) }),
  });

  /** Both runs by update, each up to now. */
  const curves = (a, value) => [1, 0].map((i) => path(seen[i].map((row, k) => [a.x(k), a.y(value(row))]), `${TEXTS[i]} ${i ? "" : "dash"}`, { style: "stroke-width:1.2" }) +
    MARKS[i](a.x(s.updates), a.y(value(now[i])))).join("");
  const by = [0, UPDATES, [0, 100, 200], t("update")];
  let plot;
  ui.panel("norms", (w, height) => {
    const y = [FLOOR, 5, [-1, 2, 5], t("norm")];
    const a = (plot = axes(w, height, { x: by, y, log: true, right: 40 }));
    const value = (row) => clamp(Math.log10(row[3]), FLOOR, 5);
    const limit = a.y(Math.log10(s.max_norm));
    const peak = seen[0].reduce((top, row, k, rows) => (row[3] > rows[top][3] ? k : top), 0);
    return a.svg + text(a.left - 6, a.bottom + 4, `≤${power(FLOOR)}`, "tick", "end") +
      line(a.left, limit, a.right + 20, limit, "hidden dash") + curves(a, value) +
      (seen[0][peak][3] > 10 ? text(a.x(peak) + 6, a.y(value(seen[0][peak])) + 6, shown(seen[0][peak][3]), "", "start", halo) : "") +
      text(a.right + 22, limit - 16, t("limit"), "hidden") + handle(a.right + 20, limit, "hidden", "limit");
  }, {
    // Beside the map it is as high; below it, on a phone, low.
    height: (w) => (Math.abs(w - map.w) > 1 ? 290 : 122), min: 250,
    drag: (x, y) => ui.set({ max_norm: 10 ** plot.back.y(y) }),
  });

  ui.slider("updates");
  ui.slider("max_norm");
  ui.player("updates", { every: 60 });
  const start = (w, b) => ({ w, b, learning_rate: 0.5, max_norm: 0.1, updates: UPDATES });
  ui.presets({ chapter: start(5.5, -2), low: start(4.6, -2.8), soft: { ...start(4.2, -2.9), learning_rate: 0.1 } });

  const { panels: parent, controls } = ui.more;
  ui.panel("errors", (w, height) => {
    const a = axes(w, height, { x: by, y: [0, 0.5, [0, 0.2, 0.4], t("error")] });
    return a.svg + curves(a, (row) => row[2]);
  }, { height: () => 150, min: 320, parent });
  ui.panel("numbers", (w) => {
    const row = (y, cells, cls) => cells.map((cell, i) => text(scale(-1, 2, 56, w)(i), y, cell, cls, "end")).join("");
    return row(14, [t("E"), "‖g‖", t("move")], "tick") + line(0, 20, w, 20, "grid") + [0, 1].map((i) => {
      const y = 39 + 22 * i;
      return MARKS[i](12, y - 4) + text(28, y, t(`run${i}`), TEXTS[i], "start") +
        row(y, [...told(now[i]).slice(2), shown(most[i])], TEXTS[i]);
    }).join("");
  }, { height: () => 70, min: 320, parent });
  for (const name of ["learning_rate", "w", "b"]) ui.slider(name, { parent: controls });

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
