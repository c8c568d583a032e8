/** What every command has: help with an example, JSON, completion; and what a wrong word gets. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../../../test/support/server.ts';

const folder = mkdtempSync(join(tmpdir(), 'tracewire-usage-'));
afterAll(() => rmSync(folder, { recursive: true }));

let names: string[];
beforeAll(async () => {
  const { stdout } = await runCli('--help');
  names = [...stdout.matchAll(/^ {2}([a-z]+)(?= |$)/gm)]
    .map(([, name = '']) => name)
    .filter((name) => name !== 'help');
});

it('each command has an example that begins with itself, and answers in JSON where it answers', async () => {
  expect(names.length).toBeGreaterThan(12);
  for (const name of names) {
    const { code, stdout } = await runCli(name, '--help');
    expect([name, code]).toEqual([name, 0]);
    expect(stdout, name).toMatch(new RegExp(`\\nExample:\\n {2}\\$ (?:\\w+=\\S+ )?tracewire ${name} `));
    // One never ends, one prints a script, and one has commands of its own.
    if (!['serve', 'completions', 'keys'].includes(name)) expect(stdout, name).toContain('--json');
  }
});

it.each([
  [['serv'], 'Did you mean serve?'],
  [['trase'], 'Did you mean trace?'],
  [['status', '--ulr', 'ws://x'], 'Did you mean --url?'],
  [['lens', '--promt', 'a'], 'Did you mean --prompt?'],
  [['bench', '--rounds', 'many'], 'A whole number'],
  [['completions', 'tcsh'], 'bash, zsh, fish'],
  [['trace'], '--prompt'],
  [['tree', 'a', 'b'], 'too many arguments'],
])('refuses %j with exit code 2', async (args, message) => {
  const { code, stdout, stderr } = await runCli(...args);
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr).toContain(message);
});

describe('tracewire completions', () => {
  const completed = (script: string, words: readonly string[]): string[] => {
    const quoted = words.map((word) => `'${word}'`).join(' ');
    const code = `source '${script}'; COMP_WORDS=(${quoted}); COMP_CWORD=${words.length - 1}; _tracewire; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout, stderr } = spawnSync('bash', ['--norc', '-c', code], { cwd: folder, encoding: 'utf8' });
    expect(stderr).toBe('');
    return stdout.split('\n').filter((line) => line !== '');
  };

  it('completes commands, their options, and files, in a real bash', async () => {
    const script = join(folder, 'completion.bash');
    writeFileSync(script, (await runCli('completions', 'bash')).stdout);
    expect(completed(script, ['tracewire', ''])).toEqual(expect.arrayContaining([...names, '--help']));
    expect(completed(script, ['tracewire', 'st'])).toEqual(['status']);
    expect(completed(script, ['tracewire', 'trace', '--s'])).toEqual(['--save', '--stop']);
    expect(completed(script, ['tracewire', 'keys', 'r'])).toEqual(['revoke']);
    expect(completed(script, ['tracewire', 'keys', 'make', '--e'])).toEqual(['--expires']);
    expect(completed(script, ['tracewire', 'serve', 'compl'])).toEqual(['completion.bash']);
  });

  it.each(['zsh', 'fish'])('knows every command for %s too', async (shell) => {
    const { code, stdout } = await runCli('completions', shell);
    expect(code).toBe(0);
    for (const name of names) expect(stdout).toContain(name);
  });
});
