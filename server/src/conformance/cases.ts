/** What a case is: data, and a function that ends quietly where a server does as the page says. */
import type { Welcome } from '@tracewire/protocol';
import type { Notebook } from './audit.ts';
import type { ModelFacts } from './model-facts.ts';
import type { Peer } from './peer.ts';
import type { Profile } from './requirements.ts';
import type { Target } from './wire.ts';

export interface CaseContext {
  readonly target: Target;
  readonly model: ModelFacts;
  /** Of the conversation in which the model was described. */
  readonly welcome: Welcome;
  readonly notes: Notebook;
  readonly timeoutMs: number;
  /** An upgrade without a key is refused. */
  readonly wantsKey: boolean;
  /** A new conversation, greeted; the runner closes it. */
  open(capabilities?: readonly string[]): Promise<Peer>;
  /** A new conversation, greeted, under the second key. Throws `NotApplicable` where there is none. */
  openOther(capabilities?: readonly string[]): Promise<Peer>;
  /** A new conversation in which nothing was said yet. */
  openSilent(): Promise<Peer>;
}

export interface ConformanceCase {
  readonly id: string;
  readonly requirements: readonly string[];
  /** One line: what a pass shows. */
  readonly shows: string;
  readonly profile?: Exclude<Profile, 'core'>;
  /** Skipped where there is no socket. */
  readonly socket?: true;
  /** Takes long and needs no attention: it runs beside the others. */
  readonly background?: true;
  run(context: CaseContext): Promise<void>;
}
