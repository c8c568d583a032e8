/** What a server did, for Prometheus: the meter's counts, and what it reads of the gateway when it is asked. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Gateway } from './gateway.ts';
import type { EndedRun, Meter } from './meter.ts';

const SECONDS = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300];

export class Metrics implements Meter {
  readonly #registry = new Registry();
  readonly #runs = this.#counter('runs_total', 'Runs that ended, by state.', ['model', 'state']);
  readonly #queue = this.#seconds('queue_seconds', 'From received to running.');
  readonly #run = this.#seconds('run_seconds', 'From running to the end.');
  readonly #shared = this.#counter('shared_runs_total', 'Runs that shared their pass.', ['model']);
  readonly #passes = this.#histogram('pass_runs', 'Runs in a pass.', [1, 2, 4, 8, 16]);
  readonly #skipped = this.#counter('modules_skipped_total', 'Modules that early stops left out.', ['model']);
  readonly #ran = this.#counter('modules_run_total', 'Modules that ran.', ['model']);
  readonly #bytes = this.#counter('value_bytes_total', 'Bytes of saved values.', ['model']);
  readonly #lost = this.#counter('host_losses_total', 'Hosts that ended without being asked to.', ['model']);

  /** Prometheus's exposition format. */
  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Also watches the gateway's process: its event loop's lag, its memory and handles. */
  watch(gateway: Gateway): void {
    collectDefaultMetrics({ register: this.#registry });
    this.#gauge('connections', 'Clients that are connected.', [], (gauge) => gauge.set(gateway.connections));
    this.#gauge('held_bytes', 'Bytes of messages that wait for their clients.', [], (gauge) =>
      gauge.set(gateway.heldBytes),
    );
    this.#gauge('waiting_runs', 'Runs that wait.', ['model'], (gauge) => {
      for (const model of gateway.models.values()) gauge.set({ model: model.name }, model.runs.waiting);
    });
    this.#gauge('running_runs', 'Runs in hand.', ['model'], (gauge) => {
      for (const model of gateway.models.values()) gauge.set({ model: model.name }, model.runs.running);
    });
    this.#gauge('model_loaded', 'Whether the weights are in memory.', ['model'], (gauge) => {
      for (const model of gateway.models.values()) gauge.set({ model: model.name }, model.loaded ? 1 : 0);
    });
    this.#gauge('host_bytes', 'Memory of the host, without mapped files.', ['model'], async (gauge) => {
      for (const model of gateway.models.values())
        gauge.set({ model: model.name }, (await model.hostBytes()) ?? 0);
    });
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  runEnded({ model, state, queuedMs, ranMs, reports }: EndedRun): void {
    this.#runs.inc({ model, state });
    this.#queue.observe({ model }, queuedMs / 1000);
    if (ranMs !== undefined) this.#run.observe({ model }, ranMs / 1000);
    for (const { modulesRun, modulesTotal } of reports) {
      this.#ran.inc({ model }, modulesRun);
      this.#skipped.inc({ model }, modulesTotal - modulesRun);
    }
  }

  passBegan(model: string, runs: number): void {
    this.#passes.observe({ model }, runs);
    if (runs > 1) this.#shared.inc({ model }, runs);
  }

  hostLost(model: string): void {
    this.#lost.inc({ model });
  }

  valueBytes(model: string, bytes: number): void {
    this.#bytes.inc({ model }, bytes);
  }

  #counter(name: string, help: string, labelNames: string[]): Counter {
    return new Counter({ name: `tracewire_${name}`, help, labelNames, registers: [this.#registry] });
  }

  #seconds(name: string, help: string): Histogram {
    return this.#histogram(name, help, SECONDS);
  }

  #histogram(name: string, help: string, buckets: number[]): Histogram {
    const registers = [this.#registry];
    return new Histogram({ name: `tracewire_${name}`, help, labelNames: ['model'], buckets, registers });
  }

  #gauge(
    name: string,
    help: string,
    labelNames: string[],
    read: (gauge: Gauge) => void | Promise<void>,
  ): void {
    new Gauge({
      name: `tracewire_${name}`,
      help,
      labelNames,
      registers: [this.#registry],
      collect() {
        return read(this);
      },
    });
  }
}
