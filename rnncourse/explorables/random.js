// Random numbers that Python draws too: rnncourse.experiments.playground.Random.

import { shapes } from "./nets.js";

/** A function that gives numbers from 0 up to 1 in steps of 2⁻³²: mulberry32 (Ettinger, 2017). */
export function random(seed) {
  let state = seed >>> 0; // each number is one step on, scrambled
  return () => {
    state = (state + 1831565813) >>> 0;
    let z = Math.imul(state ^ (state >>> 15), state | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Untrained parameters: weights uniform from ±1/√H, biases 0. */
export function untrained(kind, { D, H, O }, next) {
  const P = {};
  for (const [name, shape] of Object.entries(shapes(kind, D, H, O))) {
    const draw = name.startsWith("W_") ? () => (2 * next() - 1) / Math.sqrt(H) : () => 0;
    P[name] = Float64Array.from({ length: shape.reduce((a, b) => a * b) }, draw);
  }
  return P;
}
