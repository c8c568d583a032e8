/** The server's log: JSON lines on stderr for programs, short plain lines for a person at a terminal. */
import pino, { type Logger } from 'pino';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** A person sees faults unless they ask for more; a program gets everything of note. */
export function createLogger(terminal: boolean, level?: LogLevel): Logger {
  if (!terminal) return pino({ level: level ?? 'info' }, pino.destination({ dest: 2, sync: true }));
  return pino({ level: level ?? 'warn' }, { write: (line) => void process.stderr.write(`${plain(line)}\n`) });
}

/** `warn: host lost {"model":"tiny-gpt2"}` */
function plain(line: string): string {
  const { level, msg, time: _time, pid: _pid, hostname: _host, ...fields } = JSON.parse(line);
  const rest = Object.keys(fields).length > 0 ? ` ${JSON.stringify(fields)}` : '';
  return `${pino.levels.labels[level]}: ${msg}${rest}`;
}
