/** TypeScript as an editor asks it: errors, completions and hovers of a program, with files that are in memory alone. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';

export const FOLDER = import.meta.dirname;

const OPTIONS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  strict: true,
  noUncheckedIndexedAccess: true,
  exactOptionalPropertyTypes: true,
  noEmit: true,
  types: ['node'],
};

export class Editor {
  readonly #files: ReadonlyMap<string, string>;
  readonly #service: ts.LanguageService;

  /** Files by name, beside this one; the text of `undefined` is on disk. */
  constructor(files: Readonly<Record<string, string | undefined>>) {
    this.#files = new Map(
      Object.entries(files).map(([name, text]) => {
        const file = path.join(FOLDER, name);
        return [file, text ?? readFileSync(file, 'utf8')];
      }),
    );
    const read = (file: string): string | undefined => this.#files.get(file) ?? ts.sys.readFile(file);
    this.#service = ts.createLanguageService({
      getScriptFileNames: () => [...this.#files.keys()],
      getScriptVersion: () => '1',
      getScriptSnapshot: (file) => {
        const text = read(file);
        return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text);
      },
      getCurrentDirectory: () => FOLDER,
      getCompilationSettings: () => OPTIONS,
      getDefaultLibFileName: (options) => ts.getDefaultLibFilePath(options),
      fileExists: (file) => this.#files.has(file) || ts.sys.fileExists(file),
      readFile: read,
      readDirectory: ts.sys.readDirectory,
      directoryExists: ts.sys.directoryExists,
      getDirectories: ts.sys.getDirectories,
    });
  }

  /** `line: message` of each error in a file; an expected one that isn't there is an error too. */
  errors(name: string): string[] {
    const file = path.join(FOLDER, name);
    const found = [
      ...this.#service.getSyntacticDiagnostics(file),
      ...this.#service.getSemanticDiagnostics(file),
    ];
    return found.map(({ messageText, start = 0, file: source }) => {
      const line = source ? source.getLineAndCharacterOfPosition(start).line + 1 : 0;
      return `${line}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
    });
  }

  /** What is offered where `marker` ends. */
  completions(name: string, marker: string): string[] {
    const found = this.#service.getCompletionsAtPosition(
      path.join(FOLDER, name),
      this.#end(name, marker),
      {},
    );
    return found?.entries.map((entry) => entry.name) ?? [];
  }

  /** The doc comment that is shown over the last character of `marker`. */
  hover(name: string, marker: string): string {
    const found = this.#service.getQuickInfoAtPosition(path.join(FOLDER, name), this.#end(name, marker) - 1);
    return ts.displayPartsToString(found?.documentation);
  }

  #end(name: string, marker: string): number {
    const at = this.#files.get(path.join(FOLDER, name))?.indexOf(marker) ?? -1;
    if (at < 0) throw new Error(`${name} has no ${JSON.stringify(marker)}.`);
    return at + marker.length;
  }
}
