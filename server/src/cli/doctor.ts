/** `tracewire doctor`: what works on this machine, tried with the options that serve would have. */
import { availableParallelism, freemem, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import { type Graph, type MessageOf, type ModelDescription, toErrorBody } from '@tracewire/protocol';
import type { RunEvents } from '../gateway/host-handle.ts';
import { HostLink } from '../gateway/host-link.ts';
import { startHostProcess } from '../gateway/host-process.ts';
import { DEFAULT_LIMITS } from '../gateway/limits.ts';
import { Listener } from '../gateway/listener.ts';
import { SILENT } from '../gateway/log.ts';
import { type ModelSource, resolveModels } from '../gateway/models.ts';
import type { hostEvents } from '../host/messages.ts';
import { VERSION } from '../version.ts';
import { cudaFault } from './cuda.ts';
import type { ServeOptions } from './serve.ts';
import { tryFolder } from './try-folder.ts';

export interface Finding {
  readonly what: string;
  /** `missing`: not there, and not asked for. */
  readonly state: 'ok' | 'missing' | 'fault';
  readonly detail: string;
}

export type DoctorOptions = ServeOptions & { readonly json?: boolean };

const GIB = 2 ** 30;
/** A prepared model, its packed weights, and results all want room. */
const LITTLE_BYTES = GIB;

/** Prints what it finds. False if something that was asked for doesn't work. */
export async function doctor(options: DoctorOptions): Promise<boolean> {
  const findings: Finding[] = [];
  const note = (finding: Finding): void => {
    findings.push(finding);
    if (!options.json) process.stdout.write(`${line(finding)}\n`);
  };
  note({ what: 'tracewire', state: 'ok', detail: VERSION });
  note(nodeVersion(process.versions.node));
  note(await runtime());
  note(machine());
  for (const finding of await Promise.all(folderChecks(options))) note(finding);
  note(await portFree(options));
  note(cuda(options.provider));
  // What can't be written to, or has no library, fails by a worse message here.
  if (findings.every(({ state }) => state !== 'fault')) {
    for (const source of resolveModels(options.model ?? [])) note(await answers(source, options));
  }
  if (options.json) process.stdout.write(`${JSON.stringify(findings, undefined, 2)}\n`);
  return findings.every(({ state }) => state !== 'fault');
}

const MARKS = { ok: 'ok     ', missing: 'missing', fault: 'FAULT  ' } as const;
const line = ({ what, state, detail }: Finding): string => `${MARKS[state]}  ${what.padEnd(16)}  ${detail}`;

/** Node 20.19 is the first that runs what we need. */
export function nodeVersion(version: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const good = major > 20 || (major === 20 && minor >= 19);
  return {
    what: 'node',
    state: good ? 'ok' : 'fault',
    detail: good ? version : `${version}; 20.19 or later is wanted`,
  };
}

/** Loads the native library. */
async function runtime(): Promise<Finding> {
  const what = 'onnxruntime';
  try {
    const { runtimeFacts } = await import('../engine/runtime/ort.ts');
    const { version, providers } = runtimeFacts();
    return { what, state: 'ok', detail: `${version}, built for ${providers.join(', ')}` };
  } catch (error) {
    return { what, state: 'fault', detail: `it can’t be loaded: ${toErrorBody(error).message}` };
  }
}

function machine(): Finding {
  const limit = process.constrainedMemory();
  const bounded = limit > 0 && limit < totalmem() ? `, of which this process may take ${gib(limit)}` : '';
  return {
    what: 'machine',
    state: 'ok',
    detail: `${process.platform} ${process.arch}, ${availableParallelism()} threads, ${gib(freemem())} of ${gib(totalmem())} free${bounded}`,
  };
}

function folderChecks({ cache, results, port }: DoctorOptions): (Finding | Promise<Finding>)[] {
  const folder = results ?? (port === 0 ? undefined : join(cache, 'results', String(port)));
  return [
    writable('cache', cache),
    folder === undefined
      ? { what: 'results', state: 'missing', detail: 'none is kept: --port 0 without --results' }
      : writable('results', folder),
  ];
}

async function writable(what: string, given: string): Promise<Finding> {
  const folder = resolve(given);
  const answer = await tryFolder(folder);
  if (!answer) return { what, state: 'fault', detail: `the file system of ${folder} does not answer` };
  if ('refused' in answer) {
    return { what, state: 'fault', detail: `${folder} can’t be written to: ${answer.refused}` };
  }
  const free = gib(answer.freeBytes);
  if (answer.freeBytes >= LITTLE_BYTES) return { what, state: 'ok', detail: `${folder}, ${free} free` };
  const detail = `${folder} has only ${free} free; ${gib(LITTLE_BYTES)} is little enough`;
  return { what, state: 'fault', detail };
}

async function portFree({ host, port }: DoctorOptions): Promise<Finding> {
  try {
    const listener = await Listener.bind({ host, port });
    listener.close();
    return { what: 'port', state: 'ok', detail: `${host}, port ${port === 0 ? 'any' : port}` };
  } catch (error) {
    return { what: 'port', state: 'fault', detail: toErrorBody(error).message };
  }
}

function cuda(provider: DoctorOptions['provider']): Finding {
  const fault = cudaFault();
  const what = 'cuda';
  if (fault === undefined) return { what, state: 'ok', detail: 'ONNX Runtime’s library is here' };
  return { what, state: provider === 'cuda' ? 'fault' : 'missing', detail: fault };
}

/** A trace of one token in a host process, as serve has one. */
async function answers({ name, folder }: ModelSource, options: DoctorOptions): Promise<Finding> {
  const what = `a trace on ${options.provider}`;
  const begun = performance.now();
  let lost = (_: Error): void => {};
  const gone = new Promise<never>((_, reject) => {
    lost = reject;
  });
  gone.catch(() => {});
  try {
    const handle = await startHostProcess({ model: name, log: SILENT, memoryBytes: options.hostMemory });
    const link = new HostLink(handle, { model: name, loading() {}, lost: (error) => lost(error) });
    try {
      const { threads, provider } = options;
      const { chunkBytes, savedBytes, intermediateBytes, batchTokens } = DEFAULT_LIMITS;
      const bounds = { chunkBytes, savedBytes, intermediateBytes, batchTokens };
      const cache = resolve(options.cache);
      const description = await link.load({ name, folder, cache, provider, threads, ...bounds });
      const loaded = performance.now();
      await Promise.race([traceOnce(link, description), gone]);
      const [load, run] = [loaded - begun, performance.now() - loaded].map(Math.round);
      return { what, state: 'ok', detail: `${name} was loaded in ${load} ms and answered in ${run} ms` };
    } finally {
      link.close();
    }
  } catch (error) {
    return { what, state: 'fault', detail: `${name}: ${toErrorBody(error).message}` };
  }
}

function traceOnce(link: HostLink, { name }: ModelDescription): Promise<void> {
  const graph: Graph = {
    invokes: [{ input: { ids: [0] } }],
    nodes: [
      { kind: 'read', place: { module: '', port: 'output', member: 0 } },
      { kind: 'save', value: 0 },
    ],
  };
  return new Promise((resolve, reject) => {
    let values = 0;
    const done = ({ state, errors }: MessageOf<typeof hostEvents, 'done'>): void => {
      if (state === 'completed' && values === 1) resolve();
      else
        reject(
          new Error(errors?.[0]?.message ?? `the trace of ${name} ended as ${state}, without its value`),
        );
    };
    const nothing = (): void => {};
    const events: RunEvents = {
      value: () => {
        values += 1;
      },
      done,
      progress: nothing,
      chunk: nothing,
      access_error: nothing,
      token: nothing,
      log: nothing,
    };
    const work = { traces: [{ graph }], isSession: false, payload: new Uint8Array() };
    link.run('doctor', work, events, nothing);
  });
}

const gib = (bytes: number): string => `${(bytes / GIB).toFixed(1)} GiB`;
