/** `tracewire types`: writes a model's modules down as TypeScript, for the editor to complete. */
import { writeFileSync } from 'node:fs';
import { TracewireError } from '@tracewire/protocol';
import type { Command } from 'commander';
import { declarationOf } from './declaration.ts';
import { addModelOptions, type ModelOptions, withModel } from './model-option.ts';
import { writeJson } from './output.ts';

interface TypesOptions extends ModelOptions {
  readonly out?: string;
  readonly json?: boolean;
}

export function addTypes(parent: Command): void {
  const command = parent
    .command('types')
    .description('Writes a model’s types: its paths complete in an editor, and wrong ones are marked.')
    .option('-o, --out <file>', 'the file to write, - for the terminal (default: NAME.d.ts)')
    .option('--json', 'say what was written as JSON')
    .addHelpText(
      'after',
      '\nExample:\n  $ tracewire types gpt2 --url ws://127.0.0.1:7331 --out src/gpt2.d.ts',
    );
  addModelOptions(command).action(types);
}

async function types(name: string, options: TypesOptions): Promise<void> {
  const description = await withModel(name, options, (model) => model.describe());
  const text = declarationOf(description);
  if (options.out === '-') return void process.stdout.write(text);
  const file = options.out ?? `${description.name.replace(/[^\w.-]+/g, '-')}.d.ts`;
  write(file, text);
  const modules = description.modules.length;
  if (options.json) return writeJson({ model: description.name, file, modules });
  process.stdout.write(
    `${file}: ${modules} modules. new LanguageModel(${JSON.stringify(description.name)}) has them, where the file is part of your project.\n`,
  );
}

function write(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (error) {
    const message = `Can’t write ${file}: ${error instanceof Error ? error.message : error}.`;
    throw new TracewireError({ code: 'bad_configuration', message, path: file });
  }
}
