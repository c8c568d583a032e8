/** The vectors of what capabilities add: what is right is taken, and of the rest it is said what is wrong with it. */
import {
  clientMessages,
  decodeFrame,
  decodeMessage,
  serverMessages,
  TracewireError,
} from '@tracewire/protocol';
import { expect, it } from 'vitest';
import { bytesOfHex, expand, type Golden, type Hex, readVectors } from '../support/vectors.ts';

interface Wrong {
  readonly id: string;
  readonly capability: string;
  readonly direction: 'client' | 'server';
  readonly path: string;
  readonly hex: Hex;
}

function refusal(direction: 'client' | 'server', hex: Hex): unknown {
  try {
    return decodeMessage(direction === 'client' ? clientMessages : serverMessages, bytesOfHex(hex)).message;
  } catch (error) {
    return error instanceof TracewireError ? error.body : error;
  }
}

const golden = readVectors<Golden & { readonly capability: string }>('capabilities/golden.json').cases;
const rejections = readVectors<Wrong>('capabilities/rejections.json').cases;

it.each(golden)('$id is of $capability', ({ direction, message, hex }) => {
  const { header } = decodeFrame(bytesOfHex(hex));
  expect(JSON.parse(JSON.stringify(header))).toEqual(expand(message));
  expect(refusal(direction, hex)).toMatchObject({ type: header.type });
});

it.each(rejections)('$id is no form of $capability', ({ direction, path, hex }) => {
  const at: unknown = expect.stringMatching(new RegExp(`^${path.replaceAll('.', '\\.')}`));
  expect(refusal(direction, hex)).toMatchObject({ code: 'bad_message', path: at });
});
