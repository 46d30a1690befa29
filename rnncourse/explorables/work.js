// The playground's work, away from the page: runs that are trained in slices, and what there is to see of them.

import { CELLS, forward, room } from "./nets.js";
import { LIMIT, run, solved, some } from "./play.js";

const PICTURE = 34; // ms from one picture to the next, at least
const QUICK = 2.5e6; // products in a pass that takes a page no time worth speaking of

/** The spectral radius of a matrix (n, n): ‖W^k‖^{1/k} for k = 2^16, by squaring W again and again. */
export function spectralRadius(W, n) {
  let [A, log] = [Float64Array.from(W), 0];
  for (let k = 1; k <= 2 ** 16; k *= 2) {
    const size = Math.sqrt(A.reduce((sum, v) => sum + v * v, 0));
    if (!size) return 0;
    log += Math.log(size) / k;
    A = A.map((v) => v / size);
    const square = new Float64Array(n * n);
    for (let i = 0; i < n; i++) for (let p = 0; p < n; p++) for (let j = 0; j < n; j++) square[i * n + j] += A[i * n + p] * A[p * n + j];
    A = square;
  }
  return Math.exp(log);
}
/** The largest singular value: the root of the spectral radius of Wᵀ W. */
export function stretch(W, n) {
  const S = new Float64Array(n * n);
  for (let i = 0; i < n; i++) for (let p = 0; p < n; p++) for (let j = 0; j < n; j++) S[i * n + j] += W[p * n + i] * W[p * n + j];
  return Math.sqrt(spectralRadius(S, n));
}

/** What there is to see of a run: one held-out sequence and what the network makes of it, and its recurrent weights;
 *  of the sunspots also all held-out years, if the pass is to be made. */
function look(it, { task, layer }, pass = true) {
  const { T, D, H, O } = it.sizes;
  const B = it.held.counts.length / T;
  const one = room(layer, { ...it.sizes, B: 1 });
  const x = some(it.held.x, B, 0, 1);
  forward(it.P, one, x);
  const rows = (a, n) => Array.from({ length: T }, (_, t) => Array.from(a.subarray(t * n, (t + 1) * n)));
  const gate = (block) => Float64Array.from({ length: T * H }, (_, i) => one.pre[(Math.floor(i / H) * 4 + block) * H + (i % H)]);
  const parts = { h: one.h.slice(H) };
  if (layer === "lstm") Object.assign(parts, { c: one.c.slice(H), f: gate(1), i: gate(0), o: gate(3) });
  const targets = it.held.labels ?? it.held.targets;
  const asked = Array.from({ length: T }, (_, t) => t).filter((t) => it.held.counts[t * B]);
  // Of a layer with gates the block of the candidate.
  const block = CELLS[layer].blocks > 1 ? 2 * H * H : 0;
  const W_hh = it.P.W_hh.slice(block, block + H * H);
  const size = Object.values(it.P).reduce((sum, W) => sum + W.length, 0);
  const years = task === "sunspots" && { truth: Array.from(targets.subarray(-B)), told: pass ? it.forecast() : [] };
  return { x: rows(x, D), y: rows(one.y, O), parts, asked, answers: asked.map((t) => targets[t * B]), W_hh, size, years };
}

/** A run before its first update, with the gradient of that update if it is quickly found. */
export function first(settings) {
  const it = run(settings);
  const { T, H } = it.sizes;
  const quick = T * CELLS[settings.layer].blocks * H * H * settings.batch_size <= QUICK;
  const seen = look(it, settings, quick);
  if (quick) it.update();
  return { count: 0, ...seen, reach: it.reach() };
}

/** Answer messages { number, settings } for a new run, { go: true | false } and { step: true } by calling `post` with
 *  what is new. After each slice of `ms` milliseconds of work, other things have their turn. */
export function serve(post, ms) {
  let it, settings, number, going, waiting, count, E, norm, score, shown, finished;

  function show(ended, error) {
    post({ number, count, E, norm, score, ended, error, finished, ...look(it, settings), reach: it.reach() });
    [E, norm, score, shown] = [[], [], NaN, performance.now()];
  }
  function slice(most) {
    const end = performance.now() + ms;
    let [ended, error] = [false, ""];
    try {
      for (let k = 0; k < most && (!k || performance.now() < end); k++) {
        const update = it.update();
        E.push(update.E);
        norm.push(update.norm);
        count++;
        if (Number.isNaN(update.score)) continue;
        score = update.score;
        const over = solved(settings.task, score) || (settings.task === "sunspots" && count === LIMIT);
        if (finished || !over) continue;
        [finished, ended] = [count, true];
        break;
      }
    } catch (reason) {
      [error, ended] = [reason.message, true];
    }
    if (ended) going = false;
    if (!going || performance.now() - shown >= PICTURE) show(ended, error);
  }
  function loop() {
    waiting = undefined;
    if (!going) return;
    slice(Infinity);
    waiting = setTimeout(loop);
  }
  return (message) => {
    if (message.settings) {
      ({ settings, number } = message);
      [going, count, E, norm, score, shown, finished] = [false, 0, [], [], NaN, 0, 0];
      it = run(settings);
    }
    if (message.step && !going) slice(1);
    if ("go" in message) {
      going = message.go;
      if (going) waiting ??= setTimeout(loop);
      else if (E.length) show();
    }
  };
}
