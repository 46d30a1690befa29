// The playground's work, away from the page: runs that are trained in slices, and what there is to see of them.

import { forward, room } from "./nets.js";
import { run, TASKS } from "./play.js";

/** Answer messages { settings }, { go: true | false } and { step: true } by calling `post` with what is new. After each
 *  slice of `ms` milliseconds of work, other things have their turn. */
export function serve(post, ms) {
  let it, settings, going, waiting, one, count;

  /** One held-out sequence and what the network makes of it, as [step][entry] lists. */
  function example() {
    const { T, B, D, H, O } = it.test;
    one ??= room(settings.layer, { T, B: 1, D, H, O });
    const x = new Float64Array(T * D);
    for (let i = 0; i < T * D; i++) x[i] = it.held.x[i * B];
    forward(it.P, one, x);
    const rows = (a, from, n) => Array.from({ length: T }, (_, t) => Array.from(a.slice((t + from) * n, (t + from + 1) * n)));
    const targets = it.held.labels ?? it.held.targets;
    const told = { x: rows(x, 0, D), y: rows(one.y, 0, O), h: rows(one.h, 1, H), asked: [], answers: [] };
    for (let t = 0; t < T; t++) if (it.held.counts[t * B]) told.asked.push(t), told.answers.push(targets[t * B]);
    if (settings.layer === "lstm") told.c = rows(one.c, 1, H);
    return told;
  }
  function show(updates, error) {
    post({ count, updates, example: example(), reach: Array.from(it.m.reach), W_hh: Array.from(it.P.W_hh), error });
  }
  function slice(most) {
    const [end, updates] = [performance.now() + ms, []];
    let error;
    try {
      do updates.push(it.update()), count++;
      while (updates.length < most && performance.now() < end);
    } catch (reason) {
      [error, going] = [reason.message, false];
    }
    show(updates, error);
  }
  function loop() {
    waiting = undefined;
    if (!going) return;
    slice(Infinity);
    waiting = setTimeout(loop);
  }
  return (message) => {
    if (message.settings) {
      [settings, going, one, count] = [message.settings, false, undefined, 0];
      it = run(settings);
      show([]);
    }
    if (message.step && !going) slice(1);
    if ("go" in message) {
      going = message.go;
      if (going) waiting ??= setTimeout(loop);
    }
  };
}
