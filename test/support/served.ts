/**
 * What most end-to-end tests begin with: a server for the tests of one file, and models on it, ended behind the last test.
 * They are called at a file's top, `const server = await served()`, so that the tests read them as plain constants.
 */
import { LanguageModel } from '@tracewire/client';
import { afterAll, expect } from 'vitest';
import { startServer, type TestServer } from './server.ts';

/** `args` are those of `tracewire serve`; without any it serves tiny-gpt2. At its end it must have nothing to complain of. */
export async function served(...args: readonly string[]): Promise<TestServer> {
  const server = await startServer(...args);
  afterAll(async () => expect(await server.stop()).toBe(0));
  return server;
}

/** Closed before the server is stopped, for what is acquired last is released first. */
export function modelOn(server: TestServer, name = 'tiny-gpt2'): LanguageModel {
  const model = new LanguageModel(name, { url: server.url });
  afterAll(() => model.close());
  return model;
}
