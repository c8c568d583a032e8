/** The codec evaluates no text: neither msgpackr nor zod compiles what a peer sent. */
import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';

const SCRIPT = `
  let compiled = 0;
  const count = () => { compiled += 1; throw new Error('compiled'); };
  globalThis.Function = new Proxy(Function, { construct: count, apply: count });
  globalThis.eval = count;
  const { clientMessages, concat, decodeMessage, encodeFrame } = await import('@tracewire/protocol');
  const ids = Array.from({ length: 100 }, (_, index) => index);
  const nodes = [{ kind: 'read', place: { module: 'h', port: 'output' } }, { kind: 'save', value: 0 }];
  const run = { type: 'run', run: 'r', model: 'm', graph: { invokes: [{ input: { ids } }], nodes } };
  for (let round = 0; round < 20; round++) decodeMessage(clientMessages, concat(encodeFrame(run)));
  console.log(compiled);
`;

it('decoding calls neither Function nor eval', () => {
  const flags = ['--disallow-code-generation-from-strings', '--input-type=module', '--eval', SCRIPT];
  expect(execFileSync(process.execPath, flags, { encoding: 'utf8' }).trim()).toBe('0');
});
