/** `tracewire status`: is a server ready, what does it serve, and how many runs wait. */
import type { Command } from 'commander';
import { ask, type ServerOptions } from './http.ts';
import { addServerOptions, DEFAULT_URL } from './model-option.ts';
import { writeJson, writeTable } from './output.ts';

interface ModelStatus {
  readonly name: string;
  readonly architecture: string;
  /** Whether its weights are in memory. */
  readonly loaded: boolean;
  readonly running: number;
  readonly waiting: number;
}

export interface ServerStatus {
  readonly url: string;
  readonly version: string;
  readonly ready: boolean;
  readonly models: readonly ModelStatus[];
}

export function addStatus(parent: Command): void {
  const command = parent
    .command('status')
    .description('Shows whether a server is ready, its models, and the runs that run and wait.')
    .option('--json', 'as JSON')
    .addHelpText('after', '\nExample:\n  $ tracewire status --url ws://127.0.0.1:7331');
  addServerOptions(command).action(async (options: Partial<ServerOptions> & { json?: boolean }) => {
    const status = await statusOf({ ...options, url: options.url ?? DEFAULT_URL });
    if (options.json) writeJson(status);
    else show(status);
    if (!status.ready) process.exitCode = 1;
  });
}

/** Throws `unreachable` or `unauthorized`. */
export async function statusOf(server: ServerOptions): Promise<ServerStatus> {
  const { version } = await ask(server, '/v2');
  const { ready } = await ask(server, '/v2/health/ready', [503]);
  const { models } = await ask(server, '/v2/models', [503]);
  const names = (Array.isArray(models) ? models : []).map(({ name }: { name: string }) => name);
  return {
    url: server.url,
    version: String(version),
    ready: ready === true,
    models: await Promise.all(names.map((name) => modelStatus(server, name))),
  };
}

async function modelStatus(server: ServerOptions, name: string): Promise<ModelStatus> {
  const { parameters } = await ask(server, `/v2/models/${encodeURIComponent(name)}`);
  const { architecture, loaded, running, waiting } = parameters as Omit<ModelStatus, 'name'>;
  return { name, architecture, loaded, running, waiting };
}

function show({ url, version, ready, models }: ServerStatus): void {
  process.stdout.write(
    `${url}: tracewire ${version}, ${ready ? 'ready' : 'not ready: it loads models, or is being stopped'}\n`,
  );
  const rows = models.map(({ name, architecture, loaded, running, waiting }) => [
    name,
    architecture,
    loaded ? 'loaded' : 'on disk',
    String(running),
    String(waiting),
  ]);
  if (rows.length > 0) writeTable([['model', 'architecture', 'weights', 'running', 'waiting'], ...rows]);
}
