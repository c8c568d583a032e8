/** `tracewire completions`: a script by which a shell completes commands and options, made from the commands themselves. */
import { Argument, type Command, type Option } from 'commander';

const SHELLS = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof SHELLS)[number];

export function addCompletions(parent: Command): void {
  parent
    .command('completions')
    .description('Prints a script that makes a shell complete our commands and options.')
    .addArgument(new Argument('<shell>').choices(SHELLS))
    .addHelpText('after', '\nExample:\n  $ tracewire completions bash >> ~/.bashrc')
    .action((shell: Shell) => void process.stdout.write(SCRIPTS[shell](parent)));
}

const SCRIPTS: Readonly<Record<Shell, (program: Command) => string>> = { bash, zsh, fish };

/** Every command that can be typed, `keys make` too. */
function commandsOf(program: Command): { readonly words: readonly string[]; readonly command: Command }[] {
  const below = (command: Command, words: readonly string[]): ReturnType<typeof commandsOf> =>
    command.commands.flatMap((child) => {
      const path = [...words, child.name()];
      return [{ words: path, command: child }, ...below(child, path)];
    });
  return below(program, []);
}

const optionsOf = (command: Command): readonly Option[] =>
  command.options.filter(({ long, hidden }) => long && !hidden);

function bash(program: Command): string {
  const cases = commandsOf(program).map(({ words, command }) => {
    const offered = [
      ...command.commands.map((child) => child.name()),
      ...optionsOf(command).map(({ long }) => long),
      '--help',
    ];
    return `    "${words.join(' ')}") words="${offered.join(' ')}" ;;`;
  });
  const top = [...program.commands.map((command) => command.name()), '--help', '--version'];
  return `# Completion of tracewire for bash.
_tracewire() {
  local current="\${COMP_WORDS[COMP_CWORD]}" typed="" word words
  for word in "\${COMP_WORDS[@]:1:$((COMP_CWORD - 1))}"; do
    case "$word" in -*) break ;; esac
    case " ${commandsOf(program)
      .map(({ words }) => words.join('_'))
      .join(' ')} " in
      *" \${typed:+\${typed// /_}_}$word "*) typed="\${typed:+$typed }$word" ;;
    esac
  done
  case "$typed" in
${cases.join('\n')}
    *) words="${top.join(' ')}" ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  if [ \${#COMPREPLY[@]} -eq 0 ]; then COMPREPLY=($(compgen -f -- "$current")); fi
}
complete -F _tracewire tracewire
`;
}

/** zsh runs bash's, as its manual says; there `path` would be the PATH, and a length without $(( )) a modifier. */
function zsh(program: Command): string {
  return `autoload -U +X compinit && compinit -u\nautoload -U +X bashcompinit && bashcompinit\n${bash(program)}`;
}

function fish(program: Command): string {
  const quote = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  const top = program.commands.map(
    (command) =>
      `complete -c tracewire -n __fish_use_subcommand -f -a ${command.name()} -d ${quote(command.description())}`,
  );
  const rest = commandsOf(program).flatMap(({ words, command }) => {
    const seen = words.map((word) => `__fish_seen_subcommand_from ${word}`).join('; and ');
    const children = command.commands.map(
      (child) =>
        `complete -c tracewire -n ${quote(seen)} -f -a ${child.name()} -d ${quote(child.description())}`,
    );
    const options = optionsOf(command).map(({ long, short, description, required }) => {
      const names = [
        `-l ${long?.slice(2)}`,
        ...(short ? [`-s ${short.slice(1)}`] : []),
        ...(required ? ['-r'] : []),
      ];
      return `complete -c tracewire -n ${quote(seen)} ${names.join(' ')} -d ${quote(description)}`;
    });
    return [...children, ...options];
  });
  return `# Completion of tracewire for fish.\n${[...top, ...rest].join('\n')}\n`;
}
