/** Sections 6.4 and 6.5: large constants that are sent once, and ONNX models as operators. */
import { createHash } from 'node:crypto';
import { bytesOf } from '@tracewire/protocol';
import type { ConformanceCase } from '../cases.ts';
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

export const BLOBS: readonly ConformanceCase[] = [
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
      mustEqual(
        'the state',
        [state['state'], (state['error'] as Fields | undefined)?.['code']],
        ['refused', 'blob_mismatch'],
      );
      (await peer.run(graph([constant(sha256), save(0)]))).refusedWith('unknown_blob');
    },
  ),
];

/** y = x + x, float32 of any length, as ONNX writes it (IR 10, operator set 21). */
const DOUBLE = Buffer.from(
  '080a12003a370a0e0a01780a017812017922034164641201675a100a0178120b0a09080112050a0312016e62100a0179120b0a09080112050a0312016e42040a001015',
  'hex',
);
/** The same of an operator `Nothing`. */
const NOTHING = Buffer.from(
  '080a12003a380a0f0a017812017922074e6f7468696e671201675a100a0178120b0a09080112050a0312016e62100a0179120b0a09080112050a0312016e42040a001015',
  'hex',
);

const described = (peer: PlainPeer, sha256: string, request: number) => {
  peer.send({ type: 'function', request, sha256 });
  return peer.next('an answer', (header) => header['request'] === request);
};

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
];
