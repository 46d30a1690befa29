import { arrow, circle, dot, fmt, html, line, rect, scale, tag, text } from "./draw.js";
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
    return { t, y: y[t - 1], delta_y, own, later, delta_h, slope, delta_a, used, value: outer(delta_a, used) };
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

const STEPS = { E1: [1], E2: [2], E3: [3], E: [3, 2, 1] };
const AT = ["n−1", "n", "n+1", "n+2", "n+3"];
const at = (symbol, t) => `${symbol}_{${AT[t]}}`;
const over = (above, m, below, k) => `${at(above, m)}/${k ? at(below, k) : below}`;
const number = (v, digits) => fmt(+v.toFixed(digits), digits);
const column = (v) => v.map((u) => [u]);
const listed = (M) => M.flat().map((v) => number(v, 3)).join(", ");

// A calculation is a list of factors [symbol, matrix, layered] and of signs between them. An immediate
// derivative is layered: row i of its matrix is row i of layer i, and all else in the layers is zero.

const CELL = 13;
const shape = ([, M, layered]) => [M.length, layered ? `(${M.length}×${M[0].length})` : M[0].length].join("×");
/** A factor as cells around x, y. */
function cells([, M, layered], x, y, cls) {
  const rows = layered ? M.flatMap((row, i) => M.map((_, p) => p === i && row)) : M;
  const top = (r) => y + (r - rows.length / 2) * CELL + (layered ? (r < M.length ? -3 : 3) : 0);
  return rows.flatMap((row, r) => M[0].map((_, q) => {
    const left = x + (q - M[0].length / 2) * CELL;
    return rect(left, top(r), CELL, CELL, `node ${row ? cls : ""}`, { style: "stroke-width:1" }) +
      (row ? "" : text(left + CELL / 2, top(r) + 11, "0", "quiet"));
  })).join("");
}

/** A factor as numbers, row by row. */
const numbers = ([symbol, M]) => `${html(symbol)} = ${M.map((row) => `[${row.map((v) => number(v, 4)).join(" ")}]`).join(" ")}`;

function view(ui) {
  const { state: s, data, t } = ui;

  // `terms` are the paths or the steps of the recursion; the first `done` of them are in the sum.
  // `sums` holds for each entry of the weight the sums of the first 0, 1, 2, … terms.
  let byPath, W, steps, paths, terms, last, place, now, part, done, sums, sum, difference, agrees;
  ui.each(() => {
    byPath = s.way === "paths";
    steps = STEPS[s.error];
    W = `W_{${s.weight.slice(2)}}`;
    const W_hh = [data.W_hh[0], [data.W_hh[1][0], s.w11]];
    const given = [{ ...data, W_hh }, [s.x1, s.x2, s.x3], s.weight, steps];
    paths = walks(...given);
    terms = byPath ? paths : sweep(...given);
    difference = measured(...given);
    // The place among the paths or among the moves of the recursion, and the last place.
    last = byPath ? paths.length : 12;
    place = byPath ? Math.min(s.path, last) : s.step;
    now = byPath ? place : Math.ceil(place / 4);
    // Which move of the step: 1 δ^y, 2 δ^h, 3 δ^a, 4 the term. A path goes to its term at once.
    part = byPath ? 4 : place - 4 * now + 4;
    done = part < 4 ? now - 1 : now;
    sums = difference.map((row, p) => row.map((_, q) => terms.reduce((ends, { value }) => [...ends, ends.at(-1) + value[p][q]], [0])));
    sum = sums.map((row) => row.map((ends) => ends[done]));
    agrees = sum.flat().every((v, i) => Math.abs(v - difference.flat()[i]) < 1e-8);
    slider.max = last;
  });
  const go = (place) => ui.set(byPath ? { path: Math.max(1, place) } : { step: place });

  /** A click on an error or on a copy of the weight: the path there, or the move of the recursion. */
  function click([what, at]) {
    const step = +at;
    if (!byPath) return go(4 * (3 - step) + (what === "E" ? 1 : 4));
    const lit = paths[now - 1];
    const [m, k] = what === "E" ? [step, Math.min(step, lit.k)] : [Math.max(step, lit.m), step];
    const among = paths.findIndex((path) => path.m === m && path.k === k);
    ui.set(s.error === "E" ? { path: among + 1 } : { error: `E${m}`, path: m - k + 1 });
  }

  // The graph: errors above, states, copies of the weight below.
  ui.panel("graph", (w) => {
    const [TOP, MIDDLE, FOOT] = [19, 93, 165];
    const X = [0, 1, 2].map((i) => (0.2 + 0.34 * i) * w);
    const lit = byPath ? paths[now - 1] : {};
    /** How many moves ago the recursion made this one. */
    const since = (step, move) => (byPath ? NaN : place - 4 * (3 - step) - move);
    const reached = (step, move) => since(step, move) >= 0;
    const link = (from, to, on) => arrow(...(on ? [...to, ...from, "error thick"] : [...from, ...to, "edge faint"]), { gap: 21 });
    const node = (x, y, name, cls, what) =>
      tag("g", { "data-click": what }, circle(x, y, 18, `node ${cls || ""}`) + text(x, y + 5, name));
    /** A label left of x (`side` −1), right of it (1) or there (0); what is new is marked. */
    const label = (on, x, dy, symbol, side, ago) =>
      on ? text(x + 9 * side, MIDDLE + dy, symbol, ago ? "" : "error", ["end", "middle", "start"][side + 1]) : "";
    let svg = link([10, MIDDLE], [X[0], MIDDLE]) + text(15, MIDDLE + 5, at("h", 0), "quiet");
    for (const step of [1, 2, 3]) {
      const [before, x] = [X[step - 2], X[step - 1]];
      const error = step === lit.m || (reached(step, 1) && steps.includes(step));
      const passed = (step >= lit.k && step <= lit.m) || reached(step, 2);
      const back = (passed && step > lit.k) || reached(step - 1, 2);
      const used = step === lit.k || reached(step, 3);
      svg += link([x, MIDDLE], [x, TOP], error) + link([x, FOOT], [x, MIDDLE], used);
      if (before) svg += link([before, MIDDLE], [x, MIDDLE], back) + line(before + 22, FOOT, x - 22, FOOT, "axis dash faint");
      const signal = (symbol, dy, side, move) => label(reached(step, move), x, dy, at(symbol, step), side, since(step, move));
      // The first column has no room on its left.
      const side = before ? -1 : 1;
      svg += label(back, (before + x) / 2, -9, at(byPath ? "J" : "W_{hh}^⊤δ^a", step), 0, since(step - 1, 2)) +
        label(step === lit.m, x, -36, over("∂E", step, "∂h", step), side) + label(step === lit.k, x, 42, over("∂^+h", step, `∂${W}`), side) +
        signal("δ^y", -36, -1, 1) + signal("δ^h", 30, -1, 2) + signal("δ^a", 42, 1, 3);
      svg += node(x, TOP, at("E", step), error && "error", `E${step}`) +
        node(x, MIDDLE, at("h", step), passed && "hidden") +
        node(x, FOOT, W, used && "error", s.error !== "E" && step > lit.m ? null : `W${step}`);
    }
    return svg;
  }, { height: () => 184, click });

  // What is calculated at this moment.
  const chain = ({ m, row, jacobians }) => [[over("∂E", m, "∂h", m), [row]], ...jacobians.map((J, i) => [at("J", m - i), J])];
  const use = ({ k, immediate }) => [over("∂^+h", k, `∂${W}`), immediate, true];
  const term = ({ value }) => [t("term"), value];
  function move(r) {
    const of = (symbol, v, step = r.t) => [at(symbol, step), column(v)];
    const [h, a] = [of("δ^h", r.delta_h), of("δ^a", r.delta_a)];
    if (part === 1) return [of("δ^y", [r.delta_y]), ...(steps.includes(r.t) ? ["=", of("y", [r.y]), "−", of("d", [data.d[r.t - 1]])] : ["= 0"])];
    if (part === 2) return [h, "=", of("W_{hy}^⊤δ^y", r.own), "+", of("W_{hh}^⊤δ^a", r.later, r.t + 1)];
    if (part === 3) return [a, "=", [`1 − ${at("h", r.t)}^2`, column(r.slope)], "⊙", h];
    return [a, [s.weight === "W_xh" ? at("x", r.t) : at("h^⊤", r.t - 1), [r.used]], "=", term(r)];
  }

  // Its factors with their shapes.
  ui.panel("product", (w) => {
    const it = terms[now - 1];
    const parts = byPath ? [...chain(it), use(it), "=", term(it)] : move(it);
    const factors = parts.filter(Array.isArray).length;
    const wide = Math.min(84, w / factors);
    let x = (w - wide * factors) / 2;
    let svg = byPath ? text(w / 2, 130, t("slice"), "quiet") : "";
    for (const part of parts) {
      if (!Array.isArray(part)) svg += text(x, 72, part);
      else {
        const [above, below] = part[0].split("/");
        const middle = x + wide / 2;
        svg += text(middle, below ? 12 : 20, above) + cells(part, middle, 68, above === t("term") ? "error" : "hidden") + text(middle, 113, shape(part), "quiet");
        if (below) svg += line(middle - 19, 18, middle + 19, 18, "axis") + text(middle, 31, below);
        x += wide;
      }
    }
    return svg;
  }, { height: () => 134 }).style.alignSelf = "center";

  // The terms, each added to those before it, for every entry of the weight.
  ui.panel("sum", (w, height) => {
    const digits = w < 400 ? 2 : 3;
    const all = sums.flat(2);
    const [low, high] = [Math.min(...all), Math.max(...all)];
    const sx = scale(low, high > low ? high : 1, 74, w - 112);
    const [top, bottom] = [22, height - 18];
    const room = (bottom - top) / sums.flat().length;
    const lane = Math.min(8, (room - 6) / terms.length);
    let svg = text(0, 13, t(byPath ? "added" : "swept", { done, all: terms.length }), "quiet", "start") +
      text(w - 56, 13, t("term"), "error", "end") + text(w, 13, t("so_far"), "", "end") + line(sx(0), top, sx(0), bottom, "axis");
    sums.forEach((row, p) => row.forEach((ends, q) => {
      const y = top + (p * row.length + q + 0.5) * room;
      for (let i = 0; i < done; i++) {
        const [a, b] = [sx(ends[i]), sx(ends[i + 1])];
        svg += rect(Math.min(a, b), y + (i - terms.length / 2) * lane, Math.max(1.5, Math.abs(b - a)), lane - 1, i === now - 1 ? "error" : "");
      }
      const mark = sx(difference[p][q]);
      if (agrees) svg += line(mark, y - room / 2 + 1, mark, y + room / 2 - 1, "thick");
      if (part === 4) svg += text(w - 56, y + 4, number(ends[done] - ends[done - 1], digits), "error", "end");
      svg += text(0, y + 4, `${W}[${p}, ${q}]`, "", "start") + text(w, y + 4, number(ends[done], digits), "", "end");
    }));
    return svg + (agrees ? text(w, height - 3, t("agree"), "", "end") : "");
  }, { height: () => 126, min: 500 });

  const slider = ui.slider("path", {
    range: { low: 1, high: 12, step: 1 },
    label: () => t(byPath ? "path" : "step"),
    read: () => place,
    write: go,
    shown: () => `${place}/${last}`,
  });
  ui.choice("error");
  // Of the player's twelve places the last ones are the paths, however many there are.
  ui.player("path", { every: 1400, range: { low: 1, high: 12 }, read: () => 12 - last + place, write: (v) => go(v - 12 + last) });
  const story = (weight) => ({ way: "paths", weight, error: "E3", path: 1 });
  ui.presets({ W_hh: story("W_hh"), W_xh: story("W_xh"), recursion: { way: "recursion", error: "E", step: 1 } });

  // All numbers, and what else can be changed.
  const group = (key, lines) => tag("div", { role: "group", "aria-label": t(key) }, lines.join("<br>"));
  ui.each(() => {
    const it = terms[now - 1];
    const row = it.m > it.k && [over("∂E", it.m, "∂h", it.k), [it.carried]];
    const factors = (byPath ? [...chain(it), row, use(it), term(it)] : move(it)).filter(Array.isArray);
    put(ui.more.panels, tag("div", { style: "display:grid;gap:8px;font-size:13px" },
      group("formula", [...factors.map(numbers), byPath ? html(t("entries")) : ""]) +
      group("check", [numbers([t("so_far"), sum]), numbers([`${agrees ? "✓" : "≠"} ${t("measured")}`, difference])]) +
      t("products", { count: paths.reduce((n, { m, k }) => n + m - k, 0) })));
  });
  for (const key of ["weight", "way"]) ui.choice(key, { parent: ui.more.controls });
  for (const key of ["x1", "x2", "x3", "w11"]) ui.slider(key, { parent: ui.more.controls });

  ui.summary = () => {
    const { m, k, t: step } = terms[now - 1];
    const where = byPath
      ? t("on_path", { now, count: last, m: AT[m], k: AT[k], weight: W, through: t(`through.${m - k}`) })
      : t("on_move", { step: AT[step], move: t(`move.${part}`) });
    return `${where} ${t(agrees ? "total" : "partial", { sum: listed(sum) })}`;
  };
}

const explorable = { render: (context) => mount(context, view) };
export default explorable;
