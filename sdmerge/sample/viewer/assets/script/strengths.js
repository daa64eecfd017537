/** Bradley–Terry strengths of what was voted on; the same formulas as sdmerge/votes/strengths.py. */

const PRIOR = 2;
const sigmoid = (x) => 1 / (1 + Math.exp(-x));

/** games: [first, second, share], share 1 where the first won, 0.5 for a tie. Newton's method on the
 * log-posterior with a normal prior; the covariance is the inverse of the observed information. */
const fitStrengths = (count, games) => {
  const theta = new Array(count).fill(0);
  let covariance = [];
  for (let round = 0; round < 100; round++) {
    const gradient = theta.map((value) => -value / PRIOR ** 2);
    const information = theta.map((_, i) => theta.map((_, j) => (i === j ? 1 / PRIOR ** 2 : 0)));
    for (const [i, j, share] of games) {
      const p = sigmoid(theta[i] - theta[j]);
      gradient[i] += share - p;
      gradient[j] -= share - p;
      const known = p * (1 - p);
      information[i][i] += known;
      information[j][j] += known;
      information[i][j] -= known;
      information[j][i] -= known;
    }
    covariance = inverse(information);
    const change = covariance.map((row) => row.reduce((sum, one, j) => sum + one * gradient[j], 0));
    // the posterior is concave; a short step keeps the first ones from overshooting
    const length = Math.min(1, 2 / Math.max(...change.map(Math.abs), 1e-300));
    change.forEach((one, i) => (theta[i] += length * one));
    if (Math.max(...change.map(Math.abs)) < 1e-10) break;
  }
  return { theta, covariance };
};

/** Gauss–Jordan; the matrix is symmetric and positive definite, so that no pivoting is needed. */
const inverse = (matrix) => {
  const n = matrix.length;
  const rows = matrix.map((row, i) => [...row, ...row.map((_, j) => (i === j ? 1 : 0))]);
  for (let i = 0; i < n; i++) {
    const pivot = rows[i][i];
    for (let k = 0; k < 2 * n; k++) rows[i][k] /= pivot;
    for (let j = 0; j < n; j++) {
      const factor = rows[j][i];
      if (j === i || factor === 0) continue;
      for (let k = 0; k < 2 * n; k++) rows[j][k] -= factor * rows[i][k];
    }
  }
  return rows.map((row) => row.slice(n));
};

/** How often each wins against the others, with a 95 % interval (delta method, on the logit). */
const winRates = ({ theta, covariance }) =>
  theta.map((mine, i) => {
    const others = theta.length - 1;
    const slope = new Array(theta.length).fill(0);
    let rate = 0;
    theta.forEach((theirs, j) => {
      if (j === i) return;
      const p = sigmoid(mine - theirs);
      rate += p / others;
      slope[i] += (p * (1 - p)) / others;
      slope[j] -= (p * (1 - p)) / others;
    });
    const variance = slope.reduce(
      (sum, one, j) => sum + one * slope.reduce((part, two, k) => part + two * covariance[j][k], 0),
      0,
    );
    const error = (1.96 * Math.sqrt(variance)) / (rate * (1 - rate));
    const logit = Math.log(rate / (1 - rate));
    return { rate, low: sigmoid(logit - error), high: sigmoid(logit + error) };
  });

/** The variance of the difference of two strengths. */
const doubt = (covariance, i, j) => covariance[i][i] + covariance[j][j] - 2 * covariance[i][j];

/** About how many votes until the leader is ahead of each other by more than its 95 % interval. */
const votesToGo = ({ theta, covariance }, votes) => {
  const best = theta.indexOf(Math.max(...theta));
  const needed = theta.map((value, j) => {
    if (j === best) return 1;
    const lead = theta[best] - value;
    return lead > 0 ? (1.96 ** 2 * doubt(covariance, best, j)) / lead ** 2 : Infinity;
  });
  // what is known grows in proportion to the votes
  return { best, more: Math.max(0, Math.ceil(Math.max(votes, 1) * (Math.max(...needed) - 1))) };
};

/** What a vote on a pair would tell: large where the difference is open and the odds are even, and
 * larger near the top, since it is the winner that people look for. */
const worthAsking = ({ theta, covariance }, i, j) => {
  const p = sigmoid(theta[i] - theta[j]);
  const nearTop = 2 * sigmoid(Math.max(theta[i], theta[j]) - Math.max(...theta));
  return p * (1 - p) * doubt(covariance, i, j) * nearTop;
};
