/** A run that is at the host ahead of its turn, with a real model: what ends it leaves the one in hand alone. */
import { LanguageModel, type Tensor } from '@tracewire/client';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startServer, type TestServer } from './support/server.ts';

const LONG = { maxNewTokens: 64, stopTokens: [] };

let server: TestServer;
let model: LanguageModel;
beforeAll(async () => {
  server = await startServer();
  model = new LanguageModel('tiny-gpt2', { url: server.url });
});
afterAll(async () => {
  await model.close();
  await server.stop();
});

const logits = (signal?: AbortSignal, queued?: () => void) =>
  model.trace(
    [1, 2, 3],
    { ...(signal && { signal }), onStatus: ({ state }) => state === 'queued' && queued?.() },
    (m) => m.lm_head.output.save(),
  );

it('is cancelled; the one in hand gives all its tokens, and the one behind it its values', async () => {
  const alone = (await logits()).value as Tensor;
  const { tokens } = await model.generate('The Eiffel Tower is in the city of', LONG);
  for (let n = 0; n < 2; n++) {
    const abort = new AbortController();
    const inHand = model.generate('The Eiffel Tower is in the city of', LONG);
    const ahead = logits(abort.signal, () => abort.abort()).catch((error: unknown) => error);
    const behind = logits();
    expect(await ahead).toMatchObject({ code: 'cancelled' });
    expect((await inHand).tokens).toEqual(tokens);
    expect(((await behind).value as Tensor).data).toEqual(alone.data);
  }
});
