/** What `tracewire serve`'s options say about who may come in: keys, hosts, origins, a proxy in front, TLS. */
import { TracewireError } from '@tracewire/protocol';
import { Door } from '../gateway/door.ts';
import { defaultKeyFile, hasKeyFile } from '../gateway/keys/key-file.ts';
import { KeyRing } from '../gateway/keys/key-ring.ts';
import type { Log } from '../gateway/log.ts';
import { isLoopback, originRules } from '../gateway/origin.ts';
import { readTls, type Tls } from '../gateway/tls.ts';

export interface AdmittanceOptions {
  readonly host: string;
  /** A file; true for the default one; false for none, and that is meant. */
  readonly keys?: string | boolean;
  readonly allowHost?: readonly string[];
  readonly allowOrigin?: readonly string[];
  readonly trustProxy: boolean;
  readonly explorer?: boolean | undefined;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
}

export interface Admittance {
  readonly door: Door;
  readonly keys: KeyRing | undefined;
  readonly tls: Tls | undefined;
  /** For whoever starts the server: who may come in. Empty where only this machine can. */
  readonly notice: string;
}

/** Throws `bad_configuration`. */
export function admittance(options: AdmittanceOptions, log: Log): Admittance {
  const { host, allowHost: hosts = [], allowOrigin: origins = [], trustProxy, explorer = false } = options;
  const rules = originRules(host, { hosts, origins, ownPage: explorer });
  const tls = tlsOf(options);
  const file = keyFileOf(options);
  const keys = file === undefined ? undefined : new KeyRing(file, log);
  const door = new Door({ rules, log, keys, trustProxy });
  return { door, keys, tls, notice: noticeOf(options, keys, tls) };
}

/** Others can reach it: by its address, or through a proxy on this machine. */
function isExposed({ host, allowHost = [], trustProxy }: AdmittanceOptions): boolean {
  return !isLoopback(host) || trustProxy || allowHost.some((name) => !isLoopback(name));
}

/** A server without keys that others can reach must be meant. */
function keyFileOf(options: AdmittanceOptions): string | undefined {
  if (options.keys === false) return undefined;
  if (typeof options.keys === 'string') return options.keys;
  const file = defaultKeyFile();
  if (options.keys === true || (isExposed(options) && hasKeyFile(file))) return file;
  if (!isExposed(options)) return undefined;
  const message = `Others can reach this server (${options.host}), so it wants keys, and there are none in ${file}. Make one with: tracewire keys make NAME. Or add --no-keys if everybody who reaches it may use it.`;
  throw new TracewireError({ code: 'bad_configuration', message });
}

function tlsOf({ tlsCert: cert, tlsKey: key }: AdmittanceOptions): Tls | undefined {
  if (cert !== undefined && key !== undefined) return readTls({ cert, key });
  if (cert === undefined && key === undefined) return undefined;
  const message = `--tls-cert and --tls-key go together; ${cert === undefined ? '--tls-cert' : '--tls-key'} is missing.`;
  throw new TracewireError({ code: 'bad_configuration', message });
}

function noticeOf(options: AdmittanceOptions, keys: KeyRing | undefined, tls: Tls | undefined): string {
  const lines: string[] = [];
  if (keys) {
    const none = keys.size === 0 ? ' Nobody can come in before one is made: tracewire keys make NAME.' : '';
    lines.push(`Keys: ${keys.size}, from ${keys.file}.${none}`);
    if (!isLoopback(options.host) && !tls) {
      lines.push(
        'Not encrypted: keys can be read on the way. Use --tls-cert and --tls-key, or a proxy that has them.',
      );
    }
  } else if (isExposed(options)) {
    lines.push(`Keys: none. Everybody who can reach ${options.host} may use this server.`);
  }
  if (tls?.warning) lines.push(`TLS: ${tls.warning}.`);
  return lines.map((line) => `${line}\n`).join('');
}
