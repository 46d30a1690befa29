// What the playground trains: its tasks, its starts and its run, as in rnncourse/experiments/playground.py.

import { adam, backward, CELLS, clip, crossEntropy, forward, room, sgd, squaredError } from "./nets.js";
import { random, untrained } from "./random.js";

const HELD_OUT = 200; // sequences, looked at after every LOOK updates
const PART = 50; // of them at once
const LOOK = 20;
const TEST_SEED = 2 ** 31;
const [TRAINED, SEEN] = [221, 35]; // years of the sunspots: 1700 to 1920, and held out 1921 to 1955
export const LIMIT = 500; // updates of a run on the sunspots, which nobody solves

const list = (count, draw) => Array.from({ length: count }, draw);
const below = (next, n, count) => list(count, () => Math.floor(n * next()));
/** A standard normal number (Box and Muller, 1958). */
function normal(next) {
  const [u, v] = [next(), next()];
  return Math.sqrt(-2 * Math.log(1 - u)) * Math.cos(2 * Math.PI * v);
}

// ---- tasks: how many inputs D and outputs O, and a batch of B sequences with lag n --------------------------
// A batch has T, x (T, D, B), counts (T, B), and labels (T, B) or targets (T, 1, B).

/** Sequences of `symbols` (T, B) as one-hot vectors, with their labels; `from` is the first step that counts. */
function symbolic(symbols, D, B, labels, from) {
  const T = symbols.length / B;
  const x = new Float64Array(T * D * B);
  symbols.forEach((k, i) => (x[(Math.floor(i / B) * D + k) * B + (i % B)] = 1));
  return { T, x, labels, counts: Float64Array.from(symbols, (_, i) => +(i >= from * B)) };
}

/** The sunspot numbers of `lag` years from each of `starts`, in hundreds, and the year after them. */
function years(numbers, lag, starts) {
  const at = (t) => starts.map((start) => numbers[start + t] / 100);
  const before = new Float64Array(starts.length * (lag - 1));
  const counts = Float64Array.from([...before, ...starts], (_, i) => +(i >= before.length));
  return { T: lag, x: Float64Array.from(list(lag, (_, t) => at(t)).flat()), targets: Float64Array.from([...before, ...at(lag)]), counts };
}

export const TASKS = {
  "first symbol": {
    D: 6, O: 4,
    batch(n, B, next) {
      const first = below(next, 4, B);
      const symbols = [...first, ...below(next, 2, n * B).map((k) => 4 + k)];
      return symbolic(symbols, 6, B, [...new Array(n * B).fill(0), ...first], n);
    },
  },
  "temporal order": {
    D: 4, O: 4,
    batch(n, B, next) {
      const ends = below(next, 2, 2 * B);
      const others = below(next, 2, (n - 1) * B).map((k) => 2 + k);
      const order = list(B, (_, b) => 2 * ends[b] + ends[B + b]);
      return symbolic([...ends.slice(0, B), ...others, ...ends.slice(B)], 4, B, [...new Array(n * B).fill(0), ...order], n);
    },
  },
  parity: {
    D: 1, O: 2,
    batch(n, B, next) {
      const bits = below(next, 2, n * B);
      const labels = [];
      bits.forEach((bit, i) => labels.push(i < B ? bit : labels[i - B] ^ bit));
      return { T: n, x: Float64Array.from(bits), labels, counts: new Float64Array(n * B).fill(1) };
    },
  },
  adding: {
    D: 2, O: 1,
    batch(n, B, next) {
      const values = list(n * B, next);
      const half = Math.floor(n / 2);
      const at = [...below(next, half, B), ...below(next, n - half, B).map((t) => half + t)];
      const [x, targets, counts] = [new Float64Array(n * 2 * B), new Float64Array(n * B), new Float64Array(n * B)];
      values.forEach((v, i) => (x[Math.floor(i / B) * 2 * B + (i % B)] = v));
      at.forEach((t, i) => {
        const b = i % B;
        x[(2 * t + 1) * B + b] = 1;
        targets[(n - 1) * B + b] += values[t * B + b];
      });
      counts.fill(1, (n - 1) * B);
      return { T: n, x, targets, counts };
    },
  },
  echo: {
    D: 4, O: 4,
    batch(n, B, next) {
      const symbols = below(next, 4, 2 * n * B);
      const heard = symbols.slice(0, n * B);
      return symbolic(symbols, 4, B, [...heard, ...heard], n);
    },
  },
  sunspots: {
    D: 1, O: 1,
    batch: (n, B, next, numbers) => years(numbers, n, below(next, TRAINED - n, B)),
    held: (n, numbers) => years(numbers, n, list(SEEN, (_, k) => TRAINED + k - n)),
  },
};

// ---- the network at its start ------------------------------------------------------------------------------

/** An orthogonal matrix (H, H): the rows of a normal one, made so by Gram and Schmidt. */
export function orthogonal(H, next) {
  const Q = list(H, () => list(H, () => normal(next)));
  const dot = (a, b) => a.reduce((sum, v, j) => sum + v * b[j], 0);
  Q.forEach((row, i) => {
    for (const done of Q.slice(0, i)) {
      const part = dot(row, done);
      row.forEach((_, j) => (row[j] -= part * done[j]));
    }
    const size = Math.sqrt(dot(row, row));
    row.forEach((_, j) => (row[j] /= size));
  });
  return Q.flat();
}

/** Untrained parameters: weights uniform from ±1/√H, biases 0, but for what is set. */
export function network({ task, layer, units: H, init, forget_bias }, next) {
  const P = untrained(layer, { ...TASKS[task], H }, next);
  for (let block = 0; block < CELLS[layer].blocks; block++) {
    const at = block * H * H;
    if (init === "orthogonal") P.W_hh.set(orthogonal(H, next), at);
    if (init === "identity") for (let i = 0; i < H * H; i++) P.W_hh[at + i] = +(i % (H + 1) === 0);
  }
  if (layer === "lstm") P.b_h.fill(forget_bias, H, 2 * H);
  return P;
}

// ---- the run -----------------------------------------------------------------------------------------------

export const solved = (task, score) => task !== "sunspots" && (task === "adding" ? score <= 0.01 : score >= 0.99);

/** Of what a batch holds, an entry for each of B sequences again and again, that of `count` sequences. */
export const some = (entries, B, from, count) =>
  Float64Array.from({ length: (entries.length / B) * count }, (_, i) => entries[Math.floor(i / count) * B + from + (i % count)]);

/** A run with these settings, and for the sunspots with their `numbers`: `update()` makes one update and returns
 *  { E, norm, score }. */
export function run(settings) {
  const { task, layer, lag, units: H, rule, learning_rate, max_norm, batch_size, numbers } = settings;
  const { D, O, batch, held: all } = TASKS[task];
  const next = random(settings.seed);
  const P = network(settings, next);
  const grads = Object.fromEntries(Object.entries(P).map(([name, W]) => [name, new Float64Array(W.length)]));
  const held = all ? all(lag, numbers) : batch(lag, HELD_OUT, random(TEST_SEED));
  const count = held.counts.length / held.T;
  const sizes = { T: held.T, D, H, O };
  const memory = {};
  const B = Math.min(PART, count);
  let [m, test, updates] = [undefined, undefined, 0]; // room is made when it is needed
  const loss = (m, b) => (b.labels ? crossEntropy(m, b.labels, b.counts) : squaredError(m, b.targets, b.counts));

  /** On the held-out sequences the part of right answers, or for real targets the mean squared error. */
  function score() {
    let sum = 0;
    for (let from = 0; from < count; from += B) {
      const part = (entries) => entries && some(entries, count, from, B);
      const [E, right] = loss(tried(part(held.x)), { labels: part(held.labels), targets: part(held.targets), counts: part(held.counts) });
      sum += held.labels ? right : 2 * E * B;
    }
    return sum / (held.labels ? held.counts.reduce((a, b) => a + b) : count);
  }
  function tried(x) {
    test ??= room(layer, { ...sizes, B });
    forward(P, test, x);
    return test;
  }
  /** The forecast of each held-out year. */
  const forecast = () => Array.from(tried(held.x).y.subarray(-B));
  function update() {
    m ??= room(layer, { ...sizes, B: batch_size });
    const given = batch(lag, batch_size, next, numbers);
    forward(P, m, given.x);
    const [E] = loss(m, given);
    backward(P, m, given.x, grads);
    const norm = clip(grads, max_norm || Infinity);
    if (!Number.isFinite(norm)) throw new RangeError(Number.isFinite(E) ? "gradient" : "loss");
    if (rule === "adam") adam(P, grads, learning_rate, memory);
    else sgd(P, grads, learning_rate);
    updates++;
    return { E, norm, score: updates % LOOK ? NaN : score() };
  }
  /** The length of the gradient that reached each step in the last update. */
  const reach = () => Array.from(m?.reach ?? []);
  return { P, held, sizes, reach, forecast, update };
}
