import { axes, circle, clamp, dot, fmt, framed, handle, line, path, power, rect, text } from "./draw.js";
import { mount } from "./kit.js";
import { norm } from "./norm.js";

const LAGS = 50;
const LOW = -12; // the plot shows the norms from 10^LOW to 10^HIGH
const HIGH = 6;
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

const halo = { style: "paint-order:stroke;stroke:var(--card);stroke-width:4;stroke-linejoin:round" };
const bold = { "font-weight": "700" };

function view(ui) {
  const { state: s, t, data } = ui;
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
      { key: "radii", values: powers(s.rho), cls: "hidden" },
      { key: "bound", values: bound, cls: "error dash" },
      { key: "sigmas", values: powers(sigma), cls: "hidden dash" },
    ];
  });

  const plot = { x: [0, LAGS, [0, 10, 20, 30, 40, 50], t("steps")], y: [LOW, HIGH, [-12, -9, -6, -3, 0, 3, 6], t("size")] };
  let a;
  ui.panel("plot", (w, height) => {
    a = axes(w, height, { ...plot, log: true, top: 28, right: 86 });
    const end = verdict(norms[LAGS]);
    const zone = (key, low, high, y) => rect(a.left, a.y(high), a.right - a.left, a.y(low) - a.y(high), "error", { "fill-opacity": key === end ? "0.16" : "0.05" }) +
      text(a.left + 8, y, t(key), key === end ? "error" : "quiet", "start", key === end ? bold : {});
    const at = (values, k) => [a.x(k), a.y(Math.log10(values[k]))];
    const seen = s.bounds ? lines : lines.slice(0, 2);
    const curves = seen.map(({ values, cls }) => path(values.map((_, k) => at(values, k)), cls)).reverse().join("");
    // The names stand beside the ends of the curves: that of the rule in rows at y and y + 16.
    const beside = (values) => clamp(at(values, LAGS)[1], a.top + 8, a.bottom - 24) + 4;
    const [x, y] = [a.right + 14, beside(lines[1].values)];
    let own = beside(norms);
    if (own > y - 18 && own < y + 34) own = own > y && y + 34 < a.bottom ? y + 34 : y - 18;
    const across = a.x(s.lag); // its number stands right of the names of the zones
    const down = clamp(a.y(Math.log10(norms[s.lag])), a.top, a.bottom);
    return zone("explode", LIMIT, HIGH, a.y(LIMIT) - 8) + zone("vanish", LOW, -LIMIT, a.y(-LIMIT) + 18) + a.svg +
      line(a.left, a.y(0), a.right, a.y(0), "axis") + line(across, a.top, across, a.bottom, "grid") + framed(a, curves) +
      text(x, y, t("foretold"), "hidden", "start") + text(x, y + 16, t("radius", { rho: +s.rho.toFixed(2) }), "hidden", "start") +
      text(x, own, t("measured"), "error", "start", bold) +
      rect(across - 14, a.top, 28, a.bottom - a.top, "", { "fill-opacity": "0", "data-drag": "lag" }) +
      text(clamp(across, a.left + 100, a.right - 28), down + (down + 30 < a.bottom ? 25 : -15), num(norms[s.lag]), "error", "middle", halo) +
      handle(across, down, "error", "lag");
  }, {
    height: () => 300, min: 400,
    drag: (x) => ui.set({ lag: a.back.x(x) }),
  });

  ui.slider("rho");
  ui.slider("scale");
  // Play: without input, ρ goes up from 0.7 to 1.2, and the norm with it. Then the inputs come.
  ui.player("story", {
    every: 350, range: { low: 0, high: 20 },
    read: () => (s.scale ? Math.min(20, Math.round(10 + 20 * s.scale)) : clamp(Math.round(20 * s.rho - 14), 0, 10)),
    write: (k) => ui.set({ rho: (14 + Math.min(k, 10)) / 20, scale: Math.max(k - 10, 0) / 20 }),
  });
  const second = { network: 2, rho: 0.9, nonnormal: 5 };
  ui.presets({
    linear: { network: 1, rho: 1.2, scale: 0, nonnormal: 1 },
    input: { network: 1, rho: 1.2, scale: 0.5, nonnormal: 1 },
    second: { ...second, scale: 0 },
    both: { ...second, scale: 0.05 },
  });

  const { panels: parent, controls } = ui.more;
  ui.panel("numbers", (w) => {
    const row = ({ key, values, cls }, i) => line(0, 32 + 22 * i, 26, 32 + 22 * i, cls) +
      text(34, 36 + 22 * i, t(`${key}.at`, { k: s.lag }), "label", "start") + text(w, 36 + 22 * i, num(values[s.lag]), "", "end");
    return text(0, 14, t("at", { k: s.lag }), "quiet", "start") + lines.map(row).join("");
  }, { height: () => 110, min: 280, parent });

  const half = 92; // half a side of the complex plane in pixels, 1.9 in numbers
  const [cy, unit] = [half + 26, half / 1.9];
  const plane = ui.panel("plane", (w) => {
    const cx = w / 2;
    const points = pairs.flatMap(([re, im]) => [im, -im].map((y) => circle(cx + s.rho * re * unit, cy - s.rho * y * unit, 3.5, "hidden")));
    return text(cx, 14, t("eigenvalues"), "quiet") +
      circle(cx, cy, unit * s.rho, "hidden", { style: "fill-opacity:0.09;stroke:var(--hidden)" }) +
      line(cx - half, cy, cx + half, cy, "grid") + line(cx, cy - half, cx, cy + half, "grid") +
      circle(cx, cy, unit, "axis dash", { style: "fill:none" }) + points.join("") +
      handle(cx + unit * s.rho, cy, "hidden", "rho");
  }, {
    height: () => cy + half, min: 280, parent,
    drag: (x) => ui.set({ rho: (x - plane.clientWidth / 2) / unit }),
  });
  ui.slider("lag", { parent: controls });
  ui.slider("nonnormal", { parent: controls });
  ui.choice("network", { parent: controls });
  ui.toggle("bounds", { parent: controls });

  ui.summary = () => {
    const top = norms.indexOf(Math.max(...norms));
    const end = verdict(norms[LAGS]);
    const at = (k) => t("there", { k, radius: num(s.rho ** k), norm: num(norms[k]) });
    return [
      t("summary", { rho: fmt(s.rho), sigma: fmt(sigma), slope: fmt(mean) }),
      s.lag < LAGS && `${at(s.lag)}.`,
      s.bounds && t("bounded", { k: s.lag, bound: num(bound[s.lag]) }),
      end !== "explode" && norms[top] > 1.05 && t("first", { norm: num(norms[top]), k: top }),
      at(LAGS) + t(`${end}.why`),
    ].filter(Boolean).join(" ");
  };
}

const explorable = { render: (context) => mount(context, view) };
export default explorable;
