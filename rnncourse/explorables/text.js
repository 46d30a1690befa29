// A network that learns a text: the text in numbers, the run, what the network writes, and the worker's part.
// rnncourse/experiments/own_text.py does the same in Python.

import { adam, backward, clip, crossEntropy, forward, room } from "./nets.js";
import { random, untrained } from "./random.js";

export const MOST = 50_000; // characters of a text
const KINDS = 256; // characters of an alphabet; the rarest of a text with more become UNKNOWN
const UNKNOWN = "\ufffd";
const ENOUGH = 1000; // characters, of which the last tenth, HELD_OUT at most, is held out
const HELD_OUT = 2000;
const STRETCH = 250; // steps of a held-out sequence
const PIECE = 120; // characters that are looked at one by one
const LOOK = 20; // updates from one look at the held-out part to the next, and that the loss is a mean of
const LINE = 80; // characters of a line that is kept, and of the longer one that is renewed
const LONG = 240;
const DICE = 2 ** 31; // the seed with which every line is written
const MAX_NORM = 1;
const LOST = 10; // times the loss of a guesser who knows nothing: the run has diverged
const PICTURE = 250; // ms from one picture to the next, at least
const GLANCE = 1000; // and from one look at the piece to the next, which takes as long as some updates

// ---- the text in numbers ------------------------------------------------------------------------------------

/** A text as it is read, a list of code points: accents composed, line ends \n, without control characters, and
 *  with a sign in the place of half a surrogate pair. */
export function clean(text) {
  const lines = text.normalize("NFC").replace(/\r\n?|[\x85\u2028\u2029]/g, "\n");
  return [...lines.replace(/\p{Cs}/gu, UNKNOWN).replace(/[^\P{Cc}\n\t]/gu, "")];
}

/** Why nothing can be learned from these characters; empty if something can. */
export function fault(characters) {
  if (characters.length > MOST) return "long";
  if (characters.length < 2) return characters.length ? "one" : "empty";
  if (characters.every((c) => !c.trim())) return "spaces";
  return characters.every((c) => c === characters[0]) ? "same" : "";
}

/** The alphabet of a text, the text as places in it, and what two guessers need, in bits a character: one who knows
 *  nothing, and one who knows how often each character occurs. `rare` kinds of character became UNKNOWN. */
export function spell(characters) {
  const counts = new Map();
  for (const c of characters) counts.set(c, (counts.get(c) ?? 0) + 1);
  const sorted = (list) => list.sort((a, b) => a.codePointAt() - b.codePointAt());
  let alphabet = sorted([...counts.keys()]);
  if (alphabet.length > KINDS) {
    const common = alphabet.filter((c) => c !== UNKNOWN).sort((a, b) => counts.get(b) - counts.get(a));
    alphabet = sorted([...common.slice(0, KINDS - 1), UNKNOWN]);
  }
  const places = new Map(alphabet.map((c, k) => [c, k]));
  const labels = Int32Array.from(characters, (c) => places.get(c) ?? places.get(UNKNOWN));
  const parts = new Float64Array(alphabet.length);
  for (const k of labels) parts[k] += 1 / labels.length;
  const often = parts.reduce((sum, p) => sum - (p && p * Math.log2(p)), 0);
  return { alphabet, labels, nothing: Math.log2(alphabet.length), often, rare: counts.size - alphabet.length };
}

// ---- the run ------------------------------------------------------------------------------------------------

/** A place drawn from softmax(y / temperature), by a number `u` from 0 to 1. */
function choose(y, temperature, u) {
  const most = y.reduce((a, b) => Math.max(a, b));
  let sum = 0;
  const sums = Array.from(y, (v) => (sum += Math.exp((v - most) / temperature)));
  return Math.min(sums.findIndex((s) => s > u * sum), y.length - 1);
}

/** A run on a text: `update()` makes one update and returns { E, held }, in bits a character. */
export function run({ alphabet, labels }, { layer, units: H, learning_rate, chunk, streams, seed }) {
  const D = alphabet.length;
  const sizes = { D, H, O: D };
  const P = untrained(layer, sizes, random(seed));
  if (layer === "lstm") P.b_h.fill(1, H, 2 * H);
  const grads = Object.fromEntries(Object.entries(P).map(([name, W]) => [name, new Float64Array(W.length)]));
  const N = labels.length;
  const kept = N < ENOUGH ? 0 : Math.min(Math.floor(N / 10), HELD_OUT);
  // B streams of L predictions each stand side by side, and T steps of all of them are a chunk.
  const n = N - kept - 1;
  const T = Math.min(chunk, n);
  const B = Math.min(streams, Math.floor(n / T));
  const L = Math.floor(n / B);
  const memory = {};
  const limit = LOST * Math.log(D);
  let [m, test, one, piece, at, count] = [undefined, undefined, undefined, undefined, 0, 0];

  /** Room for B sequences of T steps, the l-th of which begins at from + l · apart. */
  function sequences(T, B) {
    const own = room(layer, { ...sizes, T, B });
    const [x, next] = [new Int32Array(T * B), new Int32Array(T * B)];
    const counts = new Float64Array(T * B).fill(1);
    function fill(from, apart) {
      for (let t = 0; t < T; t++) for (let b = 0; b < B; b++) {
        [x[t * B + b], next[t * B + b]] = [labels[from + b * apart + t], labels[from + b * apart + t + 1]];
      }
    }
    return { ...own, x, next, counts, fill };
  }
  /** What the network needs for a character of the held-out part, in bits. */
  function held() {
    if (!kept) return NaN;
    const B = Math.ceil(kept / STRETCH);
    const T = Math.floor(kept / B);
    test ??= sequences(T, B);
    test.fill(N - kept - 1, T);
    forward(P, test, test.x);
    return crossEntropy(test, test.next, test.counts)[0] / Math.LN2;
  }
  function update() {
    m ??= sequences(T, B);
    if (at + T > L) at = 0;
    // The state goes on from chunk to chunk, the gradient does not.
    for (const state of [m.h, m.c]) at ? state.copyWithin(0, T * H * B) : state.fill(0, 0, H * B);
    m.fill(at, L);
    forward(P, m, m.x);
    const [E] = crossEntropy(m, m.next, m.counts);
    backward(P, m, m.x, grads);
    const norm = clip(grads, MAX_NORM);
    if (!(E < limit && norm < Infinity)) throw new RangeError("diverged");
    adam(P, grads, learning_rate, memory);
    at += T;
    return { E: E / Math.LN2, held: ++count % LOOK ? NaN : held() };
  }
  /** The first character of the text, and `size` that the network writes after it. */
  function write(temperature, size) {
    one ??= sequences(1, 1);
    for (const state of [one.h, one.c]) state.fill(0);
    const next = random(DICE);
    const written = [labels[0]];
    while (written.length <= size) {
      one.x[0] = written.at(-1);
      forward(P, one, one.x);
      written.push(choose(one.y, temperature, next()));
      for (const state of [one.h, one.c]) state.copyWithin(0, H);
    }
    return written.map((k) => alphabet[k]).join("");
  }
  const from = kept ? N - kept - 1 : 0;
  const length = Math.min(PIECE, N - from);
  /** At step t, or the last one, of a piece of the text, held-out if there is such a part: the states, the next
   *  character's chances, and ‖∂E_t / ∂h_k‖ for k = 1 … t. */
  function read(position) {
    const t = Math.min(position, length - 1);
    piece ??= sequences(length - 1, 1);
    piece.fill(from, 0);
    piece.counts.fill(0).fill(1, t - 1, t);
    forward(P, piece, piece.x);
    crossEntropy(piece, piece.next, piece.counts);
    // A softmax less the one-hot vector of what came: dE/dy.
    const chances = Array.from(piece.dy.subarray((t - 1) * D, t * D), (v, k) => v + (k === piece.next[t - 1]));
    backward(P, piece, piece.x, grads); // of which only the reach is wanted
    const characters = Array.from(labels.subarray(from, from + length), (k) => alphabet[k]);
    const h = Array.from(piece.h.subarray(t * H, (t + 1) * H));
    return { t, h, chances, reach: Array.from(piece.reach.subarray(0, t)), characters, kept };
  }
  return { P, update, held, write, read };
}

// ---- the worker's part --------------------------------------------------------------------------------------

/** Whether a line is kept at this update: at 0, 10, 20, 50, 100, 200, 500, … */
export const marked = (count) => !count || (count >= 10 && [1, 2, 5].includes(count / 10 ** Math.floor(Math.log10(count))));

/** What a run writes before its first update. */
export const first = (text, settings, temperature) => run(text, settings).write(temperature, LINE);

/** Answer messages { number, text, settings } for a new run, { go: true | false }, { step: true }, { temperature }
 *  and { at }, the step that is looked at, by calling `post` with what is new. After each slice of `ms` milliseconds
 *  of work, other things have their turn. */
export function serve(post, ms) {
  let it, number, going, waiting, count, E, held, lines, last, shown, looked, temperature, at;

  function show(error) {
    const look = at && (!going || performance.now() - looked >= GLANCE);
    const read = look && it.read(at);
    if (look) looked = performance.now();
    post({ number, count, E, held, lines, error, line: it.write(temperature, LONG), read });
    [E, held, lines, shown] = [[], [], [], performance.now()];
  }
  function slice(most) {
    const end = performance.now() + ms;
    let error = false;
    try {
      for (let k = 0; k < most && (!k || performance.now() < end); k++) {
        const update = it.update();
        count++;
        E.push(update.E);
        last = [...last.slice(1 - LOOK), update.E];
        if (update.held === update.held) held.push([count, update.held]);
        if (marked(count)) lines.push({ count, bits: last.reduce((a, b) => a + b) / last.length, line: it.write(temperature, LINE) });
      }
    } catch (reason) {
      if (!(reason instanceof RangeError)) throw reason;
      [error, going] = [true, false];
    }
    if (!going || performance.now() - shown >= PICTURE) show(error);
  }
  function loop() {
    waiting = undefined;
    if (!going) return;
    slice(Infinity);
    waiting = setTimeout(loop);
  }
  return (message) => {
    if (message.settings) {
      number = message.number;
      [going, count, E, held, lines, last, shown, looked] = [false, 0, [], [], [], [], 0, 0];
      it = run(message.text, message.settings);
    }
    temperature = message.temperature ?? temperature;
    if ("at" in message && message.at !== at) [at, looked] = [message.at, 0];
    if (message.step && !going) slice(1);
    else if ("go" in message) {
      going = message.go;
      if (going) waiting ??= setTimeout(loop);
      else show();
    } else if (!going) show();
  };
}
