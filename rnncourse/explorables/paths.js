import { arrow, circle, clamp, dot, fmt, html, line, tag, text } from "./draw.js";
import { mount, put } from "./kit.js";

/** The row `row` M. */
const through = (row, M) => M[0].map((_, j) => dot(row, M.map((entries) => entries[j])));
const outer = (a, b) => a.map((u) => b.map((v) => u * v));

/** h_0 … h_3 and y_1 … y_3 (eq-hidden, eq-output). `net` holds the weights, h0 and the targets d. */
export function forward({ W_xh, W_hh, b_h, W_hy, b_y, h0 }, x) {
  const h = [h0];
  for (const x_t of x) h.push(b_h.map((b, i) => Math.tanh(dot(W_hh[i], h.at(-1)) + W_xh[i][0] * x_t + b)));
  return { h, y: h.slice(1).map((h_t) => dot(W_hy[0], h_t) + b_y[0]) };
}

/** What `weight` multiplies at step t: h_{t−1} or x_t. */
const multiplied = (weight, h, x, t) => (weight === "W_hh" ? h[t - 1] : [x[t - 1]]);
const slopes = (h_t) => h_t.map((v) => 1 - v * v);

/** Every path from the errors of `steps` to a use of `weight`; for each error the newest use first.
 *  `immediate` holds the entries i = p of ∂⁺h_k/∂W, the only ones that are not zero. */
export function walks(net, x, weight, steps) {
  const { h, y } = forward(net, x);
  return steps.flatMap((m) => {
    const row = net.W_hy[0].map((w) => (y[m - 1] - net.d[m - 1]) * w);
    const [found, jacobians] = [[], []];
    let carried = row;
    for (let k = m; k > 0; k--) {
      const slope = slopes(h[k]);
      const immediate = outer(slope, multiplied(weight, h, x, k));
      const value = immediate.map((entries, p) => entries.map((v) => carried[p] * v));
      found.push({ m, k, row, jacobians: [...jacobians], carried, immediate, value });
      jacobians.push(net.W_hh.map((weights, i) => weights.map((w) => slope[i] * w)));
      carried = through(carried, jacobians.at(-1));
    }
    return found;
  });
}

/** The recursion, newest step first (eq-delta-y, eq-delta-h, eq-delta-a, eq-bptt-sums). */
export function sweep(net, x, weight, steps) {
  const { h, y } = forward(net, x);
  let delta_a = [0, 0];
  return [3, 2, 1].map((t) => {
    const delta_y = steps.includes(t) ? y[t - 1] - net.d[t - 1] : 0;
    const own = net.W_hy[0].map((w) => w * delta_y);
    const later = through(delta_a, net.W_hh);
    const delta_h = own.map((v, i) => v + later[i]);
    const slope = slopes(h[t]);
    delta_a = slope.map((v, i) => v * delta_h[i]);
    const used = multiplied(weight, h, x, t);
    return { t, delta_y, own, later, delta_h, slope, delta_a, used, value: outer(delta_a, used) };
  });
}

/** The gradient by central differences, ε = 10⁻⁵ (eq-central-difference). */
export function measured(net, x, weight, steps) {
  const error = (W) => {
    const { y } = forward({ ...net, [weight]: W }, x);
    return steps.reduce((sum, t) => sum + (y[t - 1] - net.d[t - 1]) ** 2 / 2, 0);
  };
  const W = net[weight];
  const moved = (p, q, by) => error(W.map((row, i) => row.map((w, j) => (i === p && j === q ? w + by : w))));
  return W.map((row, p) => row.map((_, q) => (moved(p, q, 1e-5) - moved(p, q, -1e-5)) / 2e-5));
}

// ---- the figure ---------------------------------------------------------------------------------

const GAP = { gap: 23 };
const STEPS = { E1: [1], E2: [2], E3: [3], E: [3, 2, 1] };
const AT = ["n−1", "n", "n+1", "n+2", "n+3"];
const at = (symbol, t) => `${symbol}_{${AT[t]}}`;
const over = (above, m, below, k) => `${at(above, m)}/${k ? at(below, k) : below}`;
const number = (v, digits) => fmt(Math.abs(v) < 0.5 * 10 ** -digits ? 0 : v, digits);
const column = (v) => v.map((u) => [u]);
const listed = (M) => M.flat().map((v) => number(v, 3)).join(", ");

const span = (inner, style) => tag("span", { style }, inner);
/** A symbol and its matrix in the text; without a matrix, a sign of the calculation. */
const piece = (above, below) => span(span(html(above)) + below, "display:inline-grid;grid-template-rows:auto 1fr;place-items:center;gap:2px");
const matrix = (symbol, M, digits) => piece(symbol, tag("span", {
  class: "num",
  style: `display:grid;grid-template-columns:repeat(${M[0].length},auto);gap:0 .4em;text-align:right;` +
    "padding:0 .25em;border:solid;border-width:0 1.5px;border-radius:6px",
}, M.flat().map((v) => span(number(v, digits))).join("")));
const sign = (s) => piece(" ", span(s));
/** No line breaks after this sign. */
const equals = (rest, s = "=") => span(sign(s) + rest, "display:flex;gap:inherit");
const note = (s) => span(s, "align-self:center;padding-top:.8em");
const NEW_LINE = span("", "flex-basis:100%");
const WIDE = "flex:1 1 100%";
const FLOW = `${WIDE};display:flex;flex-wrap:wrap;align-content:start;gap:6px .5em`;

function view(ui) {
  const { state: s, data, t } = ui;
  const box = (parent, style, cls, key) => {
    parent.insertAdjacentHTML("beforeend", tag("div", { style, class: cls, ...(key && { role: "group", "aria-label": t(key) }) }));
    return parent.lastElementChild;
  };
  ui.choice("error");
  ui.choice("weight");
  const sliders = box(ui.controls, WIDE, "controls");
  for (const key of ["x1", "x2", "x3", "w11"]) ui.slider(key, { parent: sliders });
  ui.choice("way");
  const [walking, sweeping] = [box(ui.controls), box(ui.controls)];
  const pair = box(walking, "", "buttons", "path");
  for (const by of [-1, 1])
    ui.stepper(pair, by, () => ui.set({ path: clamp(Math.min(s.path, paths.length) + by, 1, paths.length) }));
  ui.player("step", { every: 1200, parent: sweeping });

  // `terms` are the paths or the steps of the recursion; the first `done` of them are in the sum.
  let narrow, byPath, W, y, steps, paths, recursion, terms, now, part, done, sum, difference, agrees;
  ui.each(() => {
    byPath = s.way === "paths";
    steps = STEPS[s.error];
    W = s.weight === "W_hh" ? "W_{hh}" : "W_{xh}";
    const W_hh = [data.W_hh[0], [data.W_hh[1][0], s.w11]];
    const given = [{ ...data, W_hh }, [s.x1, s.x2, s.x3], s.weight, steps];
    y = forward(...given).y;
    paths = walks(...given);
    recursion = sweep(...given);
    difference = measured(...given);
    terms = byPath ? paths : recursion;
    now = byPath ? Math.min(s.path, paths.length) : Math.ceil(s.step / 4);
    // In the recursion, which move of the step: 1 δ^y, 2 δ^h, 3 δ^a, 4 the term.
    part = s.step - 4 * now + 4;
    done = byPath ? now : Math.floor(s.step / 4);
    sum = difference.map((row, i) => row.map((_, j) => terms.slice(0, done).reduce((v, { value }) => v + value[i][j], 0)));
    agrees = sum.flat().every((v, i) => Math.abs(v - difference.flat()[i]) < 1e-8);
    walking.hidden = !byPath;
    sweeping.hidden = byPath;
  });

  /** A click on an error or on a copy of the weight: the path there, or the move of the recursion. */
  function click([what, at]) {
    const step = +at;
    if (!byPath) return ui.set({ step: 4 * (3 - step) + (what === "E" ? 1 : 4) });
    const lit = paths[now - 1];
    const m = what === "E" ? step : s.error === "E" ? Math.max(lit.m, step) : lit.m;
    const k = Math.min(m, what === "E" ? lit.k : step);
    // How many paths of later errors come first.
    const before = s.error === "E" ? [0, 5, 3, 0][m] : 0;
    ui.set({ error: s.error === "E" ? "E" : `E${m}`, path: before + m - k + 1 });
  }

  // The graph: errors above, states, copies of the weight below.
  const foot = () => (byPath ? 250 : 292);
  ui.panel("graph", (w) => {
    narrow = w < 520;
    write();
    const [digits, first, gap] = narrow ? [2, 0.19, 0.31] : [3, 0.17, 0.35];
    const [TOP, MIDDLE, FOOT] = [22, 152, foot()];
    const X = [0, 1, 2].map((i) => (first + gap * i) * w);
    const lit = byPath ? paths[now - 1] : {};
    const since = (step, move) => s.step - 4 * (3 - step) - move;
    const reached = (step, move) => !byPath && since(step, move) >= 0;
    const fresh = (step, move) => !since(step, move) && "error";
    const link = (from, to, on) => (on ? arrow(...to, ...from, "error thick", GAP) : arrow(...from, ...to, "edge faint", GAP));
    const node = (x, y, name, cls, what) =>
      tag("g", { "data-click": what }, circle(x, y, 20, `node ${cls || ""}`) + text(x, y + 5, name));
    /** A symbol, its base line at y, and below it its matrix: at x, or left (`side` −1) or right (1) of a line there. */
    function place(x, y, symbol, M, color, side = 0) {
      const style = "overflow:visible;pointer-events:none;font-size:12px;line-height:15px;" +
        `color:var(--${color || "ink"});text-align:${["right", "center", "left"][side + 1]}`;
      svg += tag("foreignObject", { x: x - 60 + 67 * side, y: y - 13, width: 120, height: 50, style }, matrix(symbol, M, digits));
    }
    let svg = arrow(10, MIDDLE, X[0], MIDDLE, "edge faint", GAP) + text(15, MIDDLE + 5, at("h", 0), "quiet");
    for (const step of [1, 2, 3]) {
      const x = X[step - 1];
      const before = X[step - 2];
      // Of the labels: the first column has no room on its left.
      const side = before ? -1 : 1;
      const r = recursion[3 - step];
      const error = step === lit.m || (reached(step, 1) && steps.includes(step));
      const back = (step > lit.k && step <= lit.m) || (before && reached(step - 1, 2));
      const use = step === lit.k || reached(step, 3);
      svg += link([x, MIDDLE], [x, TOP], error) + link([x, FOOT], [x, MIDDLE], use);
      if (before) svg += link([before, MIDDLE], [x, MIDDLE], back) + line(before + 24, FOOT, x - 24, FOOT, "axis dash faint");
      const middle = (before + x) / 2;
      if (byPath) {
        if (error) place(x, 53, over("∂E", step, "∂h", step), [lit.row], "", side);
        if (back) place(middle, MIDDLE - 60, at("J", step), lit.jacobians[lit.m - step]);
        if (use) {
          place(x, MIDDLE + 35, over("∂^+h", step, `∂${W}`), lit.immediate, "", side);
          place(x, FOOT + 28, "", lit.value, "error");
        }
      } else {
        if (reached(step, 1)) place(x, 53, at("δ^y", step), [[r.delta_y]], fresh(step, 1), -1);
        if (back) place(middle, MIDDLE - 60, at("W_{hh}^⊤δ^a", step), column(recursion[4 - step].later), fresh(step - 1, 2));
        if (reached(step, 2)) place(x, MIDDLE + 32, at("δ^h", step), column(r.delta_h), fresh(step, 2), -1);
        if (use) place(x, MIDDLE + 80, at("δ^a", step), column(r.delta_a), fresh(step, 3), 1);
        if (reached(step, 4)) place(x, FOOT + 28, "", r.value, fresh(step, 4));
      }
      svg += node(x, TOP, at("E", step), error && "error", `E${step}`);
      svg += node(x, MIDDLE, at("h", step), ((step >= lit.k && step <= lit.m) || reached(step, 2)) && "hidden");
      svg += node(x, FOOT, W, use && "error", s.error !== "E" && step > lit.m ? null : `W${step}`);
    }
    return svg;
  }, { height: () => foot() + 60, click });

  // Below it: the calculation of this moment, the terms, their sum.
  const formula = box(ui.panels, FLOW, "", "formula");
  const list = box(ui.panels, WIDE, "buttons", "terms");
  const result = box(ui.panels, FLOW, "", "sum");
  const picks = Array.from({ length: 6 }, (_, i) => ui.button(list, "", () => ui.set(byPath ? { path: i + 1 } : { step: 4 * i + 4 })));

  const factor = (symbol, M) => matrix(symbol, M, narrow ? 3 : 4);
  function ofPath({ m, k, row, jacobians, carried, immediate, value }) {
    const arrived = factor(over("∂E", m, "∂h", k), [carried]);
    const chain = jacobians.map((J, i) => factor(at("J", m - i), J)).join("");
    return (chain && factor(over("∂E", m, "∂h", m), [row]) + chain + equals(arrived) + NEW_LINE) + arrived +
      factor(over("∂^+h", k, `∂${W}`), immediate) + equals(factor(t("term"), value)) + note(t("entries"));
  }
  const used = (step) => (s.weight === "W_xh" ? at("x", step) : at("h^⊤", step - 1));
  function ofMove(r) {
    const of = (symbol, v) => factor(at(symbol, r.t), column(v));
    const a = of("δ^a", r.delta_a);
    const h = of("δ^h", r.delta_h);
    if (part === 1) return of("δ^y", [r.delta_y]) + sign("=") +
      (steps.includes(r.t) ? of("y", [y[r.t - 1]]) + sign("−") + of("d", [data.d[r.t - 1]]) : sign(t("uncounted")));
    if (part === 2) return h + sign("=") + of("W_{hy}^⊤δ^y", r.own) + sign("+") + factor(at("W_{hh}^⊤δ^a", r.t + 1), column(r.later));
    if (part === 3) return a + sign("=") + factor(`1 − ${at("h", r.t)}^2`, column(r.slope)) + sign("⊙") + h;
    return a + factor(used(r.t), [r.used]) + sign("=") + factor(t("term"), r.value);
  }
  const products = (list) => list.reduce((count, { m, k }) => count + m - k, 0);
  const tally = (key, count, all) => span(`${t(key)} ${"●".repeat(count)}${"○".repeat(all - count)} ${all}`, "margin-right:1em");
  function write() {
    ui.panels.style.fontSize = narrow ? "12px" : "13px";
    // Room for two lines or for one, so that stepping moves nothing.
    formula.style.minHeight = byPath ? "118px" : "56px";
    put(formula, (byPath ? ofPath : ofMove)(terms[now - 1]));
    picks.forEach((b, i) => {
      const term = terms[i];
      b.hidden = !term;
      if (!term) return;
      put(b, matrix(byPath ? `${i + 1}: ${at("E", term.m)}→${AT[term.k]}` : `${at("δ^a", term.t)} ${used(term.t)}`, term.value, narrow ? 2 : 4));
      b.style.padding = narrow ? "3px 1px" : "";
      b.setAttribute("aria-pressed", String(i === now - 1));
      b.style.borderStyle = i < done ? "solid" : "dashed";
    });
    put(result, factor(t("so_far"), sum) + equals(factor(t("measured"), difference), agrees ? "=" : "≠") +
      note(t(agrees ? "agree" : "differ")) + NEW_LINE + span(t("products")) +
      tally("way.paths", byPath ? products(paths.slice(0, now)) : 0, products(paths)) +
      tally("way.recursion", byPath ? 0 : now - (part < 2), 3));
  }
  ui.summary = () => {
    const { m, k, t: step } = terms[now - 1];
    const where = byPath
      ? t("on_path", { now, count: paths.length, m: AT[m], k: AT[k], weight: t(`weight.${s.weight}`), through: t(`through.${m - k}`) })
      : t("on_move", { step: AT[step], move: t(`move.${part}`) });
    const total = t(agrees ? "total" : "partial", { sum: listed(sum), all: listed(difference) });
    return `${where} ${total} ${t("cost")}`;
  };
}

const explorable = { render: (context) => mount(context, view) };
export default explorable;
