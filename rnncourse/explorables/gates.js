import { arrow, axes, circle, clamp, fmt, handle, html, line, path, rect, scale, sigmoid, tag, text } from "./draw.js";
import { mount, put } from "./kit.js";

const ORDER = "fiogch"; // the operations of one step, the first to the sixth
const VALUES = [0.5, -1, 0.3, -0.8, 0, 0.6];
const SIGNALS = [1, 0, -1, 1, 1, -1];
const STEPS = VALUES.length;

/** f, i, o, g, c and h of every step, from c = h = 0; entry 0 has c and h alone. */
export function run(v, s, b_f, b_i, b_o) {
  const trace = [{ c: 0, h: 0 }];
  v.forEach((value, k) => {
    const before = trace[k];
    const f = sigmoid(-10 * s[k] + b_f);
    const i = sigmoid(10 * s[k] + b_i);
    const o = sigmoid(-10 * s[k] + b_o);
    const g = Math.tanh(value + 0.5 * before.h);
    const c = f * before.c + i * g;
    trace.push({ f, i, o, g, c, h: o * Math.tanh(c) });
  });
  return trace;
}

/** What a step does. A valve counts as open from ½ on, and content of less than 0.05 as nothing.
 *  Beside new content, the old counts as kept from f = 0.9 on, and as dropped up to f = 0.1. */
export function event(f, i, o, g, before) {
  if (i < 0.5 || Math.abs(i * g) < 0.05) return f < 0.5 ? "forget" : o < 0.5 ? "hold" : "read";
  if (Math.abs(before) < 0.05) return "write";
  return f >= 0.9 ? "add" : f > 0.1 ? "mix" : "overwrite";
}

const num = (x, digits = 4) => fmt(+x.toFixed(digits), digits);
const negative = (x, digits) => num(x, digits)[0] === "−"; // as it is printed
const factor = (x, digits) => (negative(x, digits) ? `(${num(x, digits)})` : num(x, digits));

/** The operation `q` of a step in numbers: what is inserted, and what comes out. */
function inNumbers(q, v, s, bias, before, now) {
  const gate = (sign) => [`σ(${num(bias, 1)} ${sign < 0 ? "−" : "+"} 10 · ${factor(s, 1)})`, `σ(${num(bias + sign * 10 * s, 1)})`];
  const [kept, added] = [now.f * before.c, now.i * now.g];
  const lines = {
    f: () => gate(-1), i: () => gate(1), o: () => gate(-1),
    g: () => [`tanh(${num(v, 1)} + 0.5 · ${factor(before.h)})`, `tanh(${num(v + 0.5 * before.h)})`],
    c: () => [`${num(now.f)} · ${factor(before.c)} + ${num(now.i)} · ${factor(now.g)}`, `${num(kept)} ${negative(added) ? "−" : "+"} ${num(Math.abs(added))}`],
    h: () => [`${num(now.o)} · tanh(${num(now.c)})`, `${num(now.o)} · ${factor(Math.tanh(now.c))}`],
  };
  return [...lines[q](), num(now[q])];
}

function view(ui) {
  const { state: at, t } = ui;
  const { controls } = ui.more;
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  let trace, before, now, did, lines;
  ui.each(() => {
    trace = run(at.v, at.s, at.b_f, at.b_i, at.b_o);
    did = trace.slice(1).map((e, k) => event(e.f, e.i, e.o, e.g, trace[k].c));
    [before, now] = [trace[at.t - 1], trace[at.t]];
    const q = ORDER[at.op - 1];
    lines = inNumbers(q, at.v[at.t - 1], at.s[at.t - 1], at[`b_${q}`], before, now);
  });
  const word = (step) => t(`event.${did[step - 1]}`);
  const enter = (key, step, value) => ui.set({ t: step, [key]: at[key].with(step - 1, value) });

  ui.panel("block", (w) => {
    const title = text(w / 2, 20, word(at.t), "", "middle", { style: "font-size:22px;font-weight:700" });
    return title + drawCell(w, at, before, now, t, calm ? "" : ";transition:all 0.4s");
  }, { height: () => 282, click: (op) => ui.set({ op: +op }) });

  // Below it the story: what each step does, and what the memory holds after it.
  ui.panel("strip", (w, high) => {
    const most = Math.max(0.6, ...trace.map((e) => Math.abs(e.c)));
    const level = scale(-most, most, 70, 30);
    const small = w < 480 ? { style: "font-size:11px" } : {};
    const wide = w / STEPS;
    const column = (k, style, click) => rect((k - 1) * wide, 0, wide, high, "", { style, "data-click": click });
    return column(at.t, "fill:var(--tint)") + text(2, 11, t("memory"), "cell", "start") + trace.slice(1).map(({ c }, n) => {
      const [k, px] = [n + 1, (n + 0.5) * wide];
      const [y, zero, chosen] = [level(c), level(0), k === at.t];
      // Narrow, every other word stands a line lower.
      const [label, low] = [`${k} ${word(k)}`, high > 104 && k % 2 ? 14 : 0];
      return line(px - wide / 2, zero, px + wide / 2, zero, "axis") + rect(px - 12, Math.min(y, zero), 24, Math.abs(y - zero), "cell") +
        text(px, y + (c < 0 ? 13 : -5), num(c, 2), "cell", "middle", small) +
        text(clamp(px, 30, w - 30), high - 5 - low, label, chosen ? "" : "quiet", "middle", { style: `font-size:11px;font-weight:${chosen ? 700 : 400}` }) +
        column(k, "fill:transparent", k);
    }).join("");
  }, { height: (w) => (w > 480 ? 104 : 118), min: 480, click: (step) => ui.set({ t: +step, op: 6 }) });

  const ready = { v: VALUES, s: SIGNALS, b_f: 5, b_i: -5, b_o: -5, op: 6 };
  ui.player("t", { every: 1800, write: (step) => ui.set({ t: step, op: 6 }) });
  ui.presets({
    write: { ...ready, t: 1 },
    hold: { ...ready, t: 2 },
    read: { ...ready, t: 3 },
    overwrite: { ...ready, t: 4 },
    forget: { ...ready, t: 5 },
  });
  for (const key of ["s", "v"])
    ui.slider(key, { label: () => t(key, { t: at.t }), read: () => at[key][at.t - 1], write: (value) => enter(key, at.t, value), shown: (value) => num(value, 1) });

  // Under "More": the biases, one operation after another with its equation, and all the inputs.
  for (const key of ["b_f", "b_i", "b_o"]) ui.slider(key, { parent: controls });
  controls.insertAdjacentHTML("beforeend", tag("div", { class: "controls", style: "flex:1 1 100%" }));
  const walk = controls.lastChild;
  ui.player("op", {
    every: 1200, parent: walk, range: { low: 1, high: 6 * STEPS },
    read: () => 6 * (at.t - 1) + at.op, write: (k) => ui.set({ t: Math.ceil(k / 6), op: ((k - 1) % 6) + 1 }),
  });
  walk.insertAdjacentHTML("beforeend", tag("div", { class: "num", style: "flex:1 1 290px;min-height:4.4em;font-size:14px" }));
  const equation = walk.lastChild;
  ui.each(() => {
    const q = ORDER[at.op - 1];
    const head = tag("strong", {}, html(t("operation", { op: at.op, name: t(`op.${q}`) })));
    put(equation, `${head} &nbsp;${html(t(`rule.${q}`))}<br>${html(`${q}_${at.t}`)} = ${lines[0]}<br>= ${lines[1]} = ${tag("strong", {}, lines[2])}`);
  });
  let x; // the axes of the inputs
  ui.panel("inputs", (w, high) => {
    x = axes(w, high, { x: [0.5, STEPS + 0.5, [1, 2, 3, 4, 5, 6], ""], y: [-1, 1, [-1, 0, 1], t("given")], left: 32, right: 0, top: 34, bottom: 46 });
    const small = w < 480 ? { style: "font-size:11px" } : {};
    const wide = x.x(2) - x.x(1);
    const grip = (px, what, value, shape) => line(px, x.y(value), px, x.y(0), "input") + handle(px, x.y(value), "input", what, shape);
    const marked = rect(x.x(at.t) - wide / 2, 0, wide, high, "", { style: "fill:var(--tint)" });
    return marked + x.svg + text(2, high - 6, "h_t", "hidden", "start") + at.v.map((value, n) => {
      const [k, px, signal] = [n + 1, x.x(n + 1), at.s[n]];
      return grip(px - 12, `v${k}`, value) + grip(px + 12, `s${k}`, signal, rect(px + 5, x.y(signal) - 7, 14, 14, "input handle")) +
        (wide > 30 ? text(px, high - 6, num(trace[k].h, 2), "hidden", "middle", small) : "");
    }).join("");
  }, { height: () => 170, min: 480, parent: controls, drag: (_, y, what) => enter(what[0], +what.slice(1), x.back.y(y)) });

  ui.summary = () => {
    const q = ORDER[at.op - 1];
    const part = (p, digits = 0) => num(100 * p, digits);
    const said = at.op === 6
      ? t("whole", { t: at.t, f: part(now.f), i: part(now.i), o: part(now.o), g: num(now.g), before: num(before.c), c: num(now.c), h: num(now.h) })
      : t("part", { op: at.op, name: t(`op.${q}`), numbers: lines.join(" = "), said: t(`said.${q}`, { part: part(now[q]) }) });
    return t("summary", { t: at.t, event: word(at.t), said });
  };
}

/** One step: the memory cell along the top, the hidden state along the bottom, the gates between.
 *  `glide` is the style with which valves and pipes go to a new place. */
function drawCell(w, at, before, now, t, glide) {
  const r = 22; // the radius of the circles
  const [left, right] = [r + 1, w - r - 1]; // their middles
  const first = left + r + 26;
  const gap = (right - r - 16 - first) / 4;
  const [f, i, g, o, out] = [0, 1, 2, 3, 4].map((k) => Math.round(first + k * gap));
  const input = f - 19; // where x_t comes in
  const [top, squeeze, meet, show, box, bus] = [62, 106, 118, 144, 188, 230];
  const half = Math.min(24, gap / 2 - 1.5); // of a gate's box
  const cramped = gap < 70;
  const bold = (op, size = 13) => ({ "pointer-events": "none", style: `font-size:${size}px` + (op === at.op && op < 6 ? ";font-weight:700" : "") });
  const part = (op, ...shapes) => tag("g", op > at.op ? { class: "faint" } : {}, shapes.join(""));
  const value = (op, x, y, shown, anchor = "start", size) => (op > at.op ? "" : text(x, y, shown, "", anchor, bold(op, size)));

  const glow = (op, ...points) => (op === at.op ? path(points, "", { style: GLOW }) : "");
  // A pipe, and in it what flows: as thick as the valve before it is open.
  const pipe = (op, points, open, flow) => {
    const drawn = (color, width) => path(points, "", { style: `stroke:var(--${color});stroke-width:${width}${glide}` });
    return drawn("line", 18) + drawn("card", 15) + drawn(flow, op <= at.op ? +(15 * open).toFixed(1) : 0);
  };
  // Two blades shut a pipe from both sides; beside them stands how open it is.
  const valve = (op, x, y, open, [dx, dy], across) => part(op, ...[-1, 1].map((side) => {
    const middle = side * (7.5 * open + 7);
    const style = `fill:var(--output);stroke:var(--card)${glide}`;
    return across ? rect(x - 6, y + middle - 7, 12, 14, "", { style }) : rect(x + middle - 7, y - 6, 14, 12, "", { style });
  })) + value(op, x + dx, y + dy, t(open > 0.9 ? "open" : open < 0.1 ? "shut" : "partly"));
  const held = (op, x, y, name, shown, cls, below) =>
    part(op, circle(x, y, r, `${cls} node`, { "data-click": op || null })) +
    value(op, x, y + 4.5, num(shown, 2), "middle") + text(x, y + (below ? 38 : -28), name);
  const gate = (op, x, q, rule, cls = "") =>
    part(op, arrow(x, bus, x, box + 18, "hidden"), rect(x - half, box - 28, 2 * half, 44, `${cls} node`, { rx: 6, "data-click": op })) +
    text(x, box - 9, rule, "", "middle", { "pointer-events": "none" }) +
    value(op, x, box + 9, num(now[q], 2), "middle", gap < 40 ? 11 : 13) +
    text(x + (q === "g" ? 12 : 6), box - 34, `${q}_${at.t}`, "", "start") +
    text(q === "f" ? x + 6 : x, bus + (cramped && "io".includes(q) ? 30 : 17), t(`short.${q}`), "quiet");
  // A valve that is not yet set is drawn open; what moves a valve ends at its blade.
  const [openI, openO] = [at.op < 2 ? 1 : now.i, at.op < 3 ? 1 : now.o];
  const blade = (open) => 7.5 * open + 15;

  return glow(1, [f, bus], [f, top]) + glow(2, [i, bus], [i, meet], [g, meet]) + glow(3, [o, bus], [o, show], [out, show]) +
    glow(4, [g, bus], [g, meet + 20]) + glow(5, [left, top], [right, top]) +
    // The pipes.
    pipe(6, [[out, top], [out, show]], 1, "cell") + pipe(6, [[out, show], [out, bus], [right - r, bus]], now.o, "hidden") +
    pipe(4, [[g, box - 28], [g, meet]], 1, "quiet") + pipe(5, [[g, meet], [g, top]], now.i, "quiet") +
    pipe(0, [[left, top], [f, top]], 1, "cell") + pipe(5, [[f, top], [g, top]], now.f, "cell") +
    pipe(5, [[g, top], [right - r, top]], Math.max(now.f, now.i), "cell") +
    // The hidden state and the input to all gates, and the gates to their valves.
    line(left, bus, o, bus, "hidden") + line(input, bus, input, bus + 36, "input") + circle(input, bus, 4, "input") +
    part(1, arrow(f, box - 28, f, top + blade(now.f), "edge")) +
    part(2, path([[i, box - 28], [i, meet]], "edge"), arrow(i, meet, g - blade(openI), meet, "edge")) +
    part(3, path([[o, box - 28], [o, show]], "edge"), arrow(o, show, out - blade(openO), show, "edge")) +
    valve(1, f, top, now.f, [9, 32], true) + valve(2, g, meet, openI, [12, 22]) + valve(3, out, show, openO, [26, 5]) +
    gate(1, f, "f", "σ", "output") + gate(2, i, "i", "σ", "output") + gate(4, g, "g", "tanh") + gate(3, o, "o", "σ", "output") +
    // The sum, the squeezed memory, and what they carry.
    part(5, circle(g, top, 13, "node"), path([[g - 6, top], [g + 6, top]], ""), path([[g, top - 6], [g, top + 6]], "")) +
    part(6, rect(out - 20, squeeze - 13, 40, 26, "node", { rx: 6 })) + text(out, squeeze + 4.5, "tanh") +
    value(5, (f + g) / 2, top - 15, num(now.f * before.c, 2), "middle") + value(5, g + 14, top + 27, num(now.i * now.g, 2)) +
    held(0, left, top, `c_${at.t - 1}`, before.c, "cell") + held(5, right, top, `c_${at.t}`, now.c, "cell") +
    held(0, left, bus, `h_${at.t - 1}`, before.h, "hidden", true) + held(6, right, bus, `h_${at.t}`, now.h, "hidden", true) +
    text((g + out) / 2, top - 15, t("cell"), "cell") +
    text(input - 6, bus + 50, `x_${at.t} = (${num(at.v[at.t - 1], 1)}, ${num(at.s[at.t - 1], 1)})`, "input", "start");
}

const GLOW = "stroke:var(--accent);opacity:0.2;stroke-width:34;stroke-linecap:round;stroke-linejoin:round";

const explorable = { render: (context) => mount(context, view) };
export default explorable;
