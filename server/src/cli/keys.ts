/** `tracewire keys`: makes, lists and revokes the keys that a server asks for. A running server sees changes at once. */
import { TracewireError } from '@tracewire/protocol';
import { type Command, InvalidArgumentError } from 'commander';
import {
  defaultKeyFile,
  editKeyFile,
  KEY_NAME,
  type KeyRecord,
  readKeyFile,
} from '../gateway/keys/key-file.ts';
import { keyIdOf, makeKey } from '../gateway/keys/secret.ts';
import { writeJson, writeTable } from './output.ts';

interface FileOption {
  readonly keys: string;
}

interface Asked extends FileOption {
  readonly json?: boolean;
}

const UNITS_MS = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

export function addKeys(parent: Command): void {
  const keys = parent
    .command('keys')
    .description('Makes, lists and revokes the keys that a server asks for.')
    .addHelpText('after', '\nExample:\n  $ tracewire keys make alice --expires 90d');
  const withFile = (command: Command): Command =>
    command.option('--keys <file>', 'the key file', defaultKeyFile()).option('--json', 'as JSON');
  withFile(keys.command('make'))
    .description('Makes a key and prints it, this once. The file keeps a hash only.')
    .argument('<name>', 'whom or what it is for')
    .option('--expires <when>', 'after a time (90d, 12h, 30m) or at a date (2030-01-31)', expiry)
    .action(make);
  withFile(keys.command('list')).description('Lists the keys.').action(list);
  withFile(keys.command('revoke'))
    .description('Makes a key worthless, at once: its connections and runs end.')
    .argument('<key>', 'its id or name')
    .action(revoke);
}

/** The key alone goes to stdout, for scripts. */
async function make(
  name: string,
  { keys: file, expires, json }: Asked & { readonly expires?: string },
): Promise<void> {
  if (!KEY_NAME.test(name)) {
    throw fault('A key’s name has 1 to 64 characters, and none that can’t be seen.');
  }
  const { id, key, sha256 } = makeKey();
  const record: KeyRecord = { id, name, sha256, made: new Date().toISOString(), ...(expires && { expires }) };
  await editKeyFile(file, (keys) => {
    const other = keys.find((one) => one.name === name);
    if (other)
      throw fault(`There is a key ${JSON.stringify(name)} already (${other.id}). Choose another name.`);
    return { keys: [...keys, record], result: undefined };
  });
  if (json) return writeJson({ id, name, key, file, expires });
  const until = expires === undefined ? '' : ` It expires at ${expires}.`;
  process.stderr.write(
    `Key ${id} for ${name}, in ${file}.${until} It is shown this once; clients take it as TRACEWIRE_KEY.\n`,
  );
  process.stdout.write(`${key}\n`);
}

function list({ keys: file, json }: Asked): void {
  const keys = readKeyFile(file);
  if (json) return writeJson(keys.map(({ sha256: _, ...rest }) => rest));
  const rows = keys.map(({ id, name, made, expires }) => [id, made, stateOf(expires), name]);
  writeTable([['id', 'made', 'expires', 'name'], ...rows]);
}

async function revoke(wanted: string, { keys: file, json }: Asked): Promise<void> {
  readKeyFile(file);
  const gone = await editKeyFile(file, (keys) => {
    const id = keyIdOf(wanted);
    const found = keys.find((key) => key.name === wanted || key.id === id);
    if (!found) throw fault(`${file} has no key of that id or name. \`tracewire keys list\` shows all.`);
    return { keys: keys.filter((key) => key !== found), result: found };
  });
  if (json) writeJson({ id: gone.id, name: gone.name, revoked: true });
  else process.stderr.write(`Key ${gone.id} (${gone.name}) is revoked.\n`);
}

function stateOf(expires: string | undefined): string {
  if (expires === undefined) return 'never';
  return Date.parse(expires) <= Date.now() ? `${expires} (expired)` : expires;
}

function expiry(text: string): string {
  const [, number, unit] = /^([1-9]\d{0,4})([mhd])$/.exec(text) ?? [];
  const at = number
    ? Date.now() + Number(number) * UNITS_MS[unit as keyof typeof UNITS_MS]
    : Date.parse(/^\d{4}-\d\d-\d\d/.test(text) ? text : '');
  if (!Number.isFinite(at))
    throw new InvalidArgumentError('A time such as 90d or a date such as 2030-01-31 is wanted.');
  if (at <= Date.now()) throw new InvalidArgumentError('That is in the past.');
  return new Date(at).toISOString();
}

function fault(message: string): TracewireError {
  return new TracewireError({ code: 'bad_configuration', message });
}
