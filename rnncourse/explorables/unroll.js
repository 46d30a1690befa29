import { arrow, axes, circle, clamp, dot, fmt, handle, html, line, path, rect, tag, text } from "./draw.js";
import { mount, put } from "./kit.js";

const LONGEST = 12;
const COLOR = { W_xh: "input", W_hh: "hidden", W_hy: "output" };

/** [steps, inputs, first]: inputs enter at steps 1 … inputs, outputs are read at steps first … steps. */
export function arrange(arrangement, T) {
  const two = Math.max(T, 2);
  const half = Math.ceil(two / 2);
  return {
    "one-to-one": [1, 1, 1],
    "one-to-many": [T, 1, 1],
    "many-to-one": [T, T, T],
    aligned: [T, T, 1],
    "encoder-decoder": [two, half, half + 1],
  }[arrangement];
}

/** [h, y]: the states h_0 … h_T and the outputs y_1 … y_T for the inputs x. */
export function run(W, x) {
  const h = [W.b_h.map(() => 0)];
  for (const x_t of x) {
    const before = h.at(-1);
    h.push(W.b_h.map((b, i) => Math.tanh(dot(W.W_hh[i], before) + W.W_xh[i][0] * x_t + b)));
  }
  return [h, h.slice(1).map((h_t) => dot(W.W_hy[0], h_t) + W.b_y[0])];
}

export const uses = (steps, outputs) => ({ W_xh: steps, W_hh: steps, b_h: steps, W_hy: outputs, b_y: outputs });
export const parameterCount = (W) => Object.values(W).flat(2).length;

/** Without cycles: all inputs at once, one hidden layer, all outputs at once. */
export function fixedWidth(W, inputs, outputs) {
  const [H, D, O] = [W.b_h.length, W.W_xh[0].length, W.b_y.length];
  return H * (inputs * D + 1) + outputs * O * (H + 1);
}

// ---- the drawing: a column for each step, y above h above x; the folded network stands over the chain

const [Y, H, X, ROW, CHAIN] = [28, 80, 132, 160, 184]; // heights: the middles of the nodes, a column, where the chain starts
const [HALF, LOOSE] = [24, 116]; // half a node's width and the way to the next column, where there is room
const FOLDING = 450; // milliseconds
const short = (v) => fmt(+v.toFixed(2));
const mix = (a, b, k) => a + (b - a) * k;
const spot = (x, y, width, height, what) => rect(x, y, width, height, "", { opacity: "0", "data-click": what });
const number = (x, y, s, half) => text(x, y, s, "", "middle", half < 22 ? { style: "font-size:11px" } : {});

function nodeOf(cx, cy, half, s, cls, what) {
  const box = rect(cx - half, cy - 12, 2 * half, 24, `${cls} node`, { rx: Math.min(12, half) });
  return tag("g", { "data-click": what }, box + number(cx, cy + 4.5, s, half));
}

/** Both entries of a state, one above the other, the larger the darker; with their numbers if they fit. */
function stateOf(cx, cy, half, h, fits, what) {
  const cell = (v, i) => rect(cx - half + 1, cy - 19 + 19 * i, 2 * half - 2, 19, "hidden", { "fill-opacity": (Math.abs(v) * 0.4).toFixed(2) }) +
    (fits ? number(cx, cy - 5 + 19 * i, short(v), half) : "");
  return tag("g", { "data-click": what }, rect(cx - half, cy - 20, 2 * half, 40, "hidden node", { rx: 4 }) + h.map(cell).join(""));
}

function view(ui) {
  const { state: s, data: W, t } = ui;
  let steps, inputs, first, step, n, x, h, y;
  let out, from, goal, clock, moving; // how many columns have come out of the folded network, and are to
  const grows = () => s.arrangement !== "one-to-one";
  const enter = (k, v) => ui.set({ step: k, x: s.x.map((old, i) => (i === k - 1 ? v : old)) });
  const grow = (T) => ui.set(T ? { T, fold: false } : { fold: true }); // no step at all: folded
  const calm = matchMedia("(prefers-reduced-motion: reduce)");

  ui.each(() => {
    [steps, inputs, first] = arrange(s.arrangement, s.T);
    step = Math.min(s.step, steps);
    n = uses(steps, steps - first + 1);
    x = s.x.map((v, i) => (i < inputs ? v : 0));
    [h, y] = run(W, x); // for all twelve, as some may be on their way back
    const wanted = s.fold ? 0 : steps;
    if (out === undefined || calm.matches) out = goal = wanted;
    if (wanted !== goal) [from, goal, clock] = [out, wanted, performance.now()];
    if (out !== goal) moving ||= requestAnimationFrame(glide);
  });
  /** One frame on the way between folded and unrolled. */
  function glide(now) {
    const way = Math.max(0.01, (now - clock) / FOLDING);
    out = way < 1 ? mix(from, goal, way) : goal;
    moving = 0;
    ui.redraw();
  }

  // ---- the network, folded and unrolled
  const is = (name) => s.weight === name;
  const wire = (name, ...ends) => arrow(...ends, is(name) ? `${COLOR[name]} thick` : "edge", { gap: 2 });
  const mark = (name, px, py, times = "") => text(px, py, t(`weight.${name}`) + times, is(name) ? COLOR[name] : "quiet", "start");
  const used = (name) => ` × ${n[name]}`;

  /** Step k in a column. The folded one, `whole`, names no step, but all weights and how often they are used. */
  function column(cx, top, half, k, whole) {
    const [cy, ch, cX] = [Y, H, X].map((v) => v + top);
    const [fits, given, read] = [half >= 17, k <= inputs, k >= first];
    const name = (letter) => (whole ? letter : fits ? `${letter}_{${k}}` : ""); // where that has no room, the number of the step does
    const edge = (weight, a, b) => wire(weight, cx, a, cx, b) + spot(cx - Math.min(half, 15), b, 2 * Math.min(half, 15), a - b, weight) +
      (whole ? mark(weight, cx + 7, (a + b) / 2 + 3, used(weight)) : is(weight) && half === HALF ? mark(weight, cx + 7, (a + b) / 2 + 3) : "");
    const input = nodeOf(cx, cX, half, fmt(x[k - 1], 0), given ? "input" : "dash", given ? `x${k}` : `t${k}`) +
      (given || whole ? text(cx, cX + 26, name("x") || k, fits ? "" : "tick") : "");
    const output = whole || read ? edge("W_hy", ch - 20, cy + 12) + text(cx, cy - 17, name("y")) +
      nodeOf(cx, cy, half, !read ? "–" : fits ? short(y[k - 1]) : "", read ? "output" : "dash", `t${k}`) : "";
    return edge("W_xh", cX - 12, ch + 20) + input + output + stateOf(cx, ch, half, h[k], fits, `t${k}`) +
      text(cx - 6, ch - 25, name("h"), "", "end");
  }

  /** The chain below: each column comes out of the folded network, at `center`, to its own place. */
  function chain(w, center) {
    const long = Math.max(1, out);
    const pitch = Math.min(LOOSE, w / (long + 0.72));
    const half = Math.min(HALF, 0.36 * pitch);
    const left = (w - pitch * long) / 2;
    const far = (k) => clamp(out - k + 1, 0, 1) ** 0.7;
    const place = (k) => [mix(w / 2, left + pitch * k, far(Math.max(1, k))), mix(center, CHAIN, far(Math.max(1, k)))];
    const [bx, by] = place(0);
    let inner = tag("g", { opacity: far(1) }, stateOf(bx, by + H, half, h[0], half >= 17, "t1") +
      text(bx - 6, by + H - 25, half >= 17 ? "h_0" : "", "", "end") + (is("W_hh") && pitch < 80 ? mark("W_hh", bx - half, by + H + 36) : ""));
    for (let k = 1; k < out + 1; k++) {
      const [[ax, ay], [cx, cy]] = [place(k - 1), place(k)];
      const tint = k === step ? rect(cx - half - 6, cy + 2, 2 * half + 12, ROW - 2, "", { rx: 8, style: "fill:var(--tint)" }) : "";
      inner += tag("g", { opacity: far(k) }, tint + wire("W_hh", ax + half, ay + H, cx - half, cy + H) + spot(ax + half, cy + H - 14, cx - ax - 2 * half, 28, "W_hh") +
        (is("W_hh") && pitch >= 80 ? mark("W_hh", (ax + cx) / 2 - 16, (ay + cy) / 2 + H - 8) : "") + column(cx, cy, half, k));
    }
    const span = (word, a, b, y) => text(left + pitch * (a + b) / 2, y - 5, t(word), "quiet") +
      line(left + pitch * a - half, y, left + pitch * b + half, y, "axis");
    if (s.arrangement === "encoder-decoder" && out === steps) {
      inner += span("reads", 1, inputs, CHAIN + Y) + span("answers", inputs + 1, steps, CHAIN + X + 28);
    }
    return inner + tag("g", { opacity: far(1) }, text(0, CHAIN - 6, t("unrolled", { T: steps, n: parameterCount(W) }), "quiet", "start"));
  }

  ui.panel("network", (w) => {
    const [cx, top] = [w / 2, mix(ROW / 2, 0, clamp(out, 0, 1))];
    const [side, ch] = [cx + HALF, top + H];
    const loop = arrow(side, ch - 12, side, ch + 12, is("W_hh") ? "hidden thick" : "edge", { gap: 1, bend: 26 }) +
      mark("W_hh", side + 32, ch + 4, used("W_hh")) + spot(side, ch - 22, 64, 44, "W_hh");
    return (out ? chain(w, top) : "") + column(cx, top, HALF, step, true) + loop +
      text(0, top + 12, t("folded", { t: step }), "quiet", "start") + text(0, top + 28, t("count", { n: parameterCount(W) }), "quiet", "start");
  }, {
    height: () => CHAIN + ROW + 2,
    click: (what) => {
      const k = +what.slice(1);
      if (COLOR[what]) ui.set({ weight: what });
      else if (what[0] === "x") enter(k, s.x[k - 1] < 1 ? s.x[k - 1] + 1 : -1);
      else ui.set({ step: k });
    },
  });

  // ---- what works it: the length, and which inputs and outputs there are
  const group = (parent, inner = "", more) => (parent.insertAdjacentHTML("beforeend", tag("div", { class: "buttons", ...more }, inner)), parent.lastElementChild);
  const length = group(ui.controls);
  ui.slider("T", { shown: () => String(steps), write: grow, parent: length });
  ui.player("T", { every: 700, range: { low: 0, high: LONGEST }, read: () => (s.fold ? 0 : s.T), write: grow, parent: length });
  ui.toggle("fold", { parent: length });
  ui.choice("arrangement");
  ui.each(() => {
    length.style.opacity = grows() ? 1 : 0.5;
    length.querySelectorAll("input[type=range], button").forEach((e) => (e.disabled = !grows()));
  });

  // ---- the rest: the counts, and what a click in the picture does
  const { panels, controls } = ui.more;
  ui.panel("table", (w) => {
    const [middle, end, high] = [w - 74, w - 8, 24];
    const cells = (y, name, a, b, cls) => text(8, y, name, cls, "start") + text(middle, y, a, cls, "end") + text(end, y, b, cls, "end");
    const rows = Object.keys(n).map((name, i) => {
      const lit = is(name);
      const top = 18 + high * i;
      return (lit ? rect(0, top, w, high, COLOR[name], { rx: 4, "fill-opacity": "0.14" }) : "") +
        cells(top + 16, t(`weight.${name}`), parameterCount([W[name]]), used(name), lit ? COLOR[name] : "") +
        (COLOR[name] ? spot(0, top, w, high, name) : "");
    });
    return cells(12, "", t("numbers"), t("uses"), "quiet") + rows.join("") + line(0, 140, w, 140, "axis") +
      cells(156, t("recurrent"), parameterCount(W), "") + cells(175, t("fixed"), fixedWidth(W, inputs, steps - first + 1), "");
  }, { min: 230, height: () => 182, parent: panels, click: (what) => ui.set({ weight: what }) });

  const plot = { x: [1, LONGEST, [1, 3, 6, 9, 12], t("length")], y: [0, 66, [0, 20, 40, 60], t("parameters")] };
  let a;
  ui.panel("plot", (w, height) => {
    a = axes(w, height, plot);
    const need = (T) => {
      const [last, given, from] = arrange(s.arrangement, T);
      return [a.x(last), a.y(fixedWidth(W, given, last - from + 1))];
    };
    const rise = Array.from({ length: LONGEST }, (_, i) => need(i + 1));
    const flat = a.y(parameterCount(W));
    const [ex, ey] = rise.at(-1);
    const here = a.x(steps);
    return a.svg + line(here, a.top, here, a.bottom, "grid") + line(a.left, flat, a.right, flat, "hidden thick") + path(rise, "dash thick") +
      text(a.right - 12, flat + (grows() ? 13 : -7), t("recurrent"), "hidden", "end") +
      (grows() ? text(ex, ey - 9, t("fixed"), "", "end") : text(ex + 10, ey + 5, t("fixed"), "", "start")) +
      circle(here, flat, 4.5, "hidden") + circle(...need(s.T), 4.5, "", { style: "fill:var(--ink)" }) +
      (grows() ? handle(here, a.bottom, "hidden", "T") : "");
  }, { min: 300, height: () => 182, parent: panels, drag: (px) => ui.set({ T: a.back.x(px) }) });

  ui.choice("weight", { parent: controls });
  const slider = ui.slider("step", { shown: () => String(step), parent: controls });
  const entry = group(controls, tag("span", {}), { role: "group", "aria-label": t("x") });
  const keys = [-1, 0, 1].map((v) => [v, ui.button(entry, fmt(v, 0), () => enter(step, v))]);
  ui.each(() => {
    slider.max = steps;
    put(entry.firstChild, html(t("entry", { t: step })));
    entry.style.opacity = step > inputs ? 0.5 : 1;
    for (const [v, key] of keys) {
      key.setAttribute("aria-pressed", x[step - 1] === v);
      key.disabled = step > inputs;
    }
  });

  ui.summary = () => {
    const vector = `(${h[step].map(short).join(", ")})`;
    return t("summary", {
      arrangement: t(`arrangement.${s.arrangement}`), T: steps, t: step,
      x: t(step > inputs ? "zero" : "given", { x: fmt(x[step - 1], 0) }), h: vector,
      y: step < first ? t("unread") : t("read", { y: short(y[step - 1]) }),
      weight: t(`long.${s.weight}`), numbers: W[s.weight].flat().length, uses: n[s.weight],
      count: parameterCount(W), fixed: fixedWidth(W, inputs, steps - first + 1),
    });
  };
}

const explorable = { render: (context) => mount(context, view) };
export default explorable;
