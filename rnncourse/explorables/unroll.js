import { arrow, axes, circle, dot, fmt, handle, html, line, path, rect, tag, text } from "./draw.js";
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

// ---- the drawing: one column for each step, y above h above x -----------------------------------

const [Y, H, X, ROW, CAPTION] = [28, 80, 132, 172, 24]; // heights: node centers, a row of columns, a caption
const [HALF, TIGHT, LOOSE] = [24, 66, 116]; // half a node's width; the space between columns
const short = (v) => fmt(+v.toFixed(2));
const mix = (a, b, k) => a + (b - a) * k;
const spot = (x, y, width, height, what) => rect(x, y, width, height, "", { opacity: "0", "data-click": what });

function nodeOf(cx, cy, s, cls, what) {
  const box = rect(cx - HALF, cy - 12, 2 * HALF, 24, `${cls} node`, { rx: 12 });
  return tag("g", { "data-click": what }, box + text(cx, cy + 4.5, s));
}

/** Both entries of a state, one above the other, the larger the darker. */
function stateOf(cx, cy, h, name, what, half = HALF) {
  const cell = (v, i) => rect(cx - half + 1, cy - 19 + 19 * i, 2 * half - 2, 19, "hidden", { "fill-opacity": (Math.abs(v) * 0.4).toFixed(2) }) +
    text(cx, cy - 5 + 19 * i, short(v));
  const box = rect(cx - half, cy - 20, 2 * half, 40, "hidden node", { rx: 4 });
  return tag("g", { "data-click": what }, box + h.map(cell).join("")) + text(Math.max(0, cx - half - 2), cy - 26, name, "", "start");
}

function view(ui) {
  const { state: s, data: W, t } = ui;
  let steps, inputs, first, step, x, h, y, hover, fold, clock, moving;
  const grows = () => s.arrangement !== "one-to-one";
  const is = (name) => (hover ?? s.weight) === name;
  const enter = (k, v) => ui.set({ step: k, x: s.x.map((old, i) => (i === k - 1 ? v : old)) });
  const calm = matchMedia("(prefers-reduced-motion: reduce)");

  ui.each(() => {
    [steps, inputs, first] = arrange(s.arrangement, s.T);
    step = Math.min(s.step, steps);
    x = s.x.slice(0, steps).map((v, i) => (i < inputs ? v : 0));
    [h, y] = run(W, x);
    if (fold === undefined || calm.matches) fold = +s.fold;
    if (fold !== +s.fold) (clock = performance.now()), (moving ||= requestAnimationFrame(glide));
  });
  /** One frame on the way between unrolled (0) and folded (1). */
  function glide(now) {
    const by = Math.max(0.01, (now - clock) / 600);
    fold = s.fold ? Math.min(1, fold + by) : Math.max(0, fold - by);
    moving = 0;
    ui.redraw();
  }

  // ---- controls
  const group = (parent, inner = "", more) => (parent.insertAdjacentHTML("beforeend", tag("div", { class: "buttons", ...more }, inner)), parent.lastElementChild);
  for (const key of ["arrangement", "weight"]) ui.choice(key);
  ui.toggle("fold");
  const length = group(ui.controls);
  ui.slider("T", { shown: () => String(steps), parent: length });
  ui.player("T", { every: 500, parent: length });
  const now = group(ui.controls);
  ui.each(() => {
    now.querySelector("input").max = steps;
    length.style.opacity = grows() ? 1 : 0.5;
    length.querySelectorAll("input, button").forEach((e) => (e.disabled = !grows()));
  });
  ui.slider("step", { shown: () => String(step), parent: now });
  const entry = group(now, tag("span", {}), { role: "group", "aria-label": t("x") });
  const keys = [-1, 0, 1].map((v) => [v, ui.button(entry, fmt(v, 0), () => enter(step, v))]);
  ui.each(() => {
    put(entry.firstChild, html(t("entry", { t: step })));
    entry.style.opacity = step > inputs ? 0.5 : 1;
    for (const [v, key] of keys) {
      key.setAttribute("aria-pressed", x[step - 1] === v);
      key.disabled = step > inputs;
    }
  });

  // ---- the network, folded and unrolled
  const wire = (name, ...ends) => arrow(...ends, is(name) ? `${COLOR[name]} thick` : "edge", { gap: 2 });
  const mark = (name, px, py) => text(px, py, t(`weight.${name}`), is(name) ? COLOR[name] : "quiet", "start");

  /** Step k in a column; the folded one, `whole`, has no step in its names, and names all weights. */
  function column(cx, top, k, whole) {
    const [cy, ch, cX] = [Y, H, X].map((v) => v + top);
    const name = (letter) => (whole ? letter : `${letter}_{${k}}`);
    const edge = (weight, from, to) => wire(weight, cx, from, cx, to) + spot(cx - 15, to, 30, from - to, weight) +
      (whole || is(weight) ? mark(weight, cx + 7, (from + to) / 2 + 3) : "");
    const [given, read] = [k <= inputs, k >= first];
    const input = nodeOf(cx, cX, fmt(x[k - 1], 0), given ? "input" : "dash", given ? `x${k}` : `t${k}`) +
      (whole || given ? text(cx, cX + 27, name("x")) : "");
    const output = whole || read ? edge("W_hy", ch - 20, cy + 12) + text(cx, cy - 17, name("y")) +
      nodeOf(cx, cy, read ? short(y[k - 1]) : "–", read ? "output" : "dash", `t${k}`) : "";
    return edge("W_xh", cX - 12, ch + 20) + input + output + stateOf(cx, ch, h[k], name("h"), `t${k}`);
  }

  /** Where all is at width w: the columns in rows, [left, top] of each, and the folded network. */
  function place(w) {
    const wide = w >= 500;
    const [left, start] = wide ? [150, CAPTION] : [0, ROW + 10];
    const room = w - left - 48;
    const rows = Math.ceil(steps / Math.floor(room / TIGHT));
    const across = Math.ceil(steps / rows);
    const apart = Math.min(LOOSE, room / across);
    const edge = left + (room - apart * across) / 2;
    const e = fold * fold * (3 - 2 * fold);
    const one = wide ? [mix(HALF + 8, w / 2 - 30, e), CAPTION] : [w / 2, 0];
    const at = Array.from({ length: steps }, (_, i) => [edge + 10 + apart * ((i % across) + 1), start + ROW * Math.floor(i / across)]);
    return { wide, left, start, across, apart, edge, one, e, at, bottom: start + ROW * rows };
  }

  function chain({ wide, left, start, across, apart, edge, one, e, at }) {
    const home = at.map((p) => p.map((v, i) => mix(v, one[i], e)));
    const right = edge + apart * across + HALF + 22;
    const [bx, by] = [mix(edge + 17, one[0], e), mix(start, one[1], e) + H];
    const tint = home[step - 1];
    let out = rect(tint[0] - 31, tint[1] + 2, 68, ROW - 8, "", { rx: 8, style: "fill:var(--tint)" }) +
      stateOf(bx, by, h[0], "h_0", "t1", 17);
    home.forEach(([cx, top], i) => {
      const from = i ? home[i - 1][0] + HALF : bx + 17;
      const cy = top + H;
      if (i && !(i % across)) {
        const middle = cy - H - 4;
        out += e ? "" : path([[from, cy - ROW], [right, cy - ROW], [right, middle], [edge + 4, middle], [edge + 4, cy], [cx - HALF - 4, cy]], is("W_hh") ? "hidden thick" : "edge") +
          wire("W_hh", edge + 4, cy, cx - HALF, cy) + spot(edge, cy - 14, cx - HALF - edge, 28, "W_hh");
      } else {
        out += wire("W_hh", from, cy, cx - HALF, cy) + spot(from, cy - 14, cx - HALF - from, 28, "W_hh") +
          (is("W_hh") && (!i || apart > 84) ? mark("W_hh", (from + cx - HALF) / 2 - 14, cy + (apart > 84 ? -8 : 35)) : "");
      }
      out += column(cx, top, i + 1);
    });
    const span = (word, from, to, dy) => {
      for (let i = from; i < to; i = (Math.floor(i / across) + 1) * across) {
        const end = Math.min(to, (Math.floor(i / across) + 1) * across) - 1;
        out += text((home[i][0] + home[end][0]) / 2, home[i][1] + dy, t(word), "quiet") +
          line(home[i][0] - HALF, home[i][1] + dy + 5, home[end][0] + HALF, home[i][1] + dy + 5, "axis");
      }
    };
    if (s.arrangement === "encoder-decoder") span("reads", 0, inputs, Y), span("answers", inputs, steps, X + 24);
    if (!e) out += text(left, start - 12, t("unrolled", { T: steps }), "quiet", "start") +
      (wide ? line(left - 14, 0, left - 14, start + ROW, "grid") : "");
    return tag("g", { opacity: (1 - e).toFixed(2) }, out);
  }

  const network = ui.panel("network", (w) => {
    const p = place(w);
    const [cx, top] = p.one;
    const [side, ch] = [cx + HALF, top + H];
    const loop = arrow(side, ch - 12, side, ch + 12, is("W_hh") ? "hidden thick" : "edge", { gap: 1, bend: 26 }) +
      mark("W_hh", side + 34, ch + 4) + spot(side, ch - 22, 64, 44, "W_hh");
    return (p.e < 1 ? chain(p) : "") + column(cx, top, step, true) + loop +
      text(p.wide ? mix(0, cx - HALF, p.e) : 0, 12, t("folded", { t: step }), "quiet", "start");
  }, {
    min: 520,
    height: (w) => mix(place(w).bottom, CAPTION + ROW, place(w).e),
    click: (what) => {
      const k = +what.slice(1);
      if (COLOR[what]) ui.set({ weight: what });
      else if (what[0] === "x") enter(k, s.x[k - 1] < 1 ? s.x[k - 1] + 1 : -1);
      else ui.set({ step: k });
    },
  });

  // ---- the counts
  const table = ui.panel("table", (w) => {
    const [middle, end, high] = [w - 74, w - 8, 24];
    const n = uses(steps, steps - first + 1);
    const cells = (y, name, a, b, cls) => text(8, y, name, cls, "start") + text(middle, y, a, cls, "end") + text(end, y, b, cls, "end");
    const rows = Object.keys(n).map((name, i) => {
      const lit = is(name);
      const top = 18 + high * i;
      return (lit ? rect(0, top, w, high, COLOR[name], { rx: 4, "fill-opacity": "0.14" }) : "") +
        cells(top + 16, t(`weight.${name}`), parameterCount([W[name]]), `× ${n[name]}`, lit ? COLOR[name] : "") +
        (COLOR[name] ? spot(0, top, w, high, name) : "");
    });
    return cells(12, "", t("numbers"), t("uses"), "quiet") + rows.join("") + line(0, 140, w, 140, "axis") +
      cells(156, t("recurrent"), parameterCount(W), "") + cells(175, t("fixed"), fixedWidth(W, inputs, steps - first + 1), "");
  }, { min: 230, height: () => 182, click: (what) => ui.set({ weight: what }) });

  const plot = { x: [1, LONGEST, [1, 3, 6, 9, 12], t("length")], y: [0, 66, [0, 20, 40, 60], t("parameters")] };
  let a;
  ui.panel("plot", (w, height) => {
    a = axes(w, height, plot);
    const need = (T) => {
      const [n, given, from] = arrange(s.arrangement, T);
      return [a.x(n), a.y(fixedWidth(W, given, n - from + 1))];
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
  }, { min: 300, height: () => 182, drag: (px) => ui.set({ T: a.back.x(px) }) });

  for (const svg of [network, table]) {
    const point = (name) => name !== hover && ((hover = name), ui.redraw());
    svg.addEventListener("pointerover", (event) => {
      const what = event.target.closest("[data-click]")?.dataset.click;
      point(event.pointerType === "mouse" && COLOR[what] ? what : undefined);
    });
    svg.addEventListener("pointerleave", () => point(undefined));
  }

  ui.summary = () => {
    const vector = `(${h[step].map(short).join(", ")})`;
    return t("summary", {
      arrangement: t(`arrangement.${s.arrangement}`), T: steps, t: step,
      x: t(step > inputs ? "zero" : "given", { x: fmt(x[step - 1], 0) }), h: vector,
      y: step < first ? t("unread") : t("read", { y: short(y[step - 1]) }),
      weight: t(`long.${s.weight}`), numbers: W[s.weight].flat().length, uses: uses(steps, steps - first + 1)[s.weight],
      count: parameterCount(W), fixed: fixedWidth(W, inputs, steps - first + 1),
    });
  };
}

const explorable = { render: (context) => mount(context, view) };
export default explorable;
