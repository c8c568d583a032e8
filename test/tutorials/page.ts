/**
 * A page of docs/ as a program: its ```ts blocks, one after the other, are a module; the ```text block behind one is what that
 * block prints. So a page is run as it is printed, and can be written anew from what its program prints.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from '../support/server.ts';

/** Where programs are written: inside the repository, so that they find the packages, in a folder that git ignores. */
export const PROGRAMS = path.join(ROOT, 'build/tutorials');
/** The address in the pages; a test's server has another port. */
const ADDRESS = 'ws://127.0.0.1:7331';
/** Printed behind each block. */
const MARK = '\u0004';
const BLOCK = /^```(\w+)\n(.*?)^```$/gms;

export interface Block {
  readonly code: string;
  /** What the page says it prints; empty where no ```text block follows. */
  readonly prints: string;
}

/** A page's blocks of one language, each with the text block that follows it. */
export function blocksOf(page: string, language = 'ts'): Block[] {
  const all = [...page.matchAll(BLOCK)].map(([, name, body = '']) => ({ name, body }));
  return all.flatMap(({ name, body }, index) => {
    const next = all[index + 1];
    return name === language ? [{ code: body, prints: next?.name === 'text' ? next.body : '' }] : [];
  });
}

/** The page with those texts in its text blocks, in order of the blocks that have one. */
export function withPrints(page: string, prints: readonly string[]): string {
  const all = [...page.matchAll(BLOCK)];
  let code = -1;
  let result = '';
  let end = 0;
  for (const [index, { 0: whole, 1: name, index: at }] of all.entries()) {
    if (name === 'ts') code += 1;
    if (name !== 'text' || all[index - 1]?.[1] !== 'ts') continue;
    result += `${page.slice(end, at)}\`\`\`text\n${prints[code] ?? ''}\`\`\``;
    end = at + whole.length;
  }
  return result + page.slice(end);
}

export function readPage(file: string): string {
  return readFileSync(path.join(ROOT, 'docs', file), 'utf8');
}

/** Writes the page's program; returns its file. */
export function writeProgram(file: string, url: string): string {
  mkdirSync(PROGRAMS, { recursive: true });
  const program = blocksOf(readPage(file))
    .map(({ code }) => `${code.replaceAll(ADDRESS, url)}console.log('${MARK}');\n`)
    .join('\n');
  const target = path.join(PROGRAMS, `${path.basename(file, '.md')}.ts`);
  writeFileSync(target, program);
  return target;
}

export function removePrograms(): void {
  rmSync(PROGRAMS, { recursive: true, force: true });
}

/** Runs a page's program; what each of its blocks printed. Throws with its complaint where it failed. */
export async function runProgram(program: string): Promise<string[]> {
  const child = spawn(process.execPath, ['--import', 'tsx', program], { cwd: ROOT });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (text: Buffer) => {
    stdout += text.toString();
  });
  child.stderr.on('data', (text: Buffer) => {
    stderr += text.toString();
  });
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  if (code !== 0) throw new Error(`${program} ended with ${code}:\n${stdout}\n${stderr}`);
  return stdout.split(`${MARK}\n`).slice(0, -1);
}
