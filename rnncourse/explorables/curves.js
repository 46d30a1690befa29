// Curves by update: any number of updates in a few points.

/** A curve of any length in at most 400 points, each the mean of as many updates; it goes on from those of `before`. */
export function curve(before = { each: 1, points: [] }) {
  const points = [...before.points];
  let [each, sum, count] = [before.each, 0, 0];
  return {
    add(value) {
      sum += value;
      if (++count < each) return;
      points.push(sum / count);
      [sum, count] = [0, 0];
      if (points.length < 400) return;
      for (let i = 0; i < 200; i++) points[i] = (points[2 * i] + points[2 * i + 1]) / 2;
      points.length = 200;
      each *= 2;
    },
    /** The points [update, value]. */
    at: () => points.map((value, i) => [(i + 1) * each, value]),
    kept: () => ({ each, points }),
  };
}

/** The next of 100, 200, 500, 1000, … */
export function upward(x) {
  const ten = 10 ** Math.floor(Math.log10(x));
  return ten * [1, 2, 5, 10].find((k) => k * ten >= x);
}
