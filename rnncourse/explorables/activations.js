import { axes, circle, clamp, dot, fmt, html, line, path, rect, sigmoid, tag, text } from "./draw.js";
import { mount } from "./kit.js";

const transposed = (W) => W[0].map((_, k) => W.map((row) => row[k]));

/** The weights from their base64: float32, one parameter after the other, each row by row. */
export function unpack({ alphabet, hidden, lstm, weights }) {
  const bytes = Uint8Array.from(atob(weights), (c) => c.charCodeAt(0));
  const numbers = [...new Float32Array(bytes.buffer)];
  const matrix = (rows, columns) => Array.from({ length: rows }, () => numbers.splice(0, columns));
  const D = [...alphabet].length;
  const rows = lstm ? 4 * hidden : hidden;
  const [W_xh, W_hh, [b_h], W_hy, [b_y]] = [[rows, D], [rows, hidden], [1, rows], [D, hidden], [1, D]].map((size) => matrix(...size));
  return { lstm, W_xh, W_hh, b_h, W_hy, b_y, columns: { W_xh: transposed(W_xh), W_hh: transposed(W_hh) } };
}

/** What every step holds, from zeros; ids are places in the alphabet. The gates of W are i, f, g, o. */
export function forward({ lstm, W_xh, W_hh, b_h }, ids) {
  const H = W_hh[0].length;
  let h = Array(H).fill(0);
  let c = h;
  return ids.map((id) => {
    const a = W_hh.map((row, j) => W_xh[j][id] + b_h[j] + dot(row, h));
    if (!lstm) return { h: (h = a.map(Math.tanh)) };
    const gate = (q, f) => a.slice(q * H, (q + 1) * H).map(f);
    const [i, f, g, o] = [gate(0, sigmoid), gate(1, sigmoid), gate(2, Math.tanh), gate(3, sigmoid)];
    const before = c;
    c = f.map((v, j) => v * before[j] + i[j] * g[j]);
    h = c.map((v, j) => o[j] * Math.tanh(v));
    return { i, f, g, o, c, h, before };
  });
}

/** ‖∂v/∂x_k‖ for k = 1 … t, where v is entry `unit` (from 1) of c_t or h_t: back through time. */
export function gradientBack({ lstm, columns }, steps, t, unit, part) {
  const zeros = steps[0].h.map(() => 0);
  const one = zeros.map((_, j) => +(j === unit - 1));
  let [dh, dc] = part === "c" ? [zeros, one] : [one, zeros];
  const norms = [];
  while (t--) {
    const { i, f, g, o, c, h, before } = steps[t];
    let da;
    if (lstm) {
      const tanh = c.map(Math.tanh);
      dc = dc.map((d, j) => d + dh[j] * o[j] * (1 - tanh[j] ** 2));
      da = [
        ...dc.map((d, j) => d * g[j] * i[j] * (1 - i[j])),
        ...dc.map((d, j) => d * before[j] * f[j] * (1 - f[j])),
        ...dc.map((d, j) => d * i[j] * (1 - g[j] ** 2)),
        ...dh.map((d, j) => d * tanh[j] * o[j] * (1 - o[j])),
      ];
      dc = dc.map((d, j) => d * f[j]);
    } else da = dh.map((d, j) => d * (1 - h[j] ** 2));
    norms[t] = Math.hypot(...columns.W_xh.map((w) => dot(w, da)));
    dh = columns.W_hh.map((w) => dot(w, da));
  }
  return norms;
}

/** How many of the newest norms make up half of their sum or more. */
export function reach(norms) {
  let sum = 0;
  const sums = [...norms].reverse().map((v) => (sum += v));
  return sum && sums.findIndex((v) => v >= sum / 2) + 1;
}

/** The probabilities of the next character: softmax(y_t). */
export function probabilities({ W_hy, b_y }, h) {
  const y = W_hy.map((row, k) => dot(row, h) + b_y[k]);
  const most = Math.max(...y);
  const e = y.map((v) => Math.exp(v - most));
  const sum = e.reduce((a, b) => a + b);
  return e.map((v) => v / sum);
}

/** The lines of a text, each a list of places in it: at most `columns`, cut after a space if there is one. */
export function wrap(characters, columns) {
  const lines = [];
  for (let start = 0; start < characters.length;) {
    let end = Math.min(start + columns, characters.length);
    const space = characters.lastIndexOf(" ", end - 1);
    if (end < characters.length && space >= start) end = space + 1;
    lines.push(Array.from({ length: end - start }, (_, k) => start + k));
    start = end;
  }
  return lines;
}

// Of a line of text, from its top: the letters stand between two edges. Bars up stand on the upper one, bars down hang from the lower one.
const [LINE, UPPER, LOWER, BAR] = [49, 16, 33, 13];
const LAGS = 60;
const symbol = (c) => ({ " ": "␣", "\n": "↵" })[c] ?? c;
const percent = (p) => (p < 0.0005 ? "<0.1 %" : `${fmt(100 * p, 1)} %`);
/** Bars [x, from, to] in one path. */
const bars = (list, cls, width, opacity = 1) =>
  path(list.flatMap(([x, from, to]) => [[x, from], [x, to], [NaN, NaN]]), cls, { style: `stroke-width:${width}px;opacity:${opacity}` });

function view(ui) {
  const { state: s, t, data } = ui;
  const [alphabet, net, most] = [[...data.alphabet], unpack(data), [...data.text].length];
  let characters, steps, T;
  let placed = {}; // the text, laid out for one width
  function read(text) {
    characters = [...text];
    steps = forward(net, characters.map((c) => alphabet.indexOf(c)));
    T = characters.length;
    placed = {};
  }
  read(data.text);
  const names = { " ": "space", "\n": "newline", "_": "underscore", "^": "caret" }; // _ and ^ are marks in a sentence
  const named = (c) => t(names[c] ?? "quoted", { c });

  let hover, at, norms, half, values, next;
  ui.each(() => {
    at = Math.min(hover ?? s.position, T);
    values = steps.map((step) => step[s.show][s.unit - 1]);
    norms = gradientBack(net, steps, at, s.unit, s.show);
    half = reach(norms);
    next = probabilities(net, steps[at - 1].h).map((p, k) => ({ p, c: alphabet[k] })).sort((a, b) => b.p - a.p);
  });

  // ---- the text, with what the unit holds after each character, or with the gradient back to it
  const layout = (width) => (placed.width === width ? placed : (placed = lay(width)));
  function lay(width) {
    const cell = width < 500 ? 12 : 13;
    const top = width < 500 ? 46 : 28;
    const lines = wrap(characters, Math.floor(width / cell));
    const xy = lines.flatMap((list, row) => list.map((_, column) => [cell * (column + 0.5), top + LINE * row]));
    const style = "white-space:pre;font:14px ui-monospace,monospace";
    const written = lines.map((list) => tag("text", {
      x: list.map((k) => `${xy[k][0]} `.repeat(characters[k].length)).join(""), y: xy[list[0]][1] + UPPER + 12.5, "text-anchor": "middle", style,
    }, list.map((k) => ({ "&": "&amp;", "<": "&lt;", "\n": "↵" })[characters[k]] ?? characters[k]).join("")));
    return { width, cell, top, lines, xy, written: written.join("") };
  }

  /** Up where the value is above 0, down where it is below; faint what is not yet read. */
  function memory({ cell, xy }) {
    const list = values.map((v, k) => {
      const [[x, y], size] = [xy[k], s.show === "c" ? Math.tanh(v) : v];
      const edge = y + (v < 0 ? LOWER : UPPER);
      return [x, edge, edge - BAR * size];
    });
    const signs = [[(v) => v >= 0, "hidden"], [(v) => v < 0, "output"]];
    return signs.map(([test, cls]) => [[0, at, 0.85], [at, T, 0.3]].map(([from, to, opacity]) =>
      bars(list.filter((_, k) => k >= from && k < to && test(values[k])), cls, cell - 1, opacity)).join("")).join("");
  }
  /** The size of the gradient back to each character; the newest that make up half of it are underlined. */
  function gradient({ cell, xy }) {
    const most = Math.max(...norms) || 1;
    const places = norms.map((v, k) => [xy[k][0], xy[k][1] + UPPER, xy[k][1] + UPPER - BAR * (v / most)]);
    const under = places.slice(at - half).flatMap(([x, y]) => [[x - cell / 2, y + 19], [x + cell / 2, y + 19], [NaN, NaN]]);
    return bars(places, "error", cell - 2) + path(under, "error thick");
  }
  const legend = (x, y) => (s.gradient
    ? bars([[x + 5, y, y - 10]], "error", 10) + text(x + 16, y, t("gradient"), "quiet", "start") +
      line(x + 128, y - 3, x + 140, y - 3, "error thick") + text(x + 146, y, t("half.it"), "quiet", "start")
    : bars([[x + 5, y - 4, y - 12]], "hidden", 10, 0.85) + text(x + 16, y, t(`above.${s.show}`), "quiet", "start") +
      bars([[x + 133, y - 4, y + 4]], "output", 10, 0.85) + text(x + 144, y, t(`below.${s.show}`), "quiet", "start"));

  const page = ui.panel("page", (width) => {
    const laid = layout(width);
    const [x, y] = laid.xy[at - 1];
    const head = s.gradient ? t("half", { n: half }) : `${t(`part.${s.show}`)} = ${fmt(values[at - 1])}`;
    return text(0, 16, t("star", { unit: s.unit, head }), "", "start", { style: "font-size:16px;font-weight:bold" }) +
      legend(...(width < 500 ? [0, 37] : [250, 15])) + (s.gradient ? gradient : memory)(laid) + laid.written +
      rect(x - laid.cell / 2 - 1, y, laid.cell + 2, LINE, "", { rx: 3, style: "fill:none;stroke:var(--ink);stroke-width:2px" });
  }, { height: (width) => layout(width).top + LINE * layout(width).lines.length + 2, min: 600 });
  page.style.cursor = "pointer";

  /** The character at the pointer. */
  function under(event) {
    const box = page.getBoundingClientRect();
    const { cell, top, lines } = layout(box.width);
    const list = lines[Math.floor((event.clientY - box.top - top) / LINE)];
    return list && 1 + list[clamp(Math.floor((event.clientX - box.left) / cell), 0, list.length - 1)];
  }
  const look = (k) => hover !== k && ((hover = k), ui.set({}));
  page.addEventListener("click", (event) => under(event) && ui.set({ position: under(event) }));
  page.addEventListener("pointermove", (event) => event.pointerType === "mouse" && look(under(event)));
  page.addEventListener("pointerleave", () => look(undefined));

  const row = ui.controls.appendChild(document.createElement("div"));
  row.className = "buttons";
  // Of a text that is shorter by `less` than the first one, the last character is position T.
  const less = () => most - T;
  ui.player("position", { every: 120, parent: row, read: () => s.position + less(), write: (k) => ui.set({ position: k - less() }) });
  if (data.presets.quotation) {
    ui.presets(data.presets, row);
    row.lastChild.addEventListener("click", () => type(data.text)); // they are places in the first text
  }
  ui.toggle("gradient", { parent: row });
  ui.slider("unit");

  // ---- more: the gradient by lag, and what the network makes of all its units
  const { panels: parent, controls } = ui.more;
  ui.panel("lags", (width, height) => {
    const top = Math.max(2, Math.ceil(Math.log10(Math.max(...norms))));
    const ticks = Array.from({ length: Math.ceil((top + 5) / 2) }, (_, k) => 2 * k - 4);
    const a = axes(width, height, { x: [-0.5, LAGS + 0.5, [0, 20, 40, 60], t("lag")], y: [-4, top, ticks, t(`size.${s.show}`)], log: true });
    const points = norms.slice(-LAGS - 1).reverse().map((v, n) => [a.x(n), v >= 1e-4 ? a.y(Math.log10(v)) : NaN]);
    const border = a.x(half - 0.5);
    return rect(a.left, a.top, Math.min(border, a.right) - a.left, a.bottom - a.top, "error", { "fill-opacity": 0.12 }) + a.svg + path(points, "error") +
      points.map(([x, y]) => (y ? circle(x, y, 2.5, "error") : "")).join("") +
      (half ? line(border, a.top, border, a.bottom, "error dash") + text(border + 6, a.top + 12, t("half", { n: half }), "error", "start") : "");
  }, { height: () => 210, min: 340, parent });

  ui.panel("next", (width) => next.slice(0, 3).map(({ c, p }, row) => {
    const y = 28 + 34 * row;
    return text(12, y + 16, symbol(c), "", "middle", { style: "font-family:ui-monospace,monospace;font-size:16px" }) +
      rect(28, y, (width - 100) * p, 22, "output", { "fill-opacity": 0.55 }) + rect(28, y, 1.5, 22, "output") +
      text(34 + (width - 100) * p, y + 16, percent(p) + (c === characters[at] ? " ✓" : ""), "", "start");
  }).join("") + text(0, 14, t("network"), "label", "start") +
    text(0, 150, at < T ? t("true", { c: symbol(characters[at]) }) : t("end"), "quiet", "start"), { height: () => 160, min: 220, parent });
  if (data.lstm) ui.choice("show", { parent: controls });
  const slider = ui.slider("position", { shown: () => `${at}: ${symbol(characters[at - 1])}`, parent: controls });
  ui.each(() => (slider.max = T));

  // ---- a text of the reader's own, in the alphabet of the network
  controls.insertAdjacentHTML("beforeend", tag("label", { style: "flex:1 1 100%" }, html(t("own")) +
    tag("textarea", { rows: 2, spellcheck: "false" }) + tag("span", { class: "note" })));
  const [, box, note] = controls.lastChild.childNodes;
  let wrong = "";
  /** Take a text as it was typed: with quotes that open and close, and without line ends. */
  function type(text) {
    let open = false;
    const typed = alphabet.includes("\n") ? text : text.replace(/\s+/g, " ");
    const given = [...(alphabet.includes('"') ? typed : typed.replace(/"/g, () => ((open = !open) ? "“" : "”")))];
    const strange = given.find((c) => !alphabet.includes(c));
    wrong = strange ? t("strange", { c: symbol(strange) }) : given.length < 2 || given.length > most ? t("length", { n: given.length, most }) : "";
    box.value = given.join("");
    if (!wrong) read(box.value);
    ui.set(wrong ? {} : { position: Math.min(s.position, T) });
  }
  box.onchange = () => type(box.value);
  box.value = data.text;
  ui.each(() => (note.textContent = `${wrong} ${t("knows", { alphabet: alphabet.map(symbol).join(" ") })}`));
  ui.reset = () => type(data.text);

  ui.summary = () => t("summary", {
    unit: s.unit, t: at, T, c: named(characters[at - 1]), part: t(`part.${s.show}`), value: fmt(values[at - 1]),
    half: half > 1 ? t("last", { n: half }) : t(half ? "itself" : "none"),
    next: next.slice(0, 3).map(({ c, p }) => t("chance", { c: named(c), p: percent(p) })).join(", "),
    true: at < T ? t("follows", { c: named(characters[at]) }) : t("ends"),
  });
}

const explorable = { render: (context) => mount(context, view) };
export default explorable;
