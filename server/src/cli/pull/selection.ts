/** Which of a repository's files make a model that can be served, and what each is called in its folder. */
import { nearest, TracewireError } from '@tracewire/protocol';
import type { HubFile, Repository } from './hub.ts';

export interface Wanted {
  readonly file: HubFile;
  /** In the model's folder, which has no folders in it. */
  readonly as: string;
}

/** Where exporters put the model, the likeliest first. */
const USUAL = ['model.onnx', 'onnx/model.onnx', 'decoder_model.onnx', 'onnx/decoder_model.onnx'];
const NEEDED = ['config.json'];
const USEFUL = [
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'generation_config.json',
  'preprocessor_config.json',
];

/** `onnx` names the model's file where there are several. Throws `model_not_found`. */
export function select({ name, files }: Repository, onnx: string | undefined): Wanted[] {
  const model = modelFile(name, files, onnx);
  const [, folder = '', base = model.name] = /^(.*\/)?([^/]*)$/.exec(model.name) ?? [];
  // The model refers to its weights by the name that they have beside it.
  const data = files.filter((file) => file.name.startsWith(`${folder}${base}`) && file !== model);
  const beside = (wanted: string): HubFile | undefined =>
    files.find((file) => file.name === `${folder}${wanted}`) ?? files.find((file) => file.name === wanted);
  const missing = NEEDED.filter((needed) => !beside(needed));
  if (missing.length > 0) throw missingFile(name, missing.join(', '));
  return [
    { file: model, as: 'model.onnx' },
    ...data.map((file) => ({ file, as: file.name.slice(folder.length) })),
    ...[...NEEDED, ...USEFUL].flatMap((as) => {
      const file = beside(as);
      return file ? [{ file, as }] : [];
    }),
  ].filter(({ as }) => /^[\w][\w.-]*$/.test(as));
}

function modelFile(name: string, files: readonly HubFile[], onnx: string | undefined): HubFile {
  const all = files.filter((file) => file.name.endsWith('.onnx'));
  const found =
    onnx === undefined
      ? USUAL.flatMap((usual) => all.find((file) => file.name === usual) ?? [])[0]
      : all.find((file) => file.name === onnx);
  if (found) return found;
  const names = all.map((file) => file.name);
  if (names.length === 0)
    throw missingFile(
      name,
      'file that ends in .onnx. Export it with optimum-cli, or look for its ONNX version',
    );
  const near = onnx === undefined ? undefined : nearest(onnx, names);
  const message = `${name} has ${onnx === undefined ? 'several models' : `no ${onnx}`}. ${near ? `Did you mean ${near}?` : `Choose one with --onnx: ${names.join(', ')}.`}`;
  throw new TracewireError({ code: 'model_not_found', message, nearest: near });
}

function missingFile(name: string, what: string): TracewireError {
  return new TracewireError({ code: 'model_not_found', message: `${name} has no ${what}.` });
}
