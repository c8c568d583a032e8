/** `tracewire trace`: one prompt, the places to save, and where to stop; what was saved goes to the terminal or to .npy files. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Place, RunReport, Saved, SavedValue, Trace } from '@tracewire/client';
import { TracewireError } from '@tracewire/protocol';
import { type Command, InvalidArgumentError } from 'commander';
import { makeFolder } from '../make-folder.ts';
import { addModelOptions, type ModelOptions, withModel } from './model-option.ts';
import { mustHave, writeJson } from './output.ts';

interface TraceOptions extends ModelOptions {
  readonly prompt: string;
  readonly save: readonly PlaceName[];
  readonly stop?: PlaceName;
  readonly out?: string;
  readonly json?: boolean;
  readonly timeout?: number;
}

/** A module's path and one of its ports, with a tuple's member where one was named. */
interface PlaceName {
  readonly text: string;
  readonly module: string;
  readonly port: 'output' | 'input';
  readonly member: number | undefined;
}

/** One tensor of what was saved, or why there is none. */
interface Saving {
  readonly place: string;
  readonly dtype?: string;
  readonly dims?: readonly number[];
  readonly file?: string;
  readonly error?: { readonly code: string; readonly message: string };
}

export function addTrace(parent: Command): void {
  const command = parent
    .command('trace')
    .description('Runs a prompt, and saves what modules give or take.')
    .option('-p, --prompt <text>', 'the prompt')
    .option(
      '-s, --save <place>',
      'a place: PATH, PATH.input, PATH.output, PATH.output[0] (repeatable)',
      collect,
    )
    .option('--stop <place>', 'end the pass once this module has run', placeName)
    .option('-o, --out <folder>', 'write each tensor to a .npy file there')
    .option('--timeout <seconds>', 'give up after so long', seconds)
    .option('--json', 'what was saved, and the report, as JSON; the numbers too, without --out')
    .addHelpText(
      'after',
      '\nExample:\n  $ tracewire trace gpt2 --url ws://127.0.0.1:7331 -p "The Eiffel Tower is in" \\\n      --save transformer.h.3 --stop transformer.h.3 --out activations',
    );
  addModelOptions(command).action((name: string, options: TraceOptions) => {
    mustHave(command, 'prompt', 'save');
    return trace(name, options);
  });
}

async function trace(name: string, options: TraceOptions): Promise<void> {
  const { progressLine } = await import('@tracewire/client');
  const deadline = options.timeout === undefined ? {} : { deadlineMs: Math.round(options.timeout * 1000) };
  const { saved, report } = await withModel(name, options, (model) =>
    model.trace(options.prompt, { ...progressLine(), ...deadline }, (m: Trace) => {
      const saved = options.save.map((place) => [place.text, placeOf(m, place).save()] as const);
      if (options.stop) placeOf(m, options.stop).stop();
      return { saved, report: m.report() };
    }),
  );
  const { out, json } = options;
  const savings: Saving[] = [];
  for (const [place, value] of saved) savings.push(...(await write(place, value, out, json === true)));
  if (json) {
    const numbers = out === undefined ? { values: valuesOf(saved) } : {};
    writeJson({ saved: savings, ...numbers, report: report.value });
  } else process.stdout.write(`${summary(report.value)}\n`);
  if (savings.some(({ error }) => error)) process.exitCode = 1;
}

function placeOf(m: Trace, { module, port, member }: PlaceName): Place<SavedValue> {
  const place = module === '' ? m[port] : m.get(module)[port];
  return member === undefined ? place : place.at(member);
}

/** Prints a value, or writes it to files: a member of a tuple is a file of its own. */
async function write(
  place: string,
  saved: Saved<SavedValue>,
  out: string | undefined,
  quiet: boolean,
): Promise<Saving[]> {
  if (saved.error) {
    const { code, message } = saved.error;
    if (!quiet) process.stderr.write(`${place}: ${code}: ${message}\n`);
    return [{ place, error: { code, message } }];
  }
  const { Tensor, toNpy } = await import('@tracewire/client');
  const visit = (value: SavedValue, name: string): Saving[] => {
    if (!(value instanceof Tensor))
      return value.flatMap((member, index) => visit(member, `${name}[${index}]`));
    const { dtype, dims } = value;
    if (out === undefined) {
      if (!quiet) process.stdout.write(`${name} = ${value}\n`);
      return [{ place: name, dtype, dims }];
    }
    const file = join(out, `${name.replace(/\[(\d+)\]/g, '.$1').replace(/[^\w.-]+/g, '_')}.npy`);
    writeTo(out, file, toNpy(value));
    if (!quiet) process.stdout.write(`${file}  ${dtype} [${dims.join(', ')}]\n`);
    return [{ place: name, dtype, dims, file }];
  };
  return visit(saved.value, place);
}

function writeTo(folder: string, file: string, bytes: Uint8Array): void {
  try {
    makeFolder(folder);
    writeFileSync(file, bytes);
  } catch (error) {
    const message = `Can’t write ${file}: ${error instanceof Error ? error.message : error}.`;
    throw new TracewireError({ code: 'bad_configuration', message, path: file });
  }
}

function valuesOf(saved: readonly (readonly [string, Saved<SavedValue>])[]): Record<string, unknown> {
  return Object.fromEntries(
    saved.flatMap(([place, handle]) => (handle.isSet ? [[place, handle.value]] : [])),
  );
}

function summary({ modulesRun, modulesTotal, stoppedAfter, tokens, milliseconds }: RunReport): string {
  const stopped = stoppedAfter === undefined ? '' : `, stopped after ${stoppedAfter}`;
  return `${tokens} tokens, ${modulesRun} of ${modulesTotal} modules${stopped}, ${milliseconds.toFixed(1)} ms`;
}

/** `transformer.h.3`, `lm_head.input`, `transformer.h.3.output[0]`. */
function placeName(text: string): PlaceName {
  const [, path = '', port = 'output', member] =
    /^(.*?)(?:(?:^|\.)(output|input))?(?:\[(\d+)\])?$/.exec(text.trim()) ?? [];
  if (/[[\]\s]/.test(path)) {
    throw new InvalidArgumentError(
      'A place is wanted, such as transformer.h.3, lm_head.input or transformer.h.3.output[0].',
    );
  }
  return {
    text: text.trim(),
    module: path,
    port: port as PlaceName['port'],
    member: member === undefined ? undefined : Number(member),
  };
}

function collect(text: string, before: readonly PlaceName[] = []): PlaceName[] {
  return [...before, placeName(text)];
}

export function seconds(text: string): number {
  const number = Number(text);
  if (!(number > 0 && number < 1e6)) throw new InvalidArgumentError('A number of seconds is wanted.');
  return number;
}
