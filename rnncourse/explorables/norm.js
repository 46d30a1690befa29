import { dot } from "./draw.js";

/** ‖M‖₂, the largest singular value: turn pairs of rows until all are orthogonal (one-sided Jacobi). */
export function norm(M) {
  const rows = M.map((row) => row.slice());
  const squares = () => rows.map((row) => dot(row, row));
  const enough = 1e-15 * squares().reduce((sum, square) => sum + square);
  for (let sweep = 0, turned = true; turned && sweep < 20; sweep++) {
    turned = false;
    for (let p = 1; p < rows.length; p++)
      for (let q = 0; q < p; q++) {
        const a = rows[p];
        const b = rows[q];
        const both = dot(a, b);
        if (Math.abs(both) <= enough) continue;
        turned = true;
        const half = (dot(b, b) - dot(a, a)) / (2 * both);
        const tan = (half < 0 ? -1 : 1) / (Math.abs(half) + Math.sqrt(1 + half * half));
        const cos = 1 / Math.sqrt(1 + tan * tan);
        const sin = tan * cos;
        for (let i = 0; i < a.length; i++) {
          const old = a[i];
          a[i] = cos * old - sin * b[i];
          b[i] = sin * old + cos * b[i];
        }
      }
  }
  return Math.sqrt(Math.max(...squares()));
}
