import { axes, clamp, dot, fmt, framed, handle, line, path, rect, sigmoid, text } from "./draw.js";
import { mount } from "./kit.js";
import { norm } from "./norm.js";

const times = (W, v) => W.map((row) => dot(row, v));
const grid = (n, m, entry) => Array.from({ length: n }, (_, j) => Array.from({ length: m }, (_, k) => entry(j, k)));
const multiply = (A, B) => A.map((row) => B[0].map((_, k) => row.reduce((sum, a, m) => sum + a * B[m][k], 0)));

/** eq-half-life: n = ln ½ / ln σ(b). */
export const halfLife = (b) => Math.log(2) / Math.log1p(Math.exp(-b));

/** The forward pass of the LSTM from zeros; gates[t] ≥ 0 holds the forget gate of all units at step t. */
export function forward({ x, W_xh, W_hh }, b, gain, gates) {
  let h = W_hh.f.map(() => 0);
  let c = h;
  return x.map((x_t, t) => {
    const recurrent = (q) => times(W_hh[q], h);
    const a = (q) => { const r = recurrent(q); return times(W_xh[q], x_t).map((v, j) => v + gain * r[j]); };
    const held = gates[t] >= 0;
    const f = a("f").map((v) => (held ? gates[t] : sigmoid(v + b)));
    const [i, o, g] = [a("i").map(sigmoid), a("o").map(sigmoid), a("g").map(Math.tanh)];
    const before = c;
    c = f.map((v, j) => v * before[j] + i[j] * g[j]);
    h = c.map((v, j) => o[j] * Math.tanh(v));
    return { f, i, o, g, c, h, before, held };
  });
}

/** J_t = ∂(h_t; c_t) / ∂(h_{t-1}; c_{t-1}). A gate that is held does not depend on h_{t-1}. */
export function jacobian({ W_hh }, gain, { f, i, o, g, c, before, held }) {
  const H = f.length;
  const toCell = grid(H, 2 * H, (j, k) => {
    if (k >= H) return k - H === j ? f[j] : 0;
    const forget = held ? 0 : before[j] * f[j] * (1 - f[j]) * W_hh.f[j][k];
    return gain * (forget + g[j] * i[j] * (1 - i[j]) * W_hh.i[j][k] + i[j] * (1 - g[j] ** 2) * W_hh.g[j][k]);
  });
  const toHidden = grid(H, 2 * H, (j, k) => {
    const tanh = Math.tanh(c[j]);
    const output = k < H ? gain * tanh * o[j] * (1 - o[j]) * W_hh.o[j][k] : 0;
    return output + o[j] * (1 - tanh ** 2) * toCell[j][k];
  });
  return [...toHidden, ...toCell];
}

/** The Jacobians of the plain RNN with the candidate's weights: diag(1 − h_t²) W_hh. */
export function rnnJacobians({ x, W_xh, W_hh }, gain) {
  let h = W_hh.g.map(() => 0);
  return x.map((x_t) => {
    const r = times(W_hh.g, h);
    h = times(W_xh.g, x_t).map((v, j) => Math.tanh(v + gain * r[j]));
    return W_hh.g.map((row, j) => row.map((w) => (1 - h[j] ** 2) * gain * w));
  });
}

/** Norms of J_T ⋯ J_{t+1} for t = 0 … T: of its last H rows and columns. */
export function reach(jacobians, H) {
  const n = jacobians[0].length;
  let P = grid(H, n, (j, k) => +(k === n - H + j));
  return [...jacobians, null].reduceRight((norms, J) => {
    if (J) P = multiply(P, J);
    return [norm(P.map((row) => row.slice(n - H))), ...norms];
  }, []);
}

/** The direct path, ‖diag(f_T ⊙ ⋯ ⊙ f_{t+1})‖₂ for t = 0 … T: the unit that keeps most. */
export function direct(f) {
  let product = f[0].map(() => 1);
  return [...f, null].reduceRight((norms, f_t) => {
    if (f_t) product = product.map((p, j) => p * f_t[j]);
    return [Math.max(...product), ...norms];
  }, []);
}

function view(ui) {
  const { state: s, data, t } = ui;
  const T = data.x.length;
  const free = data.x.map(() => -1);
  const hold = (step, value) => ui.set({ gates: s.gates.map((v, k) => (k === step - 1 ? value : v)) });

  let means, curves;
  ui.each(() => {
    const steps = forward(data, s.b_f, s.gain, s.gates);
    const f = steps.map((step) => step.f);
    means = f.map((units) => units.reduce((a, b) => a + b) / units.length);
    curves = {
      rnn: reach(rnnJacobians(data, s.gain), f[0].length),
      full: reach(steps.map((step) => jacobian(data, s.gain, step)), f[0].length),
      direct: direct(f),
    };
  });
  const sides = { left: 42, right: 8 }; // of both pictures: a step has one place

  // What of a gradient gets back from step 40.
  const looks = { direct: "cell thick", full: "error thick", rnn: "hidden thick dash" };
  const halo = { style: "paint-order:stroke;stroke:var(--card);stroke-width:5px;stroke-linejoin:round" };
  ui.panel("reach", (w, height) => {
    const a = axes(w, height, { x: [0, T, [], ""], y: [-12, 4, [-12, -8, -4, 0, 4], t("size")], log: true, bottom: 8, ...sides });
    // What leaves the plot is cut at its frame; 0 is far below it.
    const at = (v, k) => [a.x(k), a.y(clamp(Math.log10(v), -40, 40))];
    const points = Object.fromEntries(Object.keys(looks).map((key) => [key, curves[key].map(at)]));
    const gap = path([...points.full, ...points.direct.toReversed()], "", { style: "fill:var(--error);fill-opacity:.12;stroke:none" });
    const drawn = Object.keys(curves).map((key) => path(points[key], looks[key])).join("");
    // A curve's name stands at its left end, or where the curve comes into the plot: that of the full
    // derivative above it, the others below.
    let low = a.bottom - 5;
    const names = Object.keys(looks).map((key) => {
      const room = a.left + (key === "full" ? 96 : 12);
      const [x, y] = points[key].find(([x, y]) => x > room && y < a.bottom - 22) ?? points[key][T];
      return { key, x, y: key === "full" ? Math.max(y - 8, a.top + 12) : y + 17 };
    }).sort((p, q) => q.y - p.y);
    for (const name of names) {
      name.y = Math.min(name.y, low);
      low = name.y - 16;
    }
    const written = names.map(({ key, x, y }) => {
      const end = key === "full" || x > a.right - 96;
      return text(end ? x - 4 : x + 4, y, t(key), looks[key].split(" ")[0], end ? "end" : "start", halo);
    });
    // What lies between the two is named where there is room for the words.
    const [above, below] = [points.full[0][1], Math.min(points.direct.find(([x]) => x > a.left + 100)[1], a.bottom)];
    const middle = (above + below) / 2 + 4;
    if (below - above > 13 && names.every(({ y }) => Math.abs(y - middle) > 15))
      written.push(text(a.left + 8, middle, t("indirect"), "quiet", "start"));
    return a.svg + line(a.left, a.y(0), a.right, a.y(0), "axis") + framed(a, gap + drawn) + written.join("") +
      text(a.right, a.top + 14, t("from"), "quiet", "end", halo);
  }, { height: (w) => (w > 480 ? 238 : 236), min: 480 });

  // Why: the gates on the way.
  let bars, grab;
  ui.panel("gates", (w, height) => {
    const a = (bars = axes(w, height, { x: [0, T, [0, 10, 20, 30, 40], t("time")], y: [0, 1, [0, 1], t("open")], ...sides }));
    const wide = a.x(1) - a.x(0);
    const columns = means.map((v, k) =>
      rect(a.x(k) + 1, a.y(v), wide - 2, a.bottom - a.y(v), "cell", { style: `fill-opacity:${s.gates[k] < 0 ? 0.35 : 1}` }));
    // Hold of it is taken at the tops alone, so that a finger can scroll the page elsewhere.
    const tops = path(means.flatMap((v, k) => {
      const [left, right, y] = [a.x(k), a.x(k + 1), a.y(v)];
      return [[left, y - 14], [right, y - 14], [right, y + 14], [left, y + 14], [NaN, 0]];
    }), "", { style: "fill:transparent;stroke:none", "data-drag": "f" });
    const [x, y] = [a.x(s.step - 0.5), a.y(means[s.step - 1])];
    const thumb = rect(x - wide / 2 - 2, y - 4, wide + 4, 8, "cell handle", { rx: 3 });
    const label = text(x, y + (means[s.step - 1] > 0.4 ? 24 : -10), `f_{${s.step}}`, "", "middle", halo);
    return a.svg + columns.join("") + label + tops + handle(x, y, "cell", "f", thumb);
  }, {
    height: () => 122, min: 480,
    drag(x, y, _, begin) {
      if (begin) {
        const step = clamp(Math.ceil(bars.back.x(x)), 1, T);
        grab = y - bars.y(means[step - 1]);
        ui.set({ step });
        return;
      }
      // A tap that trembles selects the step, and no more.
      if (s.gates[s.step - 1] >= 0 || Math.abs(y - grab - bars.y(means[s.step - 1])) > 2) hold(s.step, bars.back.y(y - grab));
    },
  });

  ui.slider("b_f");
  ui.player("b_f", { every: 200, range: { low: -10, high: 30 }, read: () => Math.round(5 * s.b_f), write: (v) => ui.set({ b_f: v / 5 }) });
  ui.presets({
    zero: { b_f: 0, gain: 1, gates: free },
    one: { b_f: 1, gain: 1, gates: free },
    three: { b_f: 3, gain: 1, gates: free },
    shut: { b_f: 3, gain: 1, gates: free.map((v, k) => (k === 19 ? 0.05 : v)), step: 20 },
    large: { b_f: 3, gain: 8, gates: free },
  });

  const parent = ui.more.controls;
  ui.slider("gain", { parent, shown: (v) => `×${fmt(v, 1)}` });
  ui.slider("step", { parent });
  ui.slider("gate", {
    parent, range: { low: 0, high: 1, step: 0.01 }, label: () => t("gate", { t: s.step }),
    read: () => means[s.step - 1], write: (value) => hold(s.step, value),
    spoken: (value) => value + (s.gates[s.step - 1] < 0 ? "" : `, ${t("held")}`),
  });
  ui.button(parent, t("release"), () => ui.set({ gates: free }));

  ui.summary = () => {
    const show = (v, digits = 2) => fmt(v, v < 0.1 || v >= 100 ? 0 : digits);
    const [full, straight, rnn] = [curves.full[0], curves.direct[0], curves.rnn[0]];
    const verdict = !s.gain ? "none" : full > 100 ? "explodes" : full > 1 ? "grows" : straight ? "ratio" : "only";
    const held = s.gates.filter((v) => v >= 0).length;
    return [
      t("summary", { b: fmt(s.b_f, 1), half: fmt(halfLife(s.b_f), 1), direct: show(straight), full: show(full), rnn: show(rnn) }),
      t(verdict, { ratio: show(full / straight, 1) }), held ? t("holding", { held }) : "",
    ].join(" ");
  };
}

const explorable = { render: (context) => mount(context, view) };
export default explorable;
