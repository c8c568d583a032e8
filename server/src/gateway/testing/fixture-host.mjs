/**
 * A host process for tests, with no model in it. Text tells it what to do: `crash` exits, `hang` answers
 * nothing, `grow` takes memory and answers nothing, `echo …` writes to stdout and stderr, `lend` gives its end of the socket to a
 * process that outlives it by a minute and tells that one's id; a run never ends.
 */
import { spawn } from 'node:child_process';
import { connect } from 'node:net';
import { decodeMessage, encodeFrame } from '@tracewire/protocol';
import { hostCommands } from '../../../dist/host/messages.js';
import { socketTransport } from '../../../dist/host/socket-transport.js';

const socket = connect(process.argv[2]);
const gateway = socketTransport(socket);
const send = (event, payload = []) => gateway.send(encodeFrame(event, payload));

const description = {
  name: 'fixture',
  id: 'sha256:0',
  architecture: 'Toy',
  exporter: 'other',
  opset: 21,
  blocks: [],
  modules: [
    {
      path: 'h',
      order: { output: 1 },
      inputs: [],
      outputs: [{ name: 'a', dtype: 'float32', dims: ['sequence'] }],
    },
  ],
  parameters: [],
};

const grown = [];
const answers = {
  load: () => send({ type: 'loaded', description }),
  run: () => {},
  cancel: ({ run }) => send({ type: 'done', run, state: 'cancelled' }),
  detokenize: ({ request }) => send({ type: 'text', request, text: '' }),
  tokenize: ({ request, text }) => {
    if (text === 'crash') process.exit(7);
    if (text.startsWith('echo')) {
      process.stdout.write(`${text} out\n`);
      process.stderr.write(`${text} err\n`);
    }
    if (text === 'lend') {
      const { pid } = spawn('sleep', ['60'], { stdio: ['ignore', socket, 'ignore'], detached: true });
      return send({ type: 'tokens', request, ids: [process.pid, pid], tokens: ['pid', 'pid'] });
    }
    if (text === 'grow') return void setInterval(() => grown.push(Buffer.alloc(64 * 1024 * 1024, 1)), 20);
    if (text !== 'hang') send({ type: 'tokens', request, ids: [process.pid], tokens: ['pid'] });
  },
};

gateway.listen({
  message: (bytes) => {
    const { message } = decodeMessage(hostCommands, bytes);
    answers[message.type](message);
  },
  close: () => process.exit(0),
});
