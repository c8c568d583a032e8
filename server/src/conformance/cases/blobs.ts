/** Sections 6.4 and 6.5: large constants that are sent once, and ONNX models as operators. */
import { createHash } from 'node:crypto';
import { bytesOf } from '@tracewire/protocol';
import type { ConformanceCase } from '../cases.ts';
import { DOUBLE } from '../double.ts';
import { mustEqual } from '../mismatch.ts';
import { type Fields, type PlainPeer, talk } from '../plain-peer.ts';
import { numbersOf, oneTensor, tensorOf } from '../tensors.ts';

const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Three numbers that no other run of the suite has sent. */
function newNumbers() {
  const numbers = Array.from({ length: 3 }, () => Math.floor(Math.random() * 2 ** 24));
  const bytes = bytesOf(tensorOf('float32', [3], numbers).data);
  return { numbers, bytes, sha256: hashOf(bytes) };
}

const stateOf = async (peer: PlainPeer, sha256: string): Promise<Fields> =>
  (
    await peer.next(
      'the blob’s state',
      (header) => header['type'] === 'blob_state' && header['sha256'] === sha256,
    )
  ).header;

/** Offers a blob and sends it if it is wanted, in parts as the welcome wants them; gives the last state. */
async function upload(
  peer: PlainPeer,
  welcome: Fields,
  bytes: Uint8Array,
  sha256 = hashOf(bytes),
): Promise<Fields> {
  const { chunkBytes } = welcome['limits'] as { readonly chunkBytes: number };
  peer.send({ type: 'blob', sha256, size: bytes.byteLength });
  let state = await stateOf(peer, sha256);
  for (
    let offset = Number(state['received']);
    state['state'] === 'wanted';
    offset = Number(state['received'])
  ) {
    peer.send({ type: 'blob_chunk', sha256, offset }, bytes.subarray(offset, offset + chunkBytes));
    state = await stateOf(peer, sha256);
  }
  return state;
}

/** A blob of a whole part and a short one. */
function twoParts(chunkBytes: number) {
  const bytes = new Uint8Array(chunkBytes + 12);
  bytes.set(newNumbers().bytes);
  return { bytes, sha256: hashOf(bytes) };
}

const received = (state: Fields): readonly unknown[] => [state['state'], state['received']];
const codeOf = (state: Fields): readonly unknown[] => [
  state['state'],
  (state['error'] as Fields | undefined)?.['code'],
];

const save = (value: number): object => ({ kind: 'save', value });
const constant = (sha256: string): object => ({
  kind: 'constant',
  blob: { sha256, dtype: 'float32', dims: [3] },
});

const blobCase = (
  id: string,
  requirements: readonly string[],
  shows: string,
  run: (peer: PlainPeer, welcome: Fields, graph: (nodes: readonly object[]) => Fields) => Promise<void>,
  profile: 'blobs' | 'functions' = 'blobs',
): ConformanceCase => ({
  id,
  requirements,
  shows,
  profile,
  run: (context) =>
    talk(context, profile === 'blobs' ? ['blobs'] : ['blobs', 'functions'], (peer, welcome) =>
      run(peer, welcome, (nodes) => ({ graph: { invokes: [{ input: { ids: context.model.ids } }], nodes } })),
    ),
});

const SMALL: readonly ConformanceCase[] = [
  blobCase(
    'blob',
    ['R-366'],
    'a blob is wanted, taken in, known; then it is a constant, and offered again it is known at once',
    async (peer, _, graph) => {
      const { numbers, bytes, sha256 } = newNumbers();
      peer.send({ type: 'blob', sha256, size: bytes.byteLength });
      const offered = await stateOf(peer, sha256);
      mustEqual('the first state', [offered['state'], offered['received']], ['wanted', 0]);
      peer.send({ type: 'blob_chunk', sha256, offset: 0 }, bytes);
      const taken = await stateOf(peer, sha256);
      mustEqual('the last state', [taken['state'], taken['received']], ['known', bytes.byteLength]);
      const run = await peer.run(graph([constant(sha256), save(0)]));
      run.ended('completed');
      mustEqual('the value', numbersOf(oneTensor(run.value(1))), numbers);
      peer.send({ type: 'blob', sha256, size: bytes.byteLength });
      mustEqual('the state', (await stateOf(peer, sha256))['state'], 'known');
    },
  ),
  blobCase(
    'blob-unknown',
    ['R-365'],
    'a run with a blob that isn’t there is refused, with its hash',
    async (peer, welcome, graph) => {
      const { bytes, sha256 } = newNumbers();
      const refused = (await peer.run(graph([constant(sha256), save(0)]))).refusedWith('unknown_blob');
      mustEqual('wanted', refused['wanted'], sha256);
      await upload(peer, welcome, bytes);
      const blob = { sha256, dtype: 'float32', dims: [4] };
      (await peer.run(graph([{ kind: 'constant', blob }, save(0)]))).refusedWith('wrong_dims');
    },
  ),
  blobCase(
    'blob-mismatch',
    ['R-367'],
    'bytes of another hash are refused, and forgotten',
    async (peer, welcome, graph) => {
      const { bytes } = newNumbers();
      const { sha256 } = newNumbers();
      const state = await upload(peer, welcome, bytes, sha256);
      mustEqual('the state', codeOf(state), ['refused', 'blob_mismatch']);
      (await peer.run(graph([constant(sha256), save(0)]))).refusedWith('unknown_blob');
    },
  ),
];

const LARGE: readonly ConformanceCase[] = [
  blobCase(
    'blob-part-again',
    ['R-410', 'R-366'],
    'a part that has been taken in is answered with the state as it is; one that leaves a gap is refused',
    async (peer, welcome) => {
      const { chunkBytes } = welcome['limits'] as { readonly chunkBytes: number };
      const { bytes, sha256 } = twoParts(chunkBytes);
      const first = bytes.subarray(0, chunkBytes);
      peer.send({ type: 'blob', sha256, size: bytes.byteLength });
      await stateOf(peer, sha256);
      peer.send({ type: 'blob_chunk', sha256, offset: 0 }, first);
      mustEqual('after a part', received(await stateOf(peer, sha256)), ['wanted', chunkBytes]);
      peer.send({ type: 'blob_chunk', sha256, offset: 0 }, first);
      mustEqual('after it again', received(await stateOf(peer, sha256)), ['wanted', chunkBytes]);
      peer.send({ type: 'blob_chunk', sha256, offset: 2 * chunkBytes }, first);
      mustEqual('after a gap', codeOf(await stateOf(peer, sha256)), ['refused', 'bad_message']);
      peer.send({ type: 'blob_chunk', sha256, offset: chunkBytes }, bytes.subarray(chunkBytes));
      mustEqual('after the last', received(await stateOf(peer, sha256)), ['known', bytes.byteLength]);
    },
  ),
  {
    id: 'blob-lost',
    requirements: ['R-418'],
    shows: 'a blob whose connection is lost goes on on the next one, where the server says',
    profile: 'blobs',
    run: async (context) => {
      const made: { bytes: Uint8Array; sha256: string }[] = [];
      await talk(context, ['blobs'], async (peer, welcome) => {
        const { chunkBytes } = welcome['limits'] as { readonly chunkBytes: number };
        const { bytes, sha256 } = twoParts(chunkBytes);
        made.push({ bytes, sha256 });
        peer.send({ type: 'blob', sha256, size: bytes.byteLength });
        await stateOf(peer, sha256);
        peer.send({ type: 'blob_chunk', sha256, offset: 0 }, bytes.subarray(0, chunkBytes));
        await stateOf(peer, sha256);
      });
      const [{ bytes, sha256 } = newNumbers()] = made;
      await talk(context, ['blobs'], async (peer, welcome) => {
        const state = await upload(peer, welcome, bytes, sha256);
        mustEqual('the last state', received(state), ['known', bytes.byteLength]);
      });
    },
  },
  blobCase(
    'blob-too-large',
    ['R-411', 'R-082'],
    'the welcome says how many bytes of blobs a key may have; one beyond them is refused',
    async (peer, welcome) => {
      const { blobBytes, blobMs } = welcome['limits'] as Fields;
      mustEqual('the limits', [typeof blobBytes, typeof blobMs], ['number', 'number']);
      const { sha256 } = newNumbers();
      peer.send({ type: 'blob', sha256, size: Number(blobBytes) + 1 });
      mustEqual('the state', codeOf(await stateOf(peer, sha256)), ['refused', 'too_large']);
    },
  ),
];

/** The same of an operator `Nothing`. */
const NOTHING = Buffer.from(
  '080a12003a380a0f0a017812017922074e6f7468696e671201675a100a0178120b0a09080112050a0312016e62100a0179120b0a09080112050a0312016e42040a001015',
  'hex',
);

const described = (peer: PlainPeer, sha256: string, request: number) => {
  peer.send({ type: 'function', request, sha256 });
  return peer.next('an answer', (header) => header['request'] === request);
};

/** `DOUBLE`, wrong in one way each. */
const HOSTILE: readonly (readonly [what: string, bytes: Uint8Array])[] = [
  ['cut off', DOUBLE.subarray(0, DOUBLE.byteLength - 20)],
  ['of no bytes', new Uint8Array()],
  ['that is no file of any kind', Buffer.from('this is no function')],
  ['of another operator set', swapped('42040a001015', '42040a001011')],
  ['that uses what nothing makes', swapped('0a01780a01781201792203416464', '0a01780a017a1201792203416464')],
  ['that makes its own input', swapped('1201792203416464', '1201782203416464')],
  [
    'whose output is its own operand',
    swapped('0a01780a01781201792203416464', '0a01790a01781201792203416464'),
  ],
  ['whose input has a dtype of no tensor', swapped('0a09080112050a0312016e62', '0a09081012050a0312016e62')],
];

/** With bytes in place of others of the same number, in hex; as it is where they don't stand there. */
function swapped(from: string, to: string): Uint8Array {
  return Buffer.from(DOUBLE.toString('hex').replace(from, to), 'hex');
}

export const BLOBS: readonly ConformanceCase[] = [...SMALL, ...LARGE];

export const FUNCTIONS: readonly ConformanceCase[] = [
  blobCase(
    'function',
    ['R-368', 'R-369'],
    'a function is described, and called',
    async (peer, welcome, graph) => {
      await upload(peer, welcome, DOUBLE);
      const sha256 = hashOf(DOUBLE);
      const { inputs, outputs } = (await described(peer, sha256, 1)).header;
      const port = (name: string): object => ({ name, dtype: 'float32', dims: ['n'] });
      mustEqual('its ports', [inputs, outputs], [[port('x')], [port('y')]]);
      const numbers = [1, -2, 0.5];
      const tensor = { dtype: 'float32', dims: [3], offset: 0, length: 12 };
      const call = { kind: 'call', function: sha256, inputs: [0] };
      const payload = bytesOf(tensorOf('float32', [3], numbers).data);
      const run = await peer.run(graph([{ kind: 'constant', tensor }, call, save(1)]), payload);
      run.ended('completed');
      mustEqual('the value', numbersOf(oneTensor(run.value(2))), [2, -4, 1]);
    },
    'functions',
  ),
  blobCase(
    'function-wrong',
    ['R-368', 'R-369'],
    'a function of an unknown operator is refused, asked about and called; so is one that isn’t there',
    async (peer, welcome, graph) => {
      await upload(peer, welcome, NOTHING);
      const sha256 = hashOf(NOTHING);
      const codes = ({ header }: { readonly header: Fields }): unknown =>
        (header['errors'] as readonly Fields[] | undefined)?.map(({ code, path }) => [code, path]);
      mustEqual('the errors', codes(await described(peer, sha256, 1)), [['unknown_operator', 'Nothing']]);
      const tensor = { dtype: 'float32', dims: [1], offset: 0, length: 4 };
      const call = { kind: 'call', function: sha256, inputs: [0] };
      const run = await peer.run(graph([{ kind: 'constant', tensor }, call, save(1)]), new Uint8Array(4));
      mustEqual('the node', run.refusedWith('unknown_operator')['node'], 1);
      const missing = (await described(peer, newNumbers().sha256, 2)).header['errors'];
      mustEqual('the code', (missing as readonly Fields[] | undefined)?.[0]?.['code'], 'unknown_blob');
    },
    'functions',
  ),
  ...HOSTILE.map(([what, bytes], index) =>
    blobCase(
      `function-hostile-${index + 1}`,
      ['R-414'],
      `a function ${what} is refused, with the place in the file`,
      async (peer, welcome) => {
        await upload(peer, welcome, bytes);
        const { header } = await described(peer, hashOf(bytes), 1);
        const [error] = (header['errors'] ?? []) as readonly Fields[];
        mustEqual('the error', [error?.['code'], typeof error?.['path']], ['bad_function', 'string']);
      },
      'functions',
    ),
  ),
  blobCase(
    'function-inputs',
    ['R-413'],
    'a call must give each input what it takes',
    async (peer, welcome, graph) => {
      await upload(peer, welcome, DOUBLE);
      const refused = async (code: string, dtype: string, dims: number[], times = 1): Promise<void> => {
        const length = dims.reduce((product, dim) => product * dim, dtype === 'float32' ? 4 : 8);
        const value = { kind: 'constant', tensor: { dtype, dims, offset: 0, length } };
        const call = { kind: 'call', function: hashOf(DOUBLE), inputs: new Array(times).fill(0) };
        const run = await peer.run(graph([value, call, save(1)]), new Uint8Array(length));
        mustEqual('the node', run.refusedWith(code)['node'], 1);
      };
      await refused('bad_arity', 'float32', [3], 2);
      await refused('bad_arity', 'float32', [3], 0);
      await refused('wrong_dtype', 'int64', [3]);
      await refused('wrong_dims', 'float32', [1, 3]);
    },
    'functions',
  ),
  blobCase(
    'function-nodes',
    ['R-412', 'R-049'],
    'a call counts as what its function holds, and one more',
    async (peer, welcome, graph) => {
      const { nodes: most, messageBytes } = welcome['limits'] as Record<string, number>;
      const calls = Math.floor((most ?? 0) / 2);
      if (calls * 100 > (messageBytes ?? 0)) return;
      await upload(peer, welcome, DOUBLE);
      const tensor = { dtype: 'float32', dims: [1], offset: 0, length: 4 };
      const call = { kind: 'call', function: hashOf(DOUBLE), inputs: [0] };
      const some = new Array<object>(calls).fill(call);
      const run = await peer.run(graph([{ kind: 'constant', tensor }, ...some, save(1)]), new Uint8Array(4));
      run.refusedWith('bad_message');
    },
    'functions',
  ),
];
