import { axes, circle, clamp, dot, fmt, framed, handle, line, path, power, rect, text } from "./draw.js";
import { mount } from "./kit.js";
import { norm } from "./norm.js";

const LAGS = 50;
const LOW = -15; // the plot shows the norms from 10^LOW to 10^HIGH
const HIGH = 9;
const LIMIT = 3; // vanished below 10⁻³ at the largest lag, exploded above 10³

/** W_hh = ρ (A + α B). */
export const weights = (A, B, rho, nonnormal) => A.map((row, i) => row.map((a, j) => rho * (a + nonnormal * B[i][j])));

/** h_1 … h_T from h_0 = 0: h ← tanh(W_hh h + size · W_xh x_t). */
export function states(W, Wxh, size, inputs) {
  let h = W.map(() => 0);
  return inputs.map((x) => (h = W.map((row, i) => Math.tanh(dot(row, h) + size * dot(Wxh[i], x)))));
}

/** For each lag ‖J_T ⋯ J_{T−n+1}‖ and ∏ ‖J_t‖, with J_t = diag(1 − h_t²) W_hh. */
export function reach(W, h) {
  let P = W.map((_, i) => W.map((_, j) => +(i === j)));
  const [norms, bound] = [[1], [1]];
  for (const state of [...h].reverse()) {
    const J = W.map((row, i) => row.map((w) => (1 - state[i] * state[i]) * w));
    const columns = J[0].map((_, j) => J.map((row) => row[j]));
    P = P.map((row) => columns.map((column) => dot(row, column)));
    norms.push(norm(P));
    bound.push(bound.at(-1) * norm(J));
  }
  return { norms, bound };
}

/** The mean of 1 − h² over all units and steps. */
export const slope = (h) => 1 - h.reduce((sum, state) => sum + dot(state, state) / state.length, 0) / h.length;

export const verdict = (last) => (last < 10 ** -LIMIT ? "vanish" : last > 10 ** LIMIT ? "explode" : "neither");

/** A norm for reading: with two decimals, or as m·10ⁿ. */
const num = (x) => {
  const [m, n] = x.toExponential(1).split("e");
  return x >= 0.1 && x < 1000 ? fmt(x) : `${m}·${power(+n)}`;
};

function view(ui) {
  const { state: s, t, data } = ui;
  ui.presets({
    vanish: { network: 1, rho: 0.8, scale: 0.3, nonnormal: 1 },
    explode: { network: 1, rho: 1.3, scale: 0, nonnormal: 1 },
    grows: { network: 2, rho: 0.8, scale: 0.05, nonnormal: 3 },
    saturated: { network: 1, rho: 1.3, scale: 2, nonnormal: 1 },
    slopes: { network: 2, rho: 0.9, scale: 0.05, nonnormal: 5 },
  });
  for (const key of ["rho", "scale", "nonnormal", "lag"]) ui.slider(key);
  ui.choice("network");

  let known, pairs, sigma, mean, norms, bound, lines;
  ui.each(() => {
    const now = [s.network, s.rho, s.scale, s.nonnormal].join();
    if (now === known) return;
    known = now;
    const [eigenvalues, A, B, Wxh] = data.networks[s.network];
    const W = weights(A, B, s.rho, s.nonnormal);
    const h = states(W, Wxh, s.scale, data.inputs);
    pairs = eigenvalues;
    sigma = norm(W);
    mean = slope(h);
    ({ norms, bound } = reach(W, h));
    const powers = (base) => norms.map((_, k) => base ** k);
    lines = [
      { key: "norm", values: norms, cls: "error thick" },
      { key: "bound", values: bound, cls: "error dash" },
      { key: "sigmas", values: powers(sigma), cls: "hidden dash" },
      { key: "radii", values: powers(s.rho), cls: "hidden" },
    ];
  });

  const plot = { x: [0, LAGS, [0, 10, 20, 30, 40, 50], t("back")], y: [LOW, HIGH, [-15, -12, -9, -6, -3, 0, 3, 6, 9], t("norm")] };
  let a;
  ui.panel("plot", (w, height) => {
    a = axes(w, height, { ...plot, log: true, top: 30, right: 74 });
    const at = (values, k) => [a.x(k), a.y(Math.log10(values[k]))];
    const curves = lines.map(({ values, cls }) => path(values.map((_, k) => at(values, k)), cls)).reverse().join("");
    const zones = [["explode", LIMIT, HIGH], ["neither", -LIMIT, LIMIT], ["vanish", LOW, -LIMIT]].map(([key, low, high]) => {
      const here = key === verdict(norms[LAGS]);
      const band = here ? rect(a.left, a.y(high), a.right - a.left, a.y(low) - a.y(high), "error", { "fill-opacity": "0.09" }) : "";
      return band + text(a.right + 8, a.y((low + high) / 2) + 4, t(key), here ? "error" : "quiet", "start", { "font-weight": here ? "700" : "" });
    });
    const x = a.x(s.lag);
    const y = clamp(a.y(Math.log10(norms[s.lag])), a.top, a.bottom);
    return zones.join("") + a.svg + line(x, a.top, x, a.bottom, "axis") + framed(a, curves) +
      rect(x - 14, a.top, 28, a.bottom - a.top, "", { "fill-opacity": "0", "data-drag": "lag" }) +
      handle(x, y, "error", "lag");
  }, {
    height: () => 390, min: 400,
    drag: (x) => ui.set({ lag: a.back.x(x) }),
  });

  const half = 92; // half a side of the complex plane in pixels, 1.9 in numbers
  const plane = (w) => ({ cx: w / 2, cy: 292, unit: half / 1.9 });
  const side = ui.panel("side", (w) => {
    const { cx, cy, unit } = plane(w);
    const row = (y, label, value, cls = "") => text(34, y, label, "label", "start") + text(w, y, value, cls, "end");
    const table = lines.map(({ key, values, cls }, i) => line(0, 32 + 22 * i, 26, 32 + 22 * i, cls) +
      row(36 + 22 * i, t(`${key}.at`, { k: s.lag }), num(values[s.lag]), key === "norm" ? "error" : ""));
    const points = pairs.flatMap(([re, im]) => [im, -im].map((y) => circle(cx + s.rho * re * unit, cy - s.rho * y * unit, 3.5, "hidden")));
    return text(0, 14, t("at", { k: s.lag }), "quiet", "start") + table.join("") +
      row(132, t("sigma"), fmt(sigma)) + row(154, t("slope"), fmt(mean)) +
      text(cx, 186, t("plane"), "quiet") +
      circle(cx, cy, unit * s.rho, "hidden", { style: "fill-opacity:0.09;stroke:var(--hidden)" }) +
      line(cx - half, cy, cx + half, cy, "grid") + line(cx, cy - half, cx, cy + half, "grid") +
      circle(cx, cy, unit, "axis dash", { style: "fill:none" }) + points.join("") +
      handle(cx + unit * s.rho, cy, "hidden", "rho");
  }, {
    height: () => 390, min: 230,
    drag: (x, y) => {
      const { cx, cy, unit } = plane(side.clientWidth);
      ui.set({ rho: Math.hypot(x - cx, y - cy) / unit });
    },
  });

  ui.summary = () => {
    const top = norms.indexOf(Math.max(...norms));
    const end = verdict(norms[LAGS]);
    return [
      t("summary", { rho: fmt(s.rho), sigma: fmt(sigma), slope: fmt(mean), k: s.lag, norm: num(norms[s.lag]), bound: num(bound[s.lag]) }),
      end !== "explode" && norms[top] > 1.05 && t("first", { norm: num(norms[top]), k: top }),
      t(`${end}.why`, { norm: num(norms[LAGS]) }),
    ].filter(Boolean).join(" ");
  };
}

const explorable = { render: (context) => mount(context, view) };
export default explorable;
