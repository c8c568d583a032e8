/** Where prepared models are kept unless the user says otherwise. */
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where `tracewire pull` puts models, a folder for each by its name on the hub. */
export function pulledModels(): string {
  return join(defaultCache(), 'models');
}

/** `$XDG_CACHE_HOME/tracewire`, or `~/.cache/tracewire`. */
export function defaultCache(): string {
  const base = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
  return join(base, 'tracewire');
}
