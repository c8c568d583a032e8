/** Dims of matrix products. */
import type { ShapeCall, ShapeRule } from './call.ts';
import { ANY, broadcastDims, type Dim, type Dims, unify } from './dim.ts';
import { requireBroadcast } from './elementwise.ts';

/** `[…, n, k] × […, k, m]`; a vector is a row on the left and a column on the right, and is dropped again. */
export const matMul: ShapeRule = (call) => {
  const [a, b] = [call.dims(0), call.dims(1)];
  if (a?.length === 0 || b?.length === 0)
    throw call.misfit('a scalar is no matrix', 'at least one axis each');
  if (!a || !b) return [{}];
  const left = a.length === 1 ? [1, ...a] : a;
  const right = b.length === 1 ? [...b, 1] : b;
  const [n = ANY, k = ANY] = left.slice(-2);
  const [inner = ANY, m = ANY] = right.slice(-2);
  if (unify(k, inner) === undefined) throw call.misfit(`${k} columns meet ${inner} rows`, 'equal inner dims');
  const batch = broadcastDims(left.slice(0, -2), right.slice(0, -2));
  if (!batch) throw call.misfit('the leading dims don’t broadcast', 'leading dims that broadcast');
  return [{ dims: [...batch, ...(a.length === 1 ? [] : [n]), ...(b.length === 1 ? [] : [m])] }];
};

/** `alpha · A · B + beta · C` of matrices, either turned. */
export const gemm: ShapeRule = (call) => {
  for (const input of [0, 1]) call.rank(input, (rank) => rank === 2, 'a matrix');
  const [n, k] = turned(call.dims(0), call.int('transA', 0));
  const [inner, m] = turned(call.dims(1), call.int('transB', 0));
  if (unify(k, inner) === undefined) throw call.misfit(`${k} columns meet ${inner} rows`, 'equal inner dims');
  const dims = [n, m];
  if (call.has(2)) requireBroadcast(call, 2, dims);
  return [{ dims }];
};

function turned(dims: Dims | undefined, turn: number): readonly [Dim, Dim] {
  const [first = ANY, second = ANY] = dims ?? [];
  return turn ? [second, first] : [first, second];
}

/** `bqd,bkd->bqk`; `...` stands for axes that broadcast, equally many in each input. Without `->` the letters that occur once, sorted. */
export const einsum: ShapeRule = (call) => {
  const equation = String(call.attributes['equation'] ?? '').replace(/\s/g, '');
  const [left = '', right] = equation.split('->');
  const terms = left.split(',');
  const wellFormed = /^[A-Za-z.,]*(->[A-Za-z.]*)?$/.test(equation) && [...terms, right ?? ''].every(isTerm);
  if (!wellFormed) throw call.fault('the equation can’t be read', 'ij,jk->ik', equation);
  if (terms.length !== call.inputs.length)
    throw call.fault(
      'the equation has other inputs',
      `${terms.length} inputs`,
      `${call.inputs.length} inputs`,
    );
  const sizes = new Map<string, Dim>();
  let ellipsis: Dims | undefined;
  let open = false;
  for (const [input, term] of terms.entries()) {
    const dims = call.dims(input);
    const under = dims && bindTerm(call, term, dims, sizes, input);
    if (!term.includes('...')) continue;
    if (!under) open = true;
    else ellipsis = ellipsis ? underBoth(call, ellipsis, under) : under;
  }
  if (open) ellipsis = undefined;
  const output = right ?? implicitOutput(left);
  for (const letter of letters(output)) {
    if (!left.includes(letter)) throw call.fault(`the result’s ${letter} is in no input`, left, output);
  }
  if (new Set(letters(output)).size < letters(output).length)
    throw call.fault('a letter stands twice in the result', 'each letter once', output);
  if (output.includes('...') && !ellipsis && left.includes('...')) return [{}];
  return [
    {
      dims: [...output.matchAll(/\.\.\.|[A-Za-z]/g)].flatMap(([part]) =>
        part === '...' ? (ellipsis ?? []) : [sizes.get(part) ?? ANY],
      ),
    },
  ];
};

const isTerm = (term: string): boolean => /^[A-Za-z]*(\.\.\.)?[A-Za-z]*$/.test(term);
const letters = (term: string): readonly string[] => term.match(/[A-Za-z]/g) ?? [];

/** Notes the sizes of a term's letters; gives the dims under `...`. */
function bindTerm(call: ShapeCall, term: string, dims: Dims, sizes: Map<string, Dim>, input: number): Dims {
  const named = letters(term);
  const open = term.includes('...');
  if (open ? dims.length < named.length : dims.length !== named.length)
    throw call.fault(
      `input ${input} doesn’t have the axes of ${term}`,
      `${open ? 'at least ' : ''}${named.length} axes`,
      `[${dims.join(', ')}]`,
    );
  const before = open ? letters(term.slice(0, term.indexOf('...'))).length : named.length;
  const under = dims.length - named.length;
  for (const [at, letter] of named.entries()) {
    const size = dims[at < before ? at : at + under] ?? ANY;
    const known = sizes.get(letter);
    const both = known === undefined ? size : unify(known, size);
    if (both === undefined) throw call.fault(`${letter} has two sizes`, String(known), String(size));
    sizes.set(letter, both);
  }
  return dims.slice(before, before + under);
}

function underBoth(call: ShapeCall, a: Dims, b: Dims): Dims {
  const both = a.length === b.length ? broadcastDims(a, b) : undefined;
  if (!both) throw call.misfit('the axes of ... don’t broadcast', 'equally many axes that broadcast');
  return both;
}

function implicitOutput(left: string): string {
  const all = letters(left);
  const once = all.filter((letter) => all.indexOf(letter) === all.lastIndexOf(letter)).toSorted();
  return `${left.includes('...') ? '...' : ''}${once.join('')}`;
}
