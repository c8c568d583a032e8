/** What a log says of a run: which, for whom, how it ended; nothing of what was asked or answered. */
import { expect, it } from 'vitest';
import { type Log, SILENT } from './log.ts';
import { begin, give, runOf } from './testing/runs.ts';
import { settle } from './testing/test-client.ts';
import { TWO_SAVES, toy } from './testing/toy.ts';

const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

it('says when a run was received and how it ended, with its trace context, and nothing of its content', async () => {
  const lines: { readonly text: string | undefined; readonly fields: Record<string, unknown> }[] = [];
  const log: Log = {
    ...SILENT,
    info: (fields, text) => lines.push({ text, fields: fields as Record<string, unknown> }),
  };
  const server = await toy({ log });
  const client = await server.client();
  const run = await begin(server, client, 'a', { traceparent: TRACEPARENT });
  give(server, run, 1);
  server.host().send({
    type: 'done',
    run,
    state: 'failed',
    errors: [{ code: 'operation_failed', message: 'secret' }],
  });
  await settle();
  const text = { ...TWO_SAVES, invokes: [{ input: { text: 'a secret prompt' } }] };
  client.send(runOf('b', text));
  await settle();
  const of = (wanted: string) => lines.filter((line) => line.text === wanted).map(({ fields }) => fields);
  expect(of('run received')).toEqual([
    { run: 'a', model: 'toy', traceparent: TRACEPARENT },
    { run: 'b', model: 'toy' },
  ]);
  expect(of('run ended')).toEqual([
    { run: 'a', traceparent: TRACEPARENT, state: 'failed', codes: ['operation_failed'] },
  ]);
  expect(JSON.stringify(lines)).not.toContain('secret');
});
