import { axes, circle, clamp, dot, fmt, framed, handle, line, path, sigmoid, text } from "./draw.js";
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
  ui.presets({
    zero: { b_f: 0, gain: 1, gates: free },
    one: { b_f: 1, gain: 1, gates: free },
    three: { b_f: 3, gain: 1, gates: free },
    shut: { b_f: 3, gain: 1, gates: free.map((v, k) => (k === 19 ? 0.05 : v)), step: 20 },
    large: { b_f: 3, gain: 8, gates: free },
  });
  ui.button(ui.controls.lastChild, t("release"), () => ui.set({ gates: free }));
  ui.slider("b_f");
  ui.slider("gain", { shown: (v) => `×${fmt(v, 1)}` });
  ui.slider("step");

  let f, means, curves;
  ui.each(() => {
    const steps = forward(data, s.b_f, s.gain, s.gates);
    f = steps.map((step) => step.f);
    means = f.map((units) => units.reduce((a, b) => a + b) / units.length);
    curves = {
      rnn: reach(rnnJacobians(data, s.gain), f[0].length),
      full: reach(steps.map((step) => jacobian(data, s.gain, step)), f[0].length),
      direct: direct(f),
    };
  });
  ui.slider("gate", {
    range: { low: 0, high: 1, step: 0.01 }, label: () => t("gate", { t: s.step }),
    read: () => means[s.step - 1], write: (value) => hold(s.step, value),
    spoken: (value) => value + (s.gates[s.step - 1] < 0 ? "" : `, ${t("held")}`),
  });

  const time = (words) => [0, T, [0, 10, 20, 30, 40], words];
  const looks = { direct: "cell thick", full: "error thick", rnn: "hidden thick dash" };

  ui.panel("reach", (w, height) => {
    const narrow = w < 560;
    const top = w < 330 ? 62 : narrow ? 46 : 26;
    const a = axes(w, height, { x: time(""), y: [-12, 4, [-12, -8, -4, 0, 4], t("size")], log: true, top, bottom: 24 });
    // What leaves the plot is cut at its frame; 0 is far below it.
    const at = (v, k) => [a.x(k), a.y(clamp(Math.log10(v), -40, 40))];
    const [full, straight] = [curves.full.map(at), curves.direct.map(at)];
    const gap = path([...full, ...straight.slice().reverse()], "", { style: "fill:var(--error);fill-opacity:.12;stroke:none" });
    const drawn = Object.keys(curves).map((key) => path(curves[key].map(at), looks[key])).join("");
    const [above, below] = [full[5][1], Math.min(a.bottom, straight[5][1])];
    const named = below - above > 24 ? text(a.left + 8, (above + below) / 2 + 4, t("indirect"), "error", "start") : "";
    let [x, y] = narrow ? [6, 31] : [a.left + 200, 10];
    const keys = Object.keys(looks).map((key) => {
      const long = 40 + 6.3 * t(key).length;
      if (x + long > w + 13) [x, y] = [6, y + 16];
      const here = line(x, y, x + 22, y, looks[key]) + text(x + 27, y + 4, t(key), "quiet", "start");
      x += long;
      return here;
    });
    return a.svg + line(a.left, a.y(0), a.right, a.y(0), "axis") + framed(a, gap + drawn + named) + keys.join("");
  }, { height: () => 270, min: 480 });

  let bars, grab;
  ui.panel("gates", (w, height) => {
    const narrow = w < 380;
    const a = (bars = axes(w, height, { x: time(t("time")), y: [0, 1, [0, 0.5, 1], t("open")], top: narrow ? 42 : 24 }));
    const half = halfLife(s.b_f);
    const boxes = (test, top, bottom) => means.flatMap((v, k) => {
      const [left, right] = [a.x(k) + 1, a.x(k + 1) - 1];
      return test(s.gates[k] >= 0) ? [[left, bottom(v)], [left, top(v)], [right, top(v)], [right, bottom(v)], [NaN, 0]] : [];
    });
    const columns = (test, color, opacity) =>
      path(boxes(test, a.y, () => a.bottom), "", { style: `fill:var(--${color});fill-opacity:${opacity};stroke:none` });
    const grips = path(boxes(() => true, (v) => a.y(v) - 14, (v) => a.y(v) + 14), "", { style: "fill:transparent;stroke:none", "data-drag": "f" });
    const units = path(f.flatMap((values, k) => {
      const x = a.x(k + 0.5);
      return [[x, a.y(Math.min(...values))], [x, a.y(Math.max(...values))], [NaN, 0]];
    }), "edge");
    const ideal = curves.direct.map((_, k) => [a.x(k), a.y(sigmoid(s.b_f) ** (T - k))]);
    const x = a.x(Math.max(0, T - half));
    const mark = half > T ? "" : line(x, a.top - 6, x, a.y(0.5), "cell dash") + circle(x, a.y(0.5), 5, "cell node");
    const pins = means.map((v, k) => (s.gates[k] < 0 ? "" : circle(a.x(k + 0.5), a.y(v), 3.5, "cell")));
    const chosen = handle(a.x(s.step - 0.5), a.y(means[s.step - 1]), "cell", "f");
    return a.svg + columns((held) => !held, "quiet", 0.22) + columns((held) => held, "cell", 0.5) + units +
      path(curves.direct.map((v, k) => [a.x(k), a.y(v)]), "cell thick") + path(ideal, "dash") + mark +
      text(clamp(x, a.left + (narrow ? 92 : 170), a.right - 92), narrow ? 32 : 14, t("half", { n: fmt(half, 1) }), "cell") + pins.join("") + grips + chosen;
  }, {
    height: () => 190, min: 480,
    drag(x, y, _, begin) {
      if (begin) {
        const step = clamp(Math.ceil(bars.back.x(x)), 1, T);
        grab = y - bars.y(means[step - 1]);
        ui.set({ step });
        return;
      }
      const value = bars.back.y(y - grab);
      // A tap that trembles selects the step, and no more.
      if (s.gates[s.step - 1] >= 0 || Math.abs(value - means[s.step - 1]) > 0.02) hold(s.step, value);
    },
  });

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
