import { distance } from 'fastest-levenshtein';

/**
 * The candidate most like `name`, or undefined where none is near enough to be what was meant. Lengths that
 * differ by more than the best distance are passed over, so that a long hostile name costs little.
 */
export function nearest(name: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  // Something of the name must stay: of two letters, one.
  let bestDistance = Math.min(name.length - 1, Math.max(2, Math.floor(name.length * 0.4))) + 1;
  const wanted = name.toLowerCase();
  for (const candidate of candidates) {
    if (candidate === '' || Math.abs(candidate.length - name.length) >= bestDistance) continue;
    const found = distance(wanted, candidate.toLowerCase());
    if (found < bestDistance) [best, bestDistance] = [candidate, found];
  }
  return best;
}
