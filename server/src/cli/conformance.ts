/** `tracewire conformance`: judges a server at an address, or with `--client` a client program. */
import { readFileSync, writeFileSync } from 'node:fs';
import { TracewireError } from '@tracewire/protocol';
import { CLIENT_CASES, runClientCases } from '../conformance/client/runner.ts';
import { jsonReport, junitReport, textReport } from '../conformance/report.ts';
import { type CaseResult, isGood, type Outcome } from '../conformance/results.ts';
import { runCases } from '../conformance/runner.ts';
import { judge, parseExpectedFailures, select } from '../conformance/select.ts';
import { SERVER_CASES } from '../conformance/suite.ts';
import { socketTarget } from '../conformance/websocket.ts';

export interface ConformanceOptions {
  readonly client?: string;
  readonly model?: string;
  readonly key?: string;
  readonly otherKey?: string;
  /** A file, or true for standard output. */
  readonly json?: string | true;
  readonly junit?: string;
  readonly expectedFailures?: string;
  readonly only?: readonly string[];
  readonly timeoutMs: number;
}

/** Prints the report and writes the files; the result is whether all is well. */
export async function conformance(url: string | undefined, options: ConformanceOptions): Promise<boolean> {
  if ((url === undefined) === (options.client === undefined)) {
    throw new TracewireError({
      code: 'bad_configuration',
      message:
        'Give the address of a server (ws://127.0.0.1:7331), or --client "COMMAND" to test a client; one of them.',
    });
  }
  const expected = options.expectedFailures ? parseExpectedFailures(read(options.expectedFailures)) : [];
  const outcome =
    options.client === undefined
      ? await ofServer(String(url), options, expected)
      : await ofClient(options.client, options, expected);
  process.stdout.write(options.json === true ? jsonReport(outcome) : `\n${textReport(outcome)}`);
  if (typeof options.json === 'string') writeFileSync(options.json, jsonReport(outcome));
  if (options.junit) writeFileSync(options.junit, junitReport(outcome));
  return isGood(outcome);
}

async function ofServer(
  url: string,
  { only = [], model, key, otherKey, timeoutMs, json }: ConformanceOptions,
  expected: readonly string[],
): Promise<Outcome> {
  const cases = select(SERVER_CASES, only);
  const target = socketTarget(url, { key, otherKey });
  return judge(
    url,
    await runCases({ target, cases, model, timeoutMs, told: progress(json) }),
    expected,
    SERVER_CASES,
  );
}

async function ofClient(
  command: string,
  { only = [], timeoutMs, json }: ConformanceOptions,
  expected: readonly string[],
): Promise<Outcome> {
  const cases = select(CLIENT_CASES, only);
  return judge(
    command,
    await runClientCases({ command, cases, timeoutMs, told: progress(json) }),
    expected,
    CLIENT_CASES,
  );
}

/** A mark a case, so that a person sees that it goes on; none among JSON. */
function progress(json: ConformanceOptions['json']): (result: CaseResult) => void {
  if (json === true) return () => undefined;
  return ({ verdict }) => void process.stdout.write({ passed: '.', failed: 'F', skipped: 's' }[verdict]);
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const message = `Can’t read the expected failures: ${error instanceof Error ? error.message : error}.`;
    throw new TracewireError({ code: 'bad_configuration', message });
  }
}
