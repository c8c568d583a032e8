/**
 * Writes docs/schema/: a JSON Schema (draft 2020-12) of every message's header, made from the schemas that the code
 * validates with. `npm run docs:schema` runs it; test/conformance/vectors.test.ts fails when the files are behind.
 */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import {
  clientMessages,
  errorBody,
  graph,
  modelDescription,
  SUBPROTOCOL,
  serverMessages,
  valueRef,
} from '@tracewire/protocol';
import * as z from 'zod/mini';

export const FOLDER = new URL('../../docs/schema/', import.meta.url);

const DIRECTIONS = {
  client: { table: clientMessages, words: 'client to server' },
  server: { table: serverMessages, words: 'server to client' },
};

/** What has a name of its own on the page; in a file it stands once, under `$defs`. */
const SHARED = { error: errorBody, graph, model: modelDescription, value: valueRef };

/** The only field whose check the validator can't see into: an operator's attribute (PROTOCOL.md, 3.3). */
const ATTRIBUTE = {
  anyOf: [
    { type: 'number' },
    { type: 'string', maxLength: 512, description: 'At most 512 bytes in UTF-8.' },
    {
      type: 'array',
      maxItems: 64,
      items: { type: 'integer', minimum: -(2 ** 53 - 1), maximum: 2 ** 53 - 1 },
    },
  ],
};

/** What is said of fields together, which the validator can't tell: a run has one graph or several traces. */
const TOGETHER = { run: { oneOf: [{ required: ['graph'] }, { required: ['traces'] }] } };

/** Every file's text by its path in the folder. @returns {Map<string, string>} */
export function schemaFiles() {
  for (const [id, schema] of Object.entries(SHARED)) {
    z.globalRegistry.add(schema, { ...z.globalRegistry.get(schema), id });
  }
  const files = Object.entries(DIRECTIONS).flatMap(([direction, { table, words }]) =>
    Object.entries(table).map(
      ([type, schema]) =>
        /** @type {[string, string]} */ ([
          `${direction}/${type}.json`,
          textOf(type, `urn:tracewire:${SUBPROTOCOL}:${direction}:${type}`, words, schema),
        ]),
    ),
  );
  return new Map(files);
}

/** @param {string} type @param {string} id @param {string} words @param {z.ZodMiniType} schema */
function textOf(type, id, words, schema) {
  const { $schema, ...rest } = z.toJSONSchema(schema, {
    target: 'draft-2020-12',
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => {
      if (zodSchema._zod.def.type === 'custom') Object.assign(jsonSchema, ATTRIBUTE);
    },
  });
  const description = `The header of the message \`${type}\`, ${words} (PROTOCOL.md, section 2).`;
  // The only definition that has no name of its own is the tuple in a value.
  const together = Object.hasOwn(TOGETHER, type) ? TOGETHER[/** @type {keyof typeof TOGETHER} */ (type)] : {};
  const text = JSON.stringify({ $schema, $id: id, title: type, description, ...rest, ...together }, null, 2);
  return `${text.replaceAll('__schema0', 'tuple')}\n`;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const direction of Object.keys(DIRECTIONS)) {
    const folder = new URL(`${direction}/`, FOLDER);
    mkdirSync(folder, { recursive: true });
    for (const name of readdirSync(folder)) rmSync(new URL(name, folder));
  }
  for (const [path, text] of schemaFiles()) writeFileSync(fileURLToPath(new URL(path, FOLDER)), text);
}
