// The playground's work, away from the page: runs that are trained in slices, and what there is to see of them.

import { CELLS, forward, room, times, transposedTimes } from "./nets.js";
import { LIMIT, run, solved, some } from "./play.js";
import { pack, unpack } from "./weights.js";

export const file = { pack, unpack };
const PICTURE = 20; // ms from one picture to the next, at least

/** The spectral radius of a matrix (n, n): ‖W^k‖^{1/k} for k = 2^16, by squaring W again and again. */
export function spectralRadius(W, n) {
  let [A, log] = [Float64Array.from(W), 0];
  for (let k = 1; k <= 2 ** 16; k *= 2) {
    const size = Math.sqrt(A.reduce((sum, v) => sum + v * v, 0));
    if (!size) return 0;
    log += Math.log(size) / k;
    A = A.map((v) => v / size);
    const square = new Float64Array(n * n);
    times(square, A, A, n, n, n);
    A = square;
  }
  return Math.exp(log);
}
/** The largest singular value: the root of the spectral radius of Wᵀ W. */
export function stretch(W, n) {
  const S = new Float64Array(n * n);
  transposedTimes(S, W, W, n, n, n);
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
  const loss = it.held.labels ? "cross_entropy" : "squared_error";
  return { loss, x: rows(x, D), y: rows(one.y, O), parts, asked, answers: asked.map((t) => targets[t * B]), W_hh, size, years };
}

/** A run before its first update, at once; what takes longer, the gradient of that update first of all, `serve` finds. */
export const first = (settings, from) => ({ count: from?.count ?? 0, ...look(run(settings, from), settings, false), reach: [] });

/** Answer messages by calling `post` with what is new: { number, settings, from } for a new run, whose first news has the
 *  gradient of the update to come, { go: true | false }, { step: true }, and { weights: true } for all weights, which
 *  also come whenever it stops. After each slice of `ms` milliseconds of work, other things have their turn. */
export function serve(post, ms) {
  let it, settings, from, number, fresh, going, waiting, count, E, norm, score, shown, finished, opening;
  const wait = () => (waiting ??= setTimeout(loop));
  const started = () => (it ??= run(settings, from));

  function show({ ended = false, error = "", asked = !going } = {}) {
    const { P, reach } = started();
    // Copies: where there is no worker, the run goes on in the same memory.
    const weights = asked && Object.fromEntries(Object.entries(P).map(([name, W]) => [name, W.slice()]));
    post({ number, count, E, norm, score, ended, error, finished, weights, ...look(it, settings), reach: opening ?? reach() });
    [E, norm, score, shown] = [[], [], NaN, performance.now()];
  }
  /** Show the gradient of the first update, which another run makes. */
  function open() {
    const trial = run(settings, from);
    try {
      trial.update();
    } catch {} // a run that diverges at once says so when it is trained
    [fresh, opening] = [false, trial.reach()];
    show({ asked: false });
  }
  function slice(most) {
    const end = performance.now() + ms;
    let [ended, error] = [false, ""];
    [fresh, opening] = [false, undefined];
    try {
      for (let k = 0; k < most && (!k || performance.now() < end); k++) {
        const update = started().update();
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
    if (!going || performance.now() - shown >= PICTURE) show({ ended, error });
  }
  function loop() {
    waiting = undefined;
    if (going) slice(Infinity);
    else if (fresh) open();
    if (going) wait();
  }
  return (message) => {
    if (message.settings) {
      ({ settings, from, number } = message);
      [it, fresh, going, count, E, norm, score, shown, finished] = [undefined, true, false, from?.count ?? 0, [], [], NaN, 0, 0];
      wait(); // of several that come at once, the last is opened
    }
    if (message.step && !going) slice(1);
    if ("go" in message) {
      going = message.go;
      if (going) wait();
      else if (it) show();
    }
    if (message.weights) show({ asked: true });
  };
}
