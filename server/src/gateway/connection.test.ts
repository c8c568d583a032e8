import { encodeFrame } from '@tracewire/protocol';
import { describe, expect, it } from 'vitest';
import { DESCRIPTION } from './testing/scripted-host.ts';
import { toy } from './testing/toy.ts';

const raw = (fields: { type: string } & Record<string, unknown>) => encodeFrame(fields)[0] as Uint8Array;

describe('the handshake', () => {
  it('welcomes a client with models, limits and an epoch', async () => {
    const { stranger, gateway } = await toy();
    const welcome = await stranger().hello();
    expect(welcome).toMatchObject({ protocol: 1, models: ['toy'], epoch: gateway.epoch, opset: 21 });
    expect(welcome.limits.nodes).toBe(10_000);
  });

  it('closes with 4408 when no hello comes', async () => {
    const { stranger } = await toy({ helloMs: 5 });
    expect(await stranger().closed).toMatchObject({ code: 4408 });
  });

  it('refuses another version, and closes', async () => {
    const client = (await toy()).stranger();
    client.send({ type: 'hello', protocol: 2, client: { name: 'x', version: '0' }, capabilities: [] });
    expect((await client.next('error')).errors[0]).toMatchObject({
      code: 'unsupported_version',
      wanted: '1',
      got: '2',
    });
    expect(await client.closed).toMatchObject({ code: 4400 });
  });

  it('refuses anything before hello, and closes', async () => {
    const client = (await toy()).stranger();
    client.send({ type: 'describe', request: 1, model: 'toy' });
    expect(await client.next('error')).toMatchObject({
      request: 1,
      errors: [{ code: 'unexpected_message' }],
    });
    expect(await client.closed).toMatchObject({ code: 4400 });
  });

  it('refuses a second hello, and goes on', async () => {
    const client = await (await toy()).client();
    client.send({ type: 'hello', protocol: 1, client: { name: 'x', version: '0' }, capabilities: [] });
    expect((await client.next('error')).errors[0]?.code).toBe('unexpected_message');
    client.send({ type: 'describe', request: 1, model: 'toy' });
    await client.next('description');
  });
});

describe('bad messages', () => {
  it('answers bytes that are no frame with bad_frame and 4400, and another client does not notice', async () => {
    const { client } = await toy();
    const [bad, good] = [await client(), await client()];
    bad.sendRaw(new Uint8Array([1, 2, 3]));
    expect((await bad.next('error')).errors[0]?.code).toBe('bad_frame');
    expect(await bad.closed).toMatchObject({ code: 4400 });
    good.send({ type: 'describe', request: 1, model: 'toy' });
    expect((await good.next('description')).description.name).toBe('toy');
  });

  it.each([
    [
      'an unknown type',
      { type: 'describ', request: 3 },
      { errors: [{ code: 'unknown_message', nearest: 'describe' }] },
    ],
    [
      'a missing field',
      { type: 'describe', request: 3 },
      { request: 3, errors: [{ code: 'bad_message', path: 'model' }] },
    ],
    [
      'an unknown field',
      { type: 'tokenize', request: 4, model: 'toy', text: '', extra: 1 },
      { request: 4, errors: [{ code: 'bad_message', path: 'extra' }] },
    ],
    [
      'a bad node',
      {
        type: 'run',
        run: 'a',
        model: 'toy',
        graph: {
          invokes: [{ input: { text: '' } }],
          nodes: [{ kind: 'read', place: { module: 'h.0', port: 'out' } }],
        },
      },
      { run: 'a', errors: [{ code: 'bad_message', path: 'graph.nodes.0.place.port' }] },
    ],
  ])('names what is wrong with %s and stays open', async (_, message, expected) => {
    const client = await (await toy()).client();
    client.sendRaw(raw(message));
    expect(await client.next('error')).toMatchObject(expected);
    client.send({ type: 'detokenize', request: 9, model: 'toy', ids: [1] });
    expect(await client.next('text')).toMatchObject({ request: 9, text: 'ab' });
  });

  it('names no run in an error about an ack, for that run has not been refused', async () => {
    const client = await (await toy()).client();
    client.sendRaw(raw({ type: 'ack', run: 'a' }));
    expect(await client.next('error')).not.toHaveProperty('run');
  });
});

describe('requests', () => {
  it('answers describe, tokenize and detokenize', async () => {
    const client = await (await toy()).client();
    client.send({ type: 'describe', request: 1, model: 'toy' });
    expect((await client.next('description')).description.blocks).toEqual(['h.0', 'h.1']);
    client.send({ type: 'tokenize', request: 2, model: 'toy', text: 'ab' });
    expect(await client.next('tokens')).toMatchObject({ request: 2, ids: [1, 2], tokens: ['a', 'b'] });
  });

  it('names the nearest model', async () => {
    const client = await (await toy()).client();
    client.send({ type: 'describe', request: 1, model: 'toi' });
    expect(await client.next('error')).toMatchObject({
      request: 1,
      errors: [{ code: 'unknown_model', nearest: 'toy' }],
    });
  });

  it('passes the host’s refusal on', async () => {
    const { client } = await toy({
      answer: (host, command) => {
        if (command.type === 'load') host.send({ type: 'loaded', description: DESCRIPTION });
        if (command.type !== 'detokenize') return;
        host.send({
          type: 'refused',
          request: command.request,
          error: { code: 'token_out_of_range', message: 'no' },
        });
      },
    });
    const one = await client();
    one.send({ type: 'detokenize', request: 7, model: 'toy', ids: [1] });
    expect(await one.next('error')).toMatchObject({ request: 7, errors: [{ code: 'token_out_of_range' }] });
  });

  it('refuses a request number that has no answer yet', async () => {
    const { client } = await toy({
      answer: (host, command) => {
        if (command.type === 'load') host.send({ type: 'loaded', description: DESCRIPTION });
      },
    });
    const one = await client();
    one.send({ type: 'tokenize', request: 1, model: 'toy', text: 'a' });
    one.send({ type: 'tokenize', request: 1, model: 'toy', text: 'b' });
    expect(await one.next('error')).toMatchObject({ errors: [{ code: 'bad_message', path: 'request' }] });
  });
});
