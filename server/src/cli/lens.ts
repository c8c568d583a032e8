/** `tracewire lens`: what the model would say at each position if it ended after each block, as a table. */
import type { Tensor } from '@tracewire/client';
import { type ModelDescription, TracewireError } from '@tracewire/protocol';
import type { Command } from 'commander';
import { addModelOptions, type ModelOptions, withModel } from './model-option.ts';
import { mustHave, writeJson, writeTable } from './output.ts';
import { wholeNumber } from './whole-number.ts';

const count = wholeNumber(/^[1-9]\d{0,3}$/, '1 to 9999');

interface LensOptions extends ModelOptions {
  readonly prompt: string;
  readonly norm?: string;
  readonly head?: string;
  readonly last: number;
  readonly json?: boolean;
}

/** What the names are in common architectures; the first that the model has is meant. */
const NORMS = ['transformer.ln_f', 'model.norm', 'gpt_neox.final_layer_norm', 'model.final_layernorm'];
const HEADS = ['lm_head', 'embed_out'];

export function addLens(parent: Command): void {
  const command = parent
    .command('lens')
    .description('The logit lens: the likeliest next token after each block, with its probability.')
    .option('-p, --prompt <text>', 'the prompt')
    .option('--last <number>', 'show so many positions, the last ones', count, 8)
    .option('--norm <path>', 'the norm before the head, where its name is another')
    .option('--head <path>', 'what gives logits, where its name is another')
    .option('--json', 'all positions as JSON')
    .addHelpText(
      'after',
      '\nExample:\n  $ tracewire lens gpt2 --url ws://127.0.0.1:7331 -p "The Eiffel Tower is in the city of"',
    );
  addModelOptions(command).action((name: string, options: LensOptions) => {
    mustHave(command, 'prompt');
    return lens(name, options);
  });
}

interface Guess {
  readonly token: string;
  readonly probability: number;
}

async function lens(name: string, options: LensOptions): Promise<void> {
  const { tokens, rows } = await withModel(name, options, async (model) => {
    const { progressLine } = await import('@tracewire/client');
    const description = await model.describe();
    const norm = options.norm ?? known(description, NORMS, 'norm');
    const head = options.head ?? known(description, HEADS, 'head');
    const guesses = await model.trace(options.prompt, { ...progressLine() }, (m) =>
      description.blocks.map((block) => {
        const logits = m.get(head)(m.get(norm)(m.get(block).output[0]));
        const { values, indices } = logits.softmax(-1).topK(1);
        return { block, values: values.save(), indices: indices.save() };
      }),
    );
    const { tokens } = await model.tokenizer.encode(options.prompt);
    const spell = speller((id) => model.tokenizer.decode([id]));
    const rows = [];
    for (const { block, values, indices } of guesses) {
      rows.push({ block, guesses: await guessesOf(values.value, indices.value, spell) });
    }
    return { tokens, rows };
  });
  if (options.json) return writeJson({ tokens, blocks: rows });
  const shown = tokens.slice(-options.last).map(visible);
  writeTable([
    ['', ...shown],
    ...rows.map(({ block, guesses }) => [
      block,
      ...guesses
        .slice(-options.last)
        .map(({ token, probability }) => `${visible(token)} ${Math.round(100 * probability)}%`),
    ]),
  ]);
}

function known({ name, modules }: ModelDescription, names: readonly string[], option: string): string {
  const found = names.find((path) => modules.some((module) => module.path === path));
  if (found !== undefined) return found;
  const message = `${name} has none of ${names.join(', ')}. Say which module it is with --${option} PATH; tracewire tree shows them.`;
  throw new TracewireError({ code: 'unknown_module', message });
}

/** Each id is asked for once. */
function speller(decode: (id: number) => Promise<string>): (id: number) => Promise<string> {
  const texts = new Map<number, Promise<string>>();
  return (id) => {
    const text = texts.get(id) ?? decode(id);
    texts.set(id, text);
    return text;
  };
}

/** One for each position: dims `[1, sequence, 1]`. */
function guessesOf(
  values: Tensor,
  indices: Tensor,
  spell: (id: number) => Promise<string>,
): Promise<Guess[]> {
  const probabilities = [...values.numbers()];
  const ids = [...indices.numbers()];
  return Promise.all(
    ids.map(async (id, position) => ({ token: await spell(id), probability: probabilities[position] ?? 0 })),
  );
}

/** Spaces and line ends as marks, so that a column shows them. */
const visible = (token: string): string =>
  token
    .replaceAll('Ġ', '·')
    .replaceAll('▁', '·')
    .replaceAll(' ', '·')
    .replaceAll(/[\n\r\t]|Ċ/g, '↵');
