/**
 * What the page knows of the server that gave it: is it there, does it want a key, which models it has, how many runs wait for
 * each. It is asked again and again over plain HTTP, whose refusals a page can read; a WebSocket's it can't.
 */
import { Store } from './store.ts';

export interface ModelState {
  readonly name: string;
  readonly architecture: string;
  /** Whether its weights are in memory. */
  readonly loaded: boolean;
  readonly waiting: number;
  readonly running: number;
}

export type ServerState =
  | { readonly at: 'asking' }
  /** Nobody answers. */
  | { readonly at: 'gone' }
  /** It loads its models, or is going away. */
  | { readonly at: 'starting' }
  /** It wants a key; `why` says what is wrong with the one that was given. */
  | { readonly at: 'locked'; readonly why: string | undefined }
  | { readonly at: 'refused'; readonly why: string }
  | { readonly at: 'open'; readonly models: readonly ModelState[]; readonly runs: readonly ServerRun[] };

/** A run of this key that has not ended, whoever started it; without keys of anybody. */
export interface ServerRun {
  /** Made of the run's id; it cancels the run and tells nothing. */
  readonly handle: string;
  readonly model: string;
  readonly state: 'received' | 'queued' | 'running';
  readonly position?: number;
  readonly ageMs: number;
  readonly runningMs?: number;
  readonly detached?: true;
}

const ASK_EACH_MS = 1500;
const ANSWER_MS = 5000;
/** The key lives as long as the tab. */
const KEY = 'tracewire.key';

export class Server {
  readonly state = new Store<ServerState>({ at: 'asking' });
  /** `http://127.0.0.1:7331` */
  readonly origin: string;
  #key: string | undefined = sessionStorage.getItem(KEY) ?? undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Of the last question; what answers an earlier one comes too late. */
  #question = 0;

  constructor(origin: string) {
    this.origin = origin;
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible') this.ask();
    });
  }

  /** For WebSockets. */
  get url(): string {
    return this.origin.replace(/^http/, 'ws');
  }

  get key(): string | undefined {
    return this.#key;
  }

  /** Takes a key, or forgets it, and asks again. */
  unlock(key: string | undefined): void {
    this.#key = key;
    if (key === undefined) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, key);
    this.state.set({ at: 'asking' });
    this.ask();
  }

  /** Asks now, and again from time to time while the page is seen. */
  ask(): void {
    clearTimeout(this.#timer);
    this.#question += 1;
    const question = this.#question;
    void this.#look().then((state) => {
      if (question !== this.#question) return;
      if (JSON.stringify(state) !== JSON.stringify(this.state.value)) this.state.set(state);
      // A wrong key asked again and again would lock its owner out.
      const stays = state.at === 'locked' || state.at === 'refused' || document.visibilityState === 'hidden';
      if (!stays) this.#timer = setTimeout(() => this.ask(), ASK_EACH_MS);
    });
  }

  async #look(): Promise<ServerState> {
    try {
      const response = await this.#get('/v2/models');
      if (response.status === 503) return { at: 'starting' };
      if (response.status === 401) return { at: 'locked', why: await this.#whyLocked(response) };
      if (!response.ok) return { at: 'refused', why: await whyOf(response) };
      const { models } = (await response.json()) as { readonly models: readonly { readonly name: string }[] };
      const [runs, ...states] = await Promise.all([
        this.#runs(),
        ...models.map(({ name }) => this.#model(name)),
      ]);
      return { at: 'open', models: states, runs };
    } catch {
      return { at: 'gone' };
    }
  }

  /** Nothing, where no key was given yet. */
  async #whyLocked(response: Response): Promise<string | undefined> {
    const why = await whyOf(response);
    return this.#key === undefined ? undefined : why;
  }

  async #runs(): Promise<readonly ServerRun[]> {
    const { runs } = (await (await this.#get('/v2/runs')).json()) as { readonly runs: readonly ServerRun[] };
    return runs;
  }

  /** Cancels a run by its handle; one that has ended meanwhile is no fault. */
  async cancel(handle: string): Promise<void> {
    await this.#get(`/v2/runs/${handle}`, 'DELETE').catch(() => undefined);
    this.ask();
  }

  async #model(name: string): Promise<ModelState> {
    const response = await this.#get(`/v2/models/${encodeURIComponent(name)}`);
    const { parameters } = (await response.json()) as { readonly parameters: Omit<ModelState, 'name'> };
    return { ...parameters, name };
  }

  #get(path: string, method = 'GET'): Promise<Response> {
    return fetch(`${this.origin}${path}`, {
      method,
      headers: this.#key === undefined ? {} : { authorization: `Bearer ${this.#key}` },
      cache: 'no-store',
      credentials: 'omit',
      signal: AbortSignal.timeout(ANSWER_MS),
    });
  }
}

async function whyOf(response: Response): Promise<string> {
  try {
    const { error } = (await response.json()) as { readonly error?: unknown };
    return typeof error === 'string' ? error : `It answered with ${response.status}.`;
  } catch {
    return `It answered with ${response.status}.`;
  }
}
