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
  const ready = { v: VALUES, s: SIGNALS, b_f: 5, b_i: -5, b_o: -5 };
  ui.presets({
    write: { ...ready, t: 1, op: 5 },
    hold: { ...ready, t: 2, op: 5 },
    overwrite: { ...ready, t: 4, op: 5 },
    read: { ...ready, t: 3, op: 6 },
    forget: { ...ready, t: 5, op: 5 },
  });

  const group = (style) => {
    ui.controls.insertAdjacentHTML("beforeend", tag("div", { class: "controls", style }));
    return ui.controls.lastElementChild;
  };
  const enter = (key, step, value) => ui.set({ t: step, [key]: at[key].with(step - 1, value) });
  const inputs = group("flex:1 1 280px");
  ui.slider("t", { parent: inputs });
  for (const key of ["v", "s"])
    ui.slider(key, { parent: inputs, read: () => at[key][at.t - 1], write: (value) => enter(key, at.t, value), shown: (value) => num(value, 1) });
  const biases = group("flex:1 1 280px");
  for (const key of ["b_f", "b_i", "b_o"]) ui.slider(key, { parent: biases });
  const steps = group("flex:1 1 100%;gap:6px 24px;align-items:start");
  steps.innerHTML = tag("div", {}) + tag("div", { class: "num", style: "flex:1 1 290px;min-height:4.4em;font-size:14px" });
  const [walk, equation] = steps.children;
  ui.player("op", { every: 1200, parent: walk });
  // Back and forward also go on to the step before and the step after.
  const turn = (button, from, to, by) => {
    const usual = button.onclick;
    button.onclick = () => {
      const over = at.op === from && at.t + by >= 1 && at.t + by <= STEPS;
      usual();
      if (over) ui.set({ t: at.t + by, op: to });
    };
  };
  const [back, , forward] = walk.querySelectorAll("button");
  turn(back, 1, 6, -1);
  turn(forward, 6, 1, 1);

  let trace, before, now, did, lines;
  ui.each(() => {
    trace = run(at.v, at.s, at.b_f, at.b_i, at.b_o);
    did = trace.slice(1).map((e, k) => event(e.f, e.i, e.o, e.g, trace[k].c));
    [before, now] = [trace[at.t - 1], trace[at.t]];
    const q = ORDER[at.op - 1];
    lines = inNumbers(q, at.v[at.t - 1], at.s[at.t - 1], at[`b_${q}`], before, now);
    const head = tag("strong", {}, html(t("operation", { op: at.op, name: t(`op.${q}`) })));
    const result = tag("strong", {}, lines[2]);
    put(equation, `${head} &nbsp;${html(t(`rule.${q}`))}<br>${html(`${q}_${at.t}`)} = ${lines[0]}<br>= ${lines[1]} = ${result}`);
  });

  ui.panel("block", (w, h) => drawCell(w, at, before, now, t), { height: () => 340, click: (op) => ui.set({ op: +op }) });

  // Below it the whole sequence: inputs, memory and hidden state, and the present step marked.
  const lane = (w, top, name) => axes(w, 106, { x: [0.5, STEPS + 0.5, [], ""], y: [-top, top, [-top, 0, top], t(name)], left: 40, right: 0, top: 32, bottom: 10 });
  const down = (y, inner) => tag("g", { transform: `translate(0 ${y})` }, inner);
  const high = 18 + 106 + 106 + 58;
  let x; // the axes of the inputs
  ui.panel("time", (w) => {
    x = lane(w, 1, "inputs");
    const m = lane(w, Math.max(1, Math.ceil(Math.max(...trace.map((e) => Math.abs(e.c))))), "memory");
    const column = x.x(2) - x.x(1);
    const each = (draw) => at.v.map((_, k) => draw(k + 1, x.x(k + 1))).join("");
    const whole = (k, style, click) => rect(x.x(k) - column / 2, 0, column, high, "", { style, "data-click": click });
    const word = (k, px) => text(clamp(px, 30, w - 30), 13, t(`event.${did[k - 1]}`), k === at.t ? "" : "quiet");
    const grip = (px, what, value) => {
      const y = x.y(value);
      const shape = what[0] === "v" ? undefined : rect(px - 7, y - 7, 14, 14, "input handle");
      return line(px, y, px, x.y(0), "input") + handle(px, y, "input", what, shape);
    };
    const curve = (q, cls) => path(trace.slice(1).map((e, k) => [m.x(k + 1), m.y(e[q])]), cls);
    const mark = (k, px) => circle(px, m.y(trace[k].c), 4.5, "cell") + rect(px - 4, m.y(trace[k].h) - 4, 8, 8, "hidden node");
    const small = column < 40 ? { style: "font-size:11px" } : {};
    const row = (y, name, shown, cls) => text(6, y, name, cls, "start") + each((k, px) => text(px, y, shown(k), cls, "middle", small));
    return whole(at.t, "fill:var(--tint)") + each((k, px) => (column > 70 || k === at.t ? word(k, px) : "")) +
      down(18, x.svg) + down(124, m.svg + curve("c", "cell thick") + curve("h", "hidden dash") + each(mark)) +
      row(high - 42, "t", (k) => k, "tick") + row(high - 23, "c_t", (k) => num(trace[k].c, 2), "cell") +
      row(high - 5, "h_t", (k) => num(trace[k].h, 2), "hidden") + each((k) => whole(k, "fill:transparent", k)) +
      down(18, each((k, px) => grip(px - 12, `v${k}`, at.v[k - 1]) + grip(px + 12, `s${k}`, at.s[k - 1])));
  }, {
    height: () => high, min: 480,
    click: (step) => ui.set({ t: +step }),
    drag: (_, y, what) => enter(what[0], +what.slice(1), x.back.y(y - 18)),
  });

  ui.summary = () => {
    const q = ORDER[at.op - 1];
    return t("summary", { t: at.t, event: t(`event.${did[at.t - 1]}`), op: at.op, name: t(`op.${q}`), numbers: lines.join(" = "), said: t(`said.${q}`, { part: num(100 * now[q], 0) }) });
  };
}

/** One step: the memory cell along the top, the hidden state along the bottom, the gates between. */
function drawCell(w, at, before, now, t) {
  const narrow = w < 670;
  const [left, right, r] = [25, w - 25, 24]; // the middles of the circles, and their radius
  const columns = narrow ? [0, 14, 52, 95, 138, 169] : [1.2, 1.7, 2.8, 3.95, 5.5, 6.65];
  const place = narrow ? scale(0, 169, left + 31, right - 40) : scale(0.4, 7.7, left, right);
  const [input, f, i, g, o, out] = columns.map((u) => Math.round(place(u)));
  const [top, meet, squeeze, show, box, bus] = [50, 122, 100, 154, 214, 268];
  const roof = box - (narrow ? 28 : 16); // a narrow drawing has the gates' values in the boxes
  const bold = (op) => ({ "pointer-events": "none", style: op === at.op ? "font-weight:700" : "" });
  const part = (op, ...shapes) => tag("g", op > at.op ? { class: "faint" } : {}, shapes.join(""));
  const value = (op, x, y, shown, anchor = "start") => (op > at.op ? "" : text(x, y, shown, "", anchor, bold(op)));

  const glow = (op, ...points) => (op === at.op ? path(points, "", { style: GLOW }) : "");
  // A pipe, and in it what flows: as thick as the valve before it is open.
  const pipe = (op, points, open, flow) => {
    const drawn = (color, width) => path(points, "", { style: `stroke:var(--${color});stroke-width:${width}` });
    return drawn("line", 18) + drawn("card", 15) + (op <= at.op && open > 0.01 ? drawn(flow, 15 * open) : "");
  };
  // Two blades shut a pipe from both sides.
  const valve = (x, y, open, across) => [-1, 1].map((side) => {
    const middle = side * (7.5 * open + 7);
    const style = "fill:var(--output);stroke:var(--card)";
    return across ? rect(x - 6, y + middle - 7, 12, 14, "", { style }) : rect(x + middle - 7, y - 6, 14, 12, "", { style });
  }).join("");
  const held = (op, x, y, name, shown, cls, below) =>
    part(op, circle(x, y, r, `${cls} node`, { "data-click": op || null })) +
    value(op, x, y + 4.5, num(shown, 2), "middle") + text(x, y + (below ? 40 : -33), name);
  const half = (q) => (!narrow ? 20 : q === "g" ? 22 : 17);
  const gate = (op, x, q, rule, cls = "") =>
    part(op, arrow(x, bus, x, box + 18, "hidden"), rect(x - half(q), roof, 2 * half(q), box + 16 - roof, `${cls} node`, { rx: 6, "data-click": op })) +
    text(x, narrow ? box - 9 : box + 4.5, rule, "", "middle", { "pointer-events": "none" }) +
    (narrow && q === "f" ? text(input + 6, bus + 17, t("short.f"), "quiet", "start") : text(x, bus + (narrow && "io".includes(q) ? 31 : 17), t(`short.${q}`), "quiet"));
  const outlet = (op, x, q) => {
    const beside = x + (q === "g" ? 12 : 6); // the pipe, or the line
    const shown = num(now[q], 2);
    const inside = op > at.op ? "" : text(x, box + 9, shown, "", "middle", { "pointer-events": "none" });
    return text(beside, roof - (narrow ? 8 : 24), `${q}_t`, "", "start") + (narrow ? inside : value(op, beside, roof - 8, shown));
  };
  // A valve that is not yet set is drawn open; what moves a valve ends at its blade.
  const [openI, openO] = [at.op < 2 ? 1 : now.i, at.op < 3 ? 1 : now.o];
  const blade = (open) => 7.5 * open + 15;

  return (narrow ? "" : rect(left + r + 5, 12, right - left - 2 * r - 10, bus + 34, "", { rx: 8, style: "fill:none;stroke:var(--line)" })) +
    glow(1, [f, bus], [f, top]) + glow(2, [i, bus], [i, meet], [g, meet]) + glow(3, [o, bus], [o, show], [out, show]) +
    glow(4, [g, bus], [g, meet + 20]) + glow(5, [left, top], [right, top]) + glow(6, [out, top], [out, bus], [right, bus]) +
    // The pipes.
    pipe(6, [[out, top], [out, show]], 1, "cell") + pipe(6, [[out, show], [out, bus], [right - r, bus]], now.o, "hidden") +
    pipe(4, [[g, roof], [g, meet]], 1, "quiet") + pipe(5, [[g, meet], [g, top]], now.i, "quiet") +
    pipe(0, [[left, top], [f, top]], 1, "cell") + pipe(5, [[f, top], [g, top]], now.f, "cell") +
    pipe(5, [[g, top], [right - r, top]], Math.max(now.f, now.i), "cell") +
    // The hidden state and the input to all gates, and the gates to their valves.
    line(left, bus, o, bus, "hidden") + line(input, bus, input, 310, "input") + circle(input, bus, 4, "input") +
    part(1, arrow(f, roof, f, top + blade(now.f), "edge")) +
    part(2, path([[i, roof], [i, meet]], "edge"), arrow(i, meet, g - blade(openI), meet, "edge")) +
    part(3, path([[o, roof], [o, show]], "edge"), arrow(o, show, out - blade(openO), show, "edge")) +
    part(1, valve(f, top, now.f, true)) + part(2, valve(g, meet, openI)) + part(3, valve(out, show, openO)) +
    gate(1, f, "f", "σ", "output") + gate(2, i, "i", "σ", "output") + gate(4, g, "g", "tanh") + gate(3, o, "o", "σ", "output") +
    outlet(1, f, "f") + outlet(2, i, "i") + outlet(4, g, "g") + outlet(3, o, "o") +
    // The sum, the squeezed memory, and what they carry.
    part(5, circle(g, top, 13, "node"), path([[g - 6, top], [g + 6, top]], ""), path([[g, top - 6], [g, top + 6]], "")) +
    part(6, rect(out - 20, squeeze - 14, 40, 28, "node", { rx: 6 })) + text(out, squeeze + 4.5, "tanh") +
    value(5, (f + g) / 2, 32, num(now.f * before.c, 2), "middle") + value(5, g + 14, 81, num(now.i * now.g, 2)) +
    value(6, out + 14, 132, num(Math.tanh(now.c), 2)) +
    held(0, left, top, "c_{t−1}", before.c, "cell") + held(5, right, top, "c_t", now.c, "cell") +
    held(0, left, bus, "h_{t−1}", before.h, "hidden", true) + held(6, right, bus, "h_t", now.h, "hidden", true) +
    text((g + out) / 2, 32, t("cell"), "quiet") +
    part(6, arrow(out, bus, out, 312, "hidden")) + text(out, 330, t("output"), "") +
    text(Math.max(62, input), 330, `x_t = (${num(at.v[at.t - 1], 1)}, ${num(at.s[at.t - 1], 1)})`, "input");
}

const GLOW = "stroke:var(--accent);opacity:0.2;stroke-width:34;stroke-linecap:round;stroke-linejoin:round";

const explorable = { render: (context) => mount(context, view) };
export default explorable;
