/** Checks a forward pass's input against what the model takes, as far as it needs neither tokenizer nor bytes. */
import type { GraphChecker } from './check.ts';
import type { FeedDescription } from './description.ts';
import type { TensorRef } from './fields.ts';
import type { Input } from './graph.ts';
import { feedsOf } from './graph-tensors.ts';
import { nearest } from './nearest.ts';
import { describeTensor } from './tensor.ts';

export function checkInput(checker: GraphChecker, input: Input, invoke: number): void {
  if ('feeds' in input) return checkFeeds(checker, input);
  if (takesTokens(checker) && 'ids' in input) checkIds(checker, input.ids, invoke);
}

/** Text and ids are for models that take `input_ids` and nothing else that the server couldn't make. */
function takesTokens(checker: GraphChecker): boolean {
  const { feeds, name } = checker.index.description;
  if (feeds === undefined) return true;
  const wanted = feeds.filter((feed) => !feed.optional && feed.name !== 'input_ids');
  if (wanted.length === 0 && feeds.some((feed) => feed.name === 'input_ids')) return true;
  const all = feeds.filter((feed) => !feed.optional).map((feed) => feed.name);
  const message = `${name} takes no text and no token ids; it wants feeds by name: ${all.join(', ')}.`;
  checker.report('bad_input', message, { wanted: all.join(', '), got: 'text or token ids' });
  return false;
}

function checkIds(checker: GraphChecker, ids: readonly number[], invoke: number): void {
  const { vocabularySize } = checker.index.description;
  const path = invoke === 0 ? undefined : `graph.invokes.${invoke}.input`;
  const which = invoke === 0 ? 'The input' : `The input of invoke ${invoke}`;
  if (ids.length === 0)
    checker.report('empty_input', `${which} has no token ids; give at least one.`, { path });
  checkLength(checker, ids.length, which, path);
  const outside = vocabularySize === undefined ? undefined : ids.find((id) => id >= vocabularySize);
  if (outside !== undefined) {
    const message = `There is no token ${outside}: the vocabulary ends at ${Number(vocabularySize) - 1}.`;
    checker.report('token_out_of_range', message, {
      path,
      wanted: `below ${vocabularySize}`,
      got: String(outside),
    });
  }
}

function checkLength(checker: GraphChecker, length: number, which = 'The input', path?: string): void {
  const { contextLength } = checker.index.description;
  if (contextLength === undefined || length <= contextLength) return;
  const message = `${which} has ${length} tokens; the model takes at most ${contextLength}.`;
  checker.report('input_too_long', message, {
    path,
    wanted: `at most ${contextLength}`,
    got: String(length),
  });
}

function checkFeeds(checker: GraphChecker, input: Input): void {
  const described = checker.index.description.feeds ?? [];
  const known = new Map(described.map((feed) => [feed.name, feed]));
  const given = feedsOf(input);
  for (const [name] of given) if (!known.has(name)) reportUnknown(checker, name, [...known.keys()]);
  const names = new Set(given.map(([name]) => name));
  // A cache is given whole or not at all: the rest of it could only be made up.
  const cached = [...names].some(isCache);
  for (const { name, optional } of described) {
    if (!names.has(name) && (!optional || (cached && isCache(name)))) reportMissing(checker, name);
  }
  const sizes = new Map<string, { readonly size: number; readonly of: string }>();
  for (const [name, ref] of given) {
    const feed = known.get(name);
    if (feed) checkFeed(checker, feed, ref, sizes);
  }
  checkLength(checker, sizes.get('sequence')?.size ?? 0);
}

const isCache = (name: string): boolean => name.startsWith('past_key_values');

function reportUnknown(checker: GraphChecker, name: string, known: readonly string[]): void {
  const near = nearest(name, known);
  const hint = near === undefined ? '' : ` Did you mean ${near}?`;
  const some = known.filter((feed) => !isCache(feed)).join(', ');
  const message = `${checker.index.description.name} takes no feed ${JSON.stringify(name)}; it takes ${some || 'text or token ids'}.${hint}`;
  checker.report('unknown_feed', message, { path: name, nearest: near });
}

function reportMissing(checker: GraphChecker, name: string): void {
  const why = isCache(name) ? ', for the rest of the cache is given' : '';
  checker.report('missing_feed', `The input has no feed ${name}; the model wants it${why}.`, { path: name });
}

function checkFeed(
  checker: GraphChecker,
  feed: FeedDescription,
  ref: TensorRef,
  sizes: Map<string, { readonly size: number; readonly of: string }>,
): void {
  const path = feed.name;
  const facts = { path, wanted: describeTensor(feed), got: describeTensor(ref) };
  if (ref.dtype !== feed.dtype) {
    checker.report('wrong_dtype', `The feed ${path} is ${facts.got}; wanted ${facts.wanted}.`, facts);
  }
  if (ref.dims.length !== feed.dims.length) {
    checker.report('wrong_dims', `The feed ${path} is ${facts.got}; wanted ${facts.wanted}.`, facts);
    return;
  }
  for (const [axis, wanted] of feed.dims.entries()) {
    const size = ref.dims[axis] ?? 0;
    if (typeof wanted === 'number' && wanted !== size) {
      const message = `The feed ${path} is ${facts.got}: axis ${axis} has size ${size}, wanted ${wanted}.`;
      checker.report('wrong_dims', message, facts);
    }
    if ((wanted === 'batch' || wanted === 'sequence') && size === 0) {
      checker.report('empty_input', `The feed ${path} is ${facts.got}: its ${wanted} axis is empty.`, facts);
    }
    if (typeof wanted !== 'string' || wanted === '?') continue;
    const other = sizes.get(wanted);
    if (other === undefined) sizes.set(wanted, { size, of: path });
    else if (other.size !== size) {
      const message = `The feed ${path} is ${facts.got}: its ${wanted} axis has size ${size}, and that of ${other.of} ${other.size}.`;
      checker.report('wrong_dims', message, facts);
    }
  }
}
