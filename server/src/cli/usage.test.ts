/** What every command has: help with an example, JSON, completion; and what a wrong word gets. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ERROR_CODES } from '@tracewire/protocol';
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
    // One prints a script, and one has commands of its own.
    if (!['completions', 'keys'].includes(name)) expect(stdout, name).toContain('--json');
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
  [['explain', 'unkown_module:'], 'Did you mean unknown_module?'],
])('refuses %j with exit code 2', async (args, message) => {
  const { code, stdout, stderr } = await runCli(...args);
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr).toContain(message);
});

it('each command, and each of its own, refuses a misspelt flag with the nearest right one', async () => {
  const own = ['make', 'list', 'revoke'].map((name) => ['keys', name]);
  const all = [...names.filter((name) => name !== 'keys').map((name) => [name]), ...own];
  for (const words of all) {
    const { code, stdout, stderr } = await runCli(...words, '--hepl');
    expect([words, code, stdout]).toEqual([words, 2, '']);
    expect(stderr, words.join(' ')).toContain("unknown option '--hepl'");
    expect(stderr, words.join(' ')).toContain('Did you mean --help?');
  }
});

it('each command that wants an argument says which', async () => {
  for (const [words, argument] of [
    [['pull'], 'repository'],
    [['completions'], 'shell'],
    [['keys', 'make'], 'name'],
    [['keys', 'revoke'], 'key'],
  ] as const) {
    const { code, stdout, stderr } = await runCli(...words);
    expect([words, code, stdout]).toEqual([words, 2, '']);
    expect(stderr).toContain(`missing required argument '${argument}'`);
  }
});

it('an error’s page is printed from the package, by its code', async () => {
  const { code, stdout } = await runCli('explain', 'unknown_module', 'bad_frame:');
  expect([code, stdout.match(/^# .*$/gm)]).toEqual([0, ['# unknown_module', '# bad_frame']]);
  expect(stdout).toContain('## Fix');
  expect(stdout).toContain('(docs/PROTOCOL.md, sections 1.1 and 1.2)');
  const all = JSON.parse((await runCli('explain', '--json')).stdout) as { code: string; page: string }[];
  expect(all.map((entry) => entry.code)).toEqual(Object.keys(ERROR_CODES));
  for (const entry of all) expect(entry.page).toContain(`# ${entry.code}\n`);
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

  const LINES = ['tracewire stat', 'tracewire trace --sto', 'tracewire keys r', 'tracewire keys make --e'];
  const COMPLETED = ['status', '--stop', 'revoke', '--expires'];
  const has = (shell: string): boolean => spawnSync(shell, ['--version']).status === 0;
  const saved = async (shell: string): Promise<string> => {
    const script = join(folder, `completion.${shell}`);
    writeFileSync(script, (await runCli('completions', shell)).stdout);
    return script;
  };

  it.skipIf(!has('zsh'))('completes in a real zsh, as one types', async () => {
    const typist = fileURLToPath(new URL('testing/type-in-zsh.zsh', import.meta.url));
    const { stdout } = spawnSync('zsh', ['-f', typist, await saved('zsh'), ...LINES], { encoding: 'utf8' });
    const shown = stdout.split(/^== .*\n/m).slice(1);
    expect(shown).toHaveLength(LINES.length);
    for (const [index, word] of COMPLETED.entries()) expect(shown[index]).toContain(word);
  });

  it.skipIf(!has('fish'))('completes in a real fish, with what each is for', async () => {
    const script = await saved('fish');
    for (const [index, word] of COMPLETED.entries()) {
      const code = `source '${script}'; complete -C '${LINES[index]}'`;
      const { stdout, stderr } = spawnSync('fish', ['--no-config', '-c', code], { encoding: 'utf8' });
      expect(stderr).toBe('');
      expect(stdout.trimEnd().split('\n')).toEqual([expect.stringMatching(new RegExp(`^${word}\\t.+`))]);
    }
  });
});

it('keys are made, listed and revoked in JSON too', async () => {
  const keys = ['--keys', join(folder, 'keys.json'), '--json'];
  const json = async (...args: string[]) => JSON.parse((await runCli('keys', ...args, ...keys)).stdout);
  const made = await json('make', 'alice', '--expires', '90d');
  expect(made).toMatchObject({ name: 'alice', key: expect.stringContaining(made.id), file: keys[1] });
  const { id, expires } = made;
  expect(await json('list')).toEqual([{ id, name: 'alice', made: expect.any(String), expires }]);
  expect(await json('revoke', 'alice')).toEqual({ id, name: 'alice', revoked: true });
  expect(await json('list')).toEqual([]);
});

it('an error is JSON where JSON was asked for, on stderr, with the same exit code', async () => {
  const { code, stdout, stderr } = await runCli('status', '--url', 'ws://127.0.0.1:9', '--json');
  expect([code, stdout]).toEqual([1, '']);
  const { errors } = JSON.parse(stderr) as { readonly errors: readonly { readonly code: string }[] };
  expect(errors.map((error) => error.code)).toEqual(['unreachable']);
  const wrong = await runCli('keys', 'list', '--keys', join(folder, 'none.json'), '--json');
  expect([wrong.code, JSON.parse(wrong.stderr).errors[0].code]).toEqual([2, 'bad_configuration']);
});
