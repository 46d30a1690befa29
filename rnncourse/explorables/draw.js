// What all explorables draw with: numbers, words, and SVG as text.

// ---- numbers and words --------------------------------------------------------------------------

export const clamp = (x, low, high) => Math.min(high, Math.max(low, x));
export const scale = (low, high, from, to) => (x) => from + ((x - low) / (high - low)) * (to - from);
export const sigmoid = (z) => 0.5 + 0.5 * Math.tanh(0.5 * z);
export function dot(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}
const minus = (s) => String(s).replace("-", "−");
/** The text of 10ⁿ. */
export const power = (n) => "10" + String(n).replace(/./g, (c) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[c] ?? "⁻");

/** A number for reading: `digits` decimals; as m·10ⁿ if it is too large or too small for that. */
export function fmt(x, digits = 2) {
  const size = Math.abs(x);
  if (!(size < Infinity)) return size ? minus(x).replace("Infinity", "∞") : "–";
  if (size < 1e5 && (!x || size >= 0.5 * 10 ** -digits)) return minus(x.toFixed(digits));
  const [m, n] = x.toExponential(1).split("e");
  return `${minus(m)}·${power(+n)}`;
}

// W_{hh}, h_t, δ^h_t: what follows _ or ^, one character or more in braces, is set low or high.
const MARK = /([_^])(?:\{([^}]*)\}|(.))/gu;
const safe = (s) => String(s).replace(/[&<>"]/g, (c) => `&${{ "&": "amp", "<": "lt", ">": "gt", '"': "quot" }[c]};`);
/** `s` as HTML, with its marks. */
export const html = (s) =>
  safe(s).replace(MARK, (_, kind, long, one) => tag(kind === "_" ? "sub" : "sup", {}, long ?? one));
/** `s` for an attribute, which can have no marks. */
export const plain = (s) => s.replace(MARK, "$2$3");

// ---- drawing: each function returns SVG text, in CSS pixels of its panel ------------------------

const round = (x) => Math.round(x * 10) / 10;
export function tag(name, attributes, inner = "") {
  const list = Object.entries(attributes).filter(([, v]) => v != null && v !== "");
  const written = list.map(([k, v]) => ` ${k}="${typeof v === "number" ? round(v) : safe(v)}"`);
  return `<${name}${written.join("")}>${inner}</${name}>`;
}
export const line = (x1, y1, x2, y2, cls, more) => tag("line", { x1, y1, x2, y2, class: cls, ...more });
export const rect = (x, y, width, height, cls, more) =>
  tag("rect", { x, y, width: Math.max(0, width), height: Math.max(0, height), class: cls, ...more });
export const circle = (cx, cy, r, cls, more) => tag("circle", { cx, cy, r, class: cls, ...more });
/** What can be dragged, by its name: large enough for a finger. */
export const handle = (x, y, cls, what, shape = circle(x, y, 8, `${cls} handle`)) =>
  tag("g", { "data-drag": what }, circle(x, y, 12, "", { style: "fill:transparent" }) + shape);
/** A path through the points [x, y]; one that is not finite breaks it. */
export function path(points, cls, more) {
  let pen = "M";
  const step = ([x, y]) => {
    const here = isFinite(x + y) ? `${pen}${round(x)} ${round(y)}` : "";
    pen = here ? "L" : "M";
    return here;
  };
  return tag("path", { d: points.map(step).join(""), class: cls, ...more });
}
/** Text whose middle (or `anchor`: start, end) is at x, y; with marks _ and ^. */
export function text(x, y, s, cls, anchor = "middle", more) {
  let low = 0; // by how much the baseline is too low, in em
  const shift = (by, size) => ((low += by), { dy: `${(by / size).toFixed(2)}em` });
  const pieces = safe(s).split(MARK); // plain, kind, long, one, plain, …
  let inner = "";
  for (let i = 0; i < pieces.length; i += 4) {
    const [plain, kind, long, one] = pieces.slice(i, i + 4);
    if (plain) inner += low ? tag("tspan", shift(-low, 1), plain) : plain;
    if (kind) inner += tag("tspan", { class: "sub", ...shift((kind === "_" ? 0.22 : -0.4) - low, 0.75) }, long ?? one);
  }
  return tag("text", { x, y, class: cls, "text-anchor": anchor, ...more }, inner);
}
/** For text that lies over lines. */
export const halo = { style: "paint-order:stroke;stroke:var(--card);stroke-width:4;stroke-linejoin:round" };
/** An arrow that stops `gap` pixels short of both ends, bent by `bend` pixels to its left. */
export function arrow(x1, y1, x2, y2, cls = "edge", { gap = 0, bend = 0, ...more } = {}) {
  const long = Math.hypot(x2 - x1, y2 - y1) || 1;
  const [ux, uy] = [(x2 - x1) / long, (y2 - y1) / long];
  const a = [x1 + ux * gap, y1 + uy * gap];
  const b = [x2 - ux * gap, y2 - uy * gap];
  const m = [(x1 + x2) / 2 + uy * bend * 2, (y1 + y2) / 2 - ux * bend * 2];
  const angle = Math.atan2(b[1] - m[1], b[0] - m[0]);
  const wing = (turn) => [b[0] - 8 * Math.cos(angle + turn), b[1] - 8 * Math.sin(angle + turn)];
  const [A, M, B, L, R] = [a, m, b, wing(0.42), wing(-0.42)].map((p) => p.map(round).join(" "));
  return tag("path", { d: `M${A}Q${M} ${B}M${L}L${B}L${R}`, class: cls, ...more });
}
/** Axes of a plot, `x` and `y` each [low, high, ticks, label]; with `log`, y is the exponent of ten.
 *  Returns { x, y } from data to pixels, `back` { x, y } from pixels to data, { left, right, top, bottom },
 *  and the SVG. */
export function axes(w, h, { x, y, log, left = 46, right = 10, top = 24, bottom = 38 }) {
  const box = { left, right: w - right, top, bottom: h - bottom };
  const sx = scale(x[0], x[1], left, box.right);
  const sy = scale(y[0], y[1], box.bottom, top);
  const back = { x: scale(left, box.right, x[0], x[1]), y: scale(box.bottom, top, y[0], y[1]) };
  const rows = y[2].map((v) => line(left, sy(v), box.right, sy(v), "grid") + text(left - 6, sy(v) + 4, log ? power(v) : minus(v), "tick", "end"));
  const columns = x[2].map((v) => line(sx(v), box.bottom, sx(v), box.bottom + 4, "axis") + text(sx(v), box.bottom + 17, minus(v), "tick"));
  const frame = line(left, box.bottom, box.right, box.bottom, "axis");
  const labels = text((left + box.right) / 2, h - 4, x[3], "label") + text(6, 14, y[3], "label", "start");
  return { ...box, x: sx, y: sy, back, svg: rows.join("") + columns.join("") + frame + labels };
}

/** `inner`, cut off at the frame of the axes. */
export function framed({ left, right, top, bottom }, inner) {
  const [width, height] = [right - left, bottom - top];
  const viewBox = `${left} ${top} ${width} ${height}`;
  return tag("svg", { x: left, y: top, width, height, viewBox, style: "overflow:hidden" }, inner);
}
