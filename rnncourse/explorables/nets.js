// Recurrent networks in the page: forward and backward through time, losses, SGD and Adam.
//
// The equations and the names are those of rnncourse.layers, whose numbers the tests compare with these.
// A batch of sequences is one Float64Array [step][entry][sequence]: T steps of D inputs or H units in B
// sequences, so that the innermost loops run over the sequences. A matrix is stored row by row.

// ---- products, each added to what is there; the last numbers say where the matrices begin ---------

/** C += A B, with A (m, k), B (k, n) and C (m, n). Four columns of A at once: each entry of C is touched less. */
function times(C, A, B, m, k, n, c = 0, a = 0, b = 0, down = k, right = 1) {
  for (let i = 0; i < m; i++) {
    const to = c + i * n;
    let p = 0;
    for (; p + 4 <= k; p += 4) {
      const [at, r0] = [a + i * down + p * right, b + p * n];
      const [a0, a1, a2, a3] = [A[at], A[at + right], A[at + 2 * right], A[at + 3 * right]];
      const [r1, r2, r3] = [r0 + n, r0 + 2 * n, r0 + 3 * n];
      for (let j = 0; j < n; j++) C[to + j] += a0 * B[r0 + j] + a1 * B[r1 + j] + a2 * B[r2 + j] + a3 * B[r3 + j];
    }
    for (; p < k; p++) {
      const [entry, from] = [A[a + i * down + p * right], b + p * n];
      for (let j = 0; j < n; j++) C[to + j] += entry * B[from + j];
    }
  }
}
/** C += Aᵀ B, with A (k, m), B (k, n) and C (m, n). */
const transposedTimes = (C, A, B, m, k, n, c = 0, a = 0, b = 0) => times(C, A, B, m, k, n, c, a, b, 1, m);
/** C += A Bᵀ, with A (m, n), B (k, n) and C (m, k). Four rows of B at once. */
function timesTransposed(C, A, B, m, k, n, c = 0, a = 0, b = 0) {
  for (let i = 0; i < m; i++) {
    const [row, to] = [a + i * n, c + i * k];
    let p = 0;
    for (; p + 4 <= k; p += 4) {
      const r0 = b + p * n;
      const [r1, r2, r3] = [r0 + n, r0 + 2 * n, r0 + 3 * n];
      let [s0, s1, s2, s3] = [0, 0, 0, 0];
      for (let j = 0; j < n; j++) {
        const entry = A[row + j];
        s0 += entry * B[r0 + j];
        s1 += entry * B[r1 + j];
        s2 += entry * B[r2 + j];
        s3 += entry * B[r3 + j];
      }
      C[to + p] += s0;
      C[to + p + 1] += s1;
      C[to + p + 2] += s2;
      C[to + p + 3] += s3;
    }
    for (; p < k; p++) for (let j = 0; j < n; j++) C[to + p] += A[row + j] * B[b + p * n + j];
  }
}
/** C (m, n) += v (m), the same in every column. */
function plus(C, v, m, n, c = 0) {
  for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) C[c + i * n + j] += v[i];
}
/** v (m) += the sums of the rows of A (m, n). */
function addRows(v, A, m, n, a = 0) {
  for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) v[i] += A[a + i * n + j];
}

// Labels (T, B) in place of one-hot vectors: each picks a column of W (G, D).

/** C (G, B) += the columns of W that the labels of step t pick. */
function pick(C, W, labels, { G, D, B }, c, t) {
  for (let i = 0; i < G; i++) for (let b = 0; b < B; b++) C[c + i * B + b] += W[i * D + labels[t * B + b]];
}
/** The columns of W that the labels of step t pick += A (G, B). */
function addPicked(W, A, labels, { G, D, B }, a, t) {
  for (let i = 0; i < G; i++) for (let b = 0; b < B; b++) W[i * D + labels[t * B + b]] += A[a + i * B + b];
}

// ---- the cells: one step, entry by entry ------------------------------------------------------------
// `pre` holds W_xh x_t + b_h and `rec` holds W_hh h_{t−1}, a block of n = H·B entries for each gate. Forward
// leaves the gates in `pre`. Backward is given δ^h in `dh` and leaves δ for W_xh in `pre`, δ for W_hh in `rec`,
// and in `dh` what goes to h_{t−1} past W_hh. `now` is where step t begins in h and c, `p` in pre and rec.

const sigmoid = (z) => 0.5 + 0.5 * Math.tanh(0.5 * z);

export const CELLS = {
  /** eq-hidden; eq-delta-a. */
  rnn: {
    blocks: 1,
    forward({ pre, rec, h }, now, p, n) {
      for (let i = 0; i < n; i++) h[now + i] = Math.tanh(pre[p + i] + rec[p + i]);
    },
    backward({ pre, rec, h, dh }, now, p, n) {
      for (let i = 0; i < n; i++) {
        pre[p + i] = rec[p + i] = dh[i] * (1 - h[now + i] * h[now + i]);
        dh[i] = 0;
      }
    },
  },
  /** eq-forget … eq-lstm-hidden; eq-lstm-delta-c, eq-lstm-delta-gates. The blocks are i, f, g, o. */
  lstm: {
    blocks: 4,
    forward({ pre, rec, h, c }, now, p, n) {
      for (let k = 0; k < n; k++) {
        const [i, f, g, o] = [p + k, p + n + k, p + 2 * n + k, p + 3 * n + k];
        pre[i] = sigmoid(pre[i] + rec[i]);
        pre[f] = sigmoid(pre[f] + rec[f]);
        pre[g] = Math.tanh(pre[g] + rec[g]);
        pre[o] = sigmoid(pre[o] + rec[o]);
        c[now + k] = pre[f] * c[now - n + k] + pre[i] * pre[g];
        h[now + k] = pre[o] * Math.tanh(c[now + k]);
      }
    },
    backward({ pre, rec, c, dh, dc }, now, p, n) {
      for (let k = 0; k < n; k++) {
        const [at, ft, gt, ot] = [p + k, p + n + k, p + 2 * n + k, p + 3 * n + k];
        const [i, f, g, o, squeezed] = [pre[at], pre[ft], pre[gt], pre[ot], Math.tanh(c[now + k])];
        const delta = dc[k] + dh[k] * o * (1 - squeezed * squeezed);
        pre[at] = rec[at] = delta * g * i * (1 - i);
        pre[ft] = rec[ft] = delta * c[now - n + k] * f * (1 - f);
        pre[gt] = rec[gt] = delta * i * (1 - g * g);
        pre[ot] = rec[ot] = dh[k] * squeezed * o * (1 - o);
        dc[k] = delta * f;
        dh[k] = 0;
      }
    },
  },
  /** eq-gru-gates, eq-gru-after, eq-gru-hidden; eq-gru-delta-gates. The blocks are r, z, n. */
  gru: {
    blocks: 3,
    forward({ pre, rec, h }, now, p, n) {
      for (let k = 0; k < n; k++) {
        const [r, z, m] = [p + k, p + n + k, p + 2 * n + k];
        pre[r] = sigmoid(pre[r] + rec[r]);
        pre[z] = sigmoid(pre[z] + rec[z]);
        pre[m] = Math.tanh(pre[m] + pre[r] * rec[m]); // rec[m] is u_t
        h[now + k] = pre[z] * h[now - n + k] + (1 - pre[z]) * pre[m];
      }
    },
    backward({ pre, rec, h, dh }, now, p, n) {
      for (let k = 0; k < n; k++) {
        const [rt, zt, mt] = [p + k, p + n + k, p + 2 * n + k];
        const [r, z, m, u, delta] = [pre[rt], pre[zt], pre[mt], rec[mt], dh[k]];
        pre[mt] = delta * (1 - z) * (1 - m * m);
        rec[mt] = pre[mt] * r;
        pre[rt] = rec[rt] = pre[mt] * u * r * (1 - r);
        pre[zt] = rec[zt] = delta * (h[now - n + k] - m) * z * (1 - z);
        dh[k] = delta * z;
      }
    },
  },
};

/** The shapes of a network's parameters, by the names of rnncourse.Model. */
export function shapes(kind, D, H, O) {
  const G = CELLS[kind].blocks * H;
  return { W_xh: [G, D], W_hh: [G, H], b_h: [G], ...(kind === "gru" && { b_hh_n: [H] }), W_hy: [O, H], b_y: [O] };
}

/** Room for passes of one size; it is used again and again. */
export function room(kind, { T, B, D, H, O }) {
  const array = (...sizes) => new Float64Array(sizes.reduce((a, b) => a * b));
  const G = CELLS[kind].blocks * H;
  return {
    kind, T, B, D, H, O, G, y: array(T, O, B), dy: array(T, O, B), reach: array(T),
    pre: array(T, G, B), rec: array(T, G, B), h: array(T + 1, H, B), c: array(T + 1, H, B), dh: array(H, B), dc: array(H, B),
  };
}

/** The states and the outputs y_t for the inputs x (T, D, B), or labels (T, B) as an Int32Array, from the first
 *  blocks of m.h and m.c: h_0 and c_0, which are 0 in a new room. */
export function forward(P, m, x) {
  const { kind, T, B, D, H, O, G } = m;
  m.pre.fill(0), m.rec.fill(0), m.y.fill(0);
  for (let t = 0; t < T; t++) {
    const p = t * G * B;
    plus(m.pre, P.b_h, G, B, p);
    if (x instanceof Int32Array) pick(m.pre, P.W_xh, x, m, p, t);
    else times(m.pre, P.W_xh, x, G, D, B, p, 0, t * D * B);
    times(m.rec, P.W_hh, m.h, G, H, B, p, 0, t * H * B);
    if (P.b_hh_n) plus(m.rec, P.b_hh_n, H, B, p + 2 * H * B);
    CELLS[kind].forward(m, (t + 1) * H * B, p, H * B);
    plus(m.y, P.b_y, O, B, t * O * B);
    times(m.y, P.W_hy, m.h, O, H, B, t * O * B, 0, (t + 1) * H * B);
  }
}

/** The gradients of all parameters for `m.dy`, dE/dy (T, O, B), after `forward` (eq-bptt-sums, eq-lstm-sums,
 *  eq-gru-sums). `m.reach` is then ‖δ^h_t‖ for each step: how much gradient arrives there. */
export function backward(P, m, x, grads) {
  const { kind, T, B, D, H, O, G } = m;
  for (const name in grads) grads[name].fill(0);
  m.dh.fill(0), m.dc.fill(0);
  for (let t = T - 1; t >= 0; t--) {
    const [p, now, y] = [t * G * B, (t + 1) * H * B, t * O * B];
    transposedTimes(m.dh, P.W_hy, m.dy, H, O, B, 0, 0, y);
    m.reach[t] = norm(m.dh);
    CELLS[kind].backward(m, now, p, H * B);
    transposedTimes(m.dh, P.W_hh, m.rec, H, G, B, 0, 0, p);
    timesTransposed(grads.W_hh, m.rec, m.h, G, H, B, 0, p, t * H * B);
    if (x instanceof Int32Array) addPicked(grads.W_xh, m.pre, x, m, p, t);
    else timesTransposed(grads.W_xh, m.pre, x, G, D, B, 0, p, t * D * B);
    timesTransposed(grads.W_hy, m.dy, m.h, O, H, B, 0, y, now);
    addRows(grads.b_h, m.pre, G, B, p);
    if (P.b_hh_n) addRows(grads.b_hh_n, m.rec, H, B, p + 2 * H * B);
    addRows(grads.b_y, m.dy, O, B, y);
  }
}
/** The length of a vector; its squares may be too large for a number. */
function norm(v) {
  const size = Math.sqrt(v.reduce((sum, x) => sum + x * x, 0));
  if (size < Infinity) return size;
  const most = v.reduce((a, x) => Math.max(a, Math.abs(x)), 0);
  return most < Infinity ? most * norm(v.map((x) => x / most)) : most;
}

// ---- losses: the mean over the predictions that count; each leaves dE/dy in `m.dy` -----------------------
// `counts` (T, B) is 1 where a prediction counts and 0 where not.

/** Cross-entropy of softmax(y_t) for the labels (T, B); returns [E, how many of those that count are right]. */
export function crossEntropy(m, labels, counts) {
  const { T, B, O, y, dy } = m;
  const all = counts.reduce((a, b) => a + b);
  let [E, right] = [0, 0];
  dy.fill(0);
  for (let t = 0; t < T; t++) for (let b = 0; b < B; b++) {
    if (!counts[t * B + b]) continue;
    const at = (k) => (t * O + k) * B + b;
    let [most, best] = [-Infinity, 0];
    for (let k = 0; k < O; k++) if (y[at(k)] > most) [most, best] = [y[at(k)], k];
    let sum = 0;
    for (let k = 0; k < O; k++) sum += Math.exp(y[at(k)] - most);
    const label = labels[t * B + b];
    E += (Math.log(sum) + most - y[at(label)]) / all;
    right += best === label;
    for (let k = 0; k < O; k++) dy[at(k)] = (Math.exp(y[at(k)] - most) / sum - (k === label)) / all;
  }
  return [E, right];
}

/** ½ ‖y_t − d_t‖² for the targets d (T, O, B) (eq-delta-y). */
export function squaredError(m, targets, counts) {
  const { T, B, O, y, dy } = m;
  const all = counts.reduce((a, b) => a + b);
  let E = 0;
  for (let t = 0; t < T; t++) for (let k = 0; k < O; k++) for (let b = 0; b < B; b++) {
    const i = (t * O + k) * B + b;
    const gap = counts[t * B + b] * (y[i] - targets[i]);
    E += (gap * gap) / 2 / all;
    dy[i] = gap / all;
  }
  return [E];
}

// ---- updates ----------------------------------------------------------------------------------------------

/** Scale all gradients by one factor so that their norm is at most `most` (eq-clip); return the norm before. */
export function clip(grads, most) {
  const size = norm(Object.values(grads).map(norm));
  if (size > most) for (const g of Object.values(grads)) for (let i = 0; i < g.length; i++) g[i] *= most / size;
  return size;
}

/** W ← W − rate · dW (eq-update). */
export function sgd(P, grads, rate) {
  for (const name in grads) for (let i = 0; i < P[name].length; i++) P[name][i] -= rate * grads[name][i];
}

/** Adam (Kingma and Ba, 2015); `memory` keeps the means and counts the steps. */
export function adam(P, grads, rate, memory, [beta1, beta2, epsilon] = [0.9, 0.999, 1e-8]) {
  memory.steps = (memory.steps ?? 0) + 1;
  const [one, two] = [1 - beta1 ** memory.steps, 1 - beta2 ** memory.steps];
  for (const name in grads) {
    const [W, g] = [P[name], grads[name]];
    const { mean, square } = (memory[name] ??= { mean: new Float64Array(g.length), square: new Float64Array(g.length) });
    for (let i = 0; i < g.length; i++) {
      mean[i] = beta1 * mean[i] + (1 - beta1) * g[i];
      square[i] = beta2 * square[i] + (1 - beta2) * g[i] * g[i];
      W[i] -= (rate * mean[i]) / one / (Math.sqrt(square[i] / two) + epsilon);
    }
  }
}
