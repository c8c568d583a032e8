/** Section 3: an input of named feeds gives what its token ids give, and each way of getting it wrong has its error. */
import {
  type Dtype,
  type ErrorCode,
  elementCount,
  type FeedDescription,
  type TensorLike,
} from '@tracewire/protocol';
import type { CaseContext, ConformanceCase } from '../cases.ts';
import { check, mustEqual, NotApplicable } from '../mismatch.ts';
import { type ModelFacts, outputOf } from '../model-facts.ts';
import { Sketch } from '../sketch.ts';
import { numbersOf, oneTensor, tensorOf } from '../tensors.ts';

/** The feed of token ids; a model without one, or that takes none by name, is skipped. */
function idsFeed({ description }: ModelFacts): FeedDescription {
  const feed = description.feeds?.find(({ name }) => name === 'input_ids');
  const others = description.feeds?.filter(({ name, optional }) => !optional && name !== 'input_ids') ?? [];
  if (feed?.dims.length !== 2 || others.length > 0)
    throw new NotApplicable('the model isn’t fed token ids alone');
  return feed;
}

const row = (dtype: Dtype, numbers: readonly number[]): TensorLike =>
  tensorOf(dtype, [1, numbers.length], numbers);

type Feeds = Readonly<Record<string, TensorLike>>;

const faulty = (
  id: string,
  requirement: string,
  shows: string,
  code: ErrorCode,
  feedsFor: (model: ModelFacts, feed: FeedDescription) => Feeds,
): ConformanceCase => ({
  id,
  requirements: [requirement, 'R-181'],
  shows: `${shows} is ${code}`,
  run: async ({ open, model }: CaseContext) => {
    const sketch = new Sketch({ tensors: feedsFor(model, idsFeed(model)) });
    sketch.saveRead(outputOf(model.early));
    const errors = await (await open()).run(sketch.request).refused();
    check(
      errors.some((error) => error.code === code),
      code,
      () => errors.map((error) => error.code).join(', '),
    );
  },
});

export const FEED_CASES: readonly ConformanceCase[] = [
  {
    id: 'feeds-as-ids',
    requirements: ['R-270', 'R-274', 'R-035'],
    shows: 'token ids as a feed give what ids give, and a constant lies behind the feed',
    run: async ({ open, model }) => {
      const { dtype } = idsFeed(model);
      const peer = await open();
      const place = outputOf(model.early);
      const plain = new Sketch({ ids: model.ids });
      const wanted = plain.saveRead(place);
      const fed = new Sketch({ tensors: { input_ids: row(dtype, model.ids) } });
      const got = fed.saveRead(place);
      const constant = fed.save(fed.constant('int8', [3], [1, -2, 3]));
      const [first, second] = [peer.run(plain.request), peer.run(fed.request)];
      await first.ended('completed');
      await second.ended('completed');
      mustEqual(
        'the numbers',
        numbersOf(oneTensor(second.value(got))),
        numbersOf(oneTensor(first.value(wanted))),
      );
      mustEqual('the constant', numbersOf(oneTensor(second.value(constant))), [1, -2, 3]);
    },
  },
  faulty('feeds-unknown', 'R-271', 'a feed that the model hasn’t', 'unknown_feed', ({ ids }, { dtype }) => ({
    input_ids: row(dtype, ids),
    'x.conformance.none': row(dtype, ids),
  })),
  faulty('feeds-missing', 'R-272', 'an input without the feed of ids', 'missing_feed', () => ({})),
  faulty('feeds-dtype', 'R-273', 'a feed of another dtype', 'wrong_dtype', ({ ids }, { dtype }) => ({
    input_ids: row(dtype === 'float32' ? 'int64' : 'float32', ids),
  })),
  faulty('feeds-rank', 'R-273', 'a feed with an axis too few', 'wrong_dims', ({ ids }, { dtype }) => ({
    input_ids: tensorOf(dtype, [ids.length], ids),
  })),
  faulty(
    'feeds-axes',
    'R-273',
    'two feeds whose axes disagree',
    'wrong_dims',
    ({ ids, description }, feed) => {
      const other = description.feeds?.find(
        ({ name, dims }) => name !== feed.name && dims.length === 2 && dims[1] === feed.dims[1],
      );
      if (!other) throw new NotApplicable('no other feed has the axes of the ids');
      const dims = [1, ids.length + 1];
      return {
        [feed.name]: row(feed.dtype, ids),
        [other.name]: tensorOf(other.dtype, dims, new Array(elementCount(dims)).fill(0)),
      };
    },
  ),
];
