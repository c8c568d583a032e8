/**
 * Which way imports may go. Each rule names the reason; `test/boundaries.test.ts` checks that each one bites.
 * A package is matched both resolved and by its bare name, which is all there is where it isn't installed.
 */
const packageNamed = (name) => [`node_modules/${name}/`, `node_modules/@types/${name}/`, `^${name}$`];

/** `name: nothing at from may import anything at to`; `from` and `to` are dependency-cruiser's patterns. */
const forbid = (name, comment, from, to) => ({ name, comment, severity: 'error', from, to });

const PROTOCOL = '^protocol/';
const CLIENT = ['^client/', 'node_modules/@tracewire/client/', '^@tracewire/client'];
const SERVER = ['^server/', 'node_modules/tracewire/', '^tracewire(/|$)'];
const TESTS = '\\.test\\.ts$|^test/';

module.exports = {
  forbidden: [
    forbid(
      'no-circular',
      'A cycle has no first file to load. Types may refer to each other.',
      {},
      { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    ),
    forbid(
      'protocol-stands-alone',
      'Both sides agree on the protocol; it knows neither.',
      { path: PROTOCOL },
      { path: [...CLIENT, ...SERVER] },
    ),
    forbid(
      'client-not-server',
      'A client is installed without a server. Only local.ts may load one, when asked to, by import().',
      { path: '^client/', pathNot: ['^client/src/.*local.*\\.ts$', TESTS] },
      { path: SERVER },
    ),
    forbid(
      'client-loads-server-late',
      'A static import would make every client need the server package.',
      { path: '^client/src/.*local.*\\.ts$' },
      { path: SERVER, dynamic: false, dependencyTypesNot: ['type-only'] },
    ),
    forbid(
      'server-not-client',
      'The server knows messages, not clients. The command line uses one, as its users do.',
      { path: '^server/', pathNot: ['^server/src/cli/', '^server/explorer/'] },
      { path: CLIENT },
    ),
    forbid(
      'explorer-is-a-client',
      'The page has what every client has: the client, the protocol, and a server that it reaches by them.',
      { path: '^server/explorer/' },
      { path: ['^server/(src|dist)/', 'node_modules/tracewire/', '^tracewire(/|$)'] },
    ),
    forbid(
      'one-file-knows-msgpackr',
      'Decoding is guarded by scan.ts, so nothing else may decode.',
      { pathNot: ['^protocol/src/(frame|msgpackr\\.d)\\.ts$', TESTS] },
      { path: packageNamed('msgpackr') },
    ),
    forbid(
      'one-file-a-side-knows-ws',
      'Logic never touches a socket: a Transport carries it.',
      {
        pathNot: [
          '^client/src/.*websocket.*\\.ts$',
          '^server/src/(gateway|conformance)/websocket\\.ts$',
          TESTS,
        ],
      },
      { path: packageNamed('ws') },
    ),
    forbid(
      'one-file-knows-onnxruntime',
      'The runtime stays behind one narrow interface, so that another can come.',
      { pathNot: '^server/src/engine/runtime/ort\\.ts$|^test/' },
      { path: packageNamed('onnxruntime-node') },
    ),
    forbid(
      'engine-is-innermost',
      'The engine runs graphs; it knows no messages and no processes.',
      { path: '^server/src/engine/' },
      { path: '^server/src/(gateway|host|cli)/' },
    ),
    forbid(
      'host-below-gateway',
      'A host is a process of its own.',
      { path: '^server/src/host/' },
      { path: '^server/src/(gateway|cli)/' },
    ),
    forbid(
      'gateway-not-engine',
      'Only a host process loads the runtime; the gateway talks to it in messages.',
      { path: '^server/src/gateway/' },
      { path: '^server/src/(engine|cli)/' },
    ),
    forbid(
      'runs-in-a-browser',
      'The protocol and the client’s core use no Node built-in; the WebSocket file and local runs may.',
      {
        path: '^(protocol|client)/src/',
        pathNot: ['^client/src/.*(websocket|local|large-reads).*\\.ts$', TESTS],
      },
      { dependencyTypes: ['core'] },
    ),
  ],
  options: {
    doNotFollow: { path: '(^|/)(node_modules|dist)/' },
    tsConfig: { fileName: 'tsconfig.base.json' },
    // Types couple files as much as values do.
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['types', 'import', 'node', 'default'],
      extensions: ['.ts', '.mts', '.js', '.mjs', '.cjs', '.d.ts'],
    },
  },
};
