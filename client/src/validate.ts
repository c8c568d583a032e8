/** All that can be said of a trace before it runs: its errors and warnings, each with its line. Nothing runs. */
import {
  batchFault,
  checkGraph,
  type ErrorBody,
  type Generate,
  type Graph,
  generateFaults,
  readGraphTensors,
} from '@tracewire/protocol';
import { type Batch, mustOfferInvokes } from './batch.ts';
import type { Link } from './channel.ts';
import { type LocatedError, TraceError } from './errors.ts';
import { joinParts } from './join-parts.ts';
import type { CallSite } from './location.ts';
import { mustOfferBatch } from './must-generate.ts';
import { type Prompts, type Recorded, record } from './record.ts';
import type { StepApi } from './step-api.ts';
import type { Trace } from './trace-context.ts';
import { located } from './trace-error.ts';
import type { ModelTree } from './tree.ts';

/** What is wrong with a trace, if anything. */
export interface Validation {
  /** Whether the trace would be run. */
  readonly valid: boolean;
  readonly errors: readonly LocatedError[];
  /** Hooks that could not fire, saves that would be too large: the trace runs all the same. */
  readonly warnings: readonly LocatedError[];
}

interface ToValidate {
  readonly prompts: Prompts;
  readonly fn: (m: Trace & Batch & StepApi) => unknown;
  readonly site: CallSite;
  readonly generate: Generate | undefined;
}

/** Texts are turned into tokens by the server, so that dims are known; nothing else is asked. */
export async function validate(
  { conversation, model }: Link,
  tree: ModelTree,
  { prompts, fn, site, generate }: ToValidate,
): Promise<Validation> {
  let recorded: Recorded<unknown>;
  try {
    recorded = record(tree, prompts, site, fn, generate, conversation.welcome.limits);
  } catch (error) {
    // What the function itself throws is the caller's own affair.
    if (!(error instanceof TraceError)) throw error;
    return { valid: false, errors: error.errors, warnings: [] };
  }
  const { recording } = recorded;
  const { limits } = conversation.welcome;
  mustOfferInvokes(conversation.welcome, recording.graph.invokes.length);
  if (generate) mustOfferBatch(conversation.welcome, recording.graph.invokes.length);
  const graph = await withTokens(
    recording.graph,
    async (text) => (await conversation.tokenize(model, text)).ids,
  );
  const { constants } = readGraphTensors(recording.graph, joinParts(recording.payload));
  const { errors, warnings } = checkGraph(graph, tree.index, {
    constant: (node) => constants.get(node),
    limits,
    generates: generate !== undefined,
  });
  const at = (body: ErrorBody): LocatedError => located(body, [recording], site);
  const found = [...limitFaults(graph, limits, generate, tree), ...errors].map(at);
  return { valid: found.length === 0, errors: found, warnings: warnings.map(at) };
}

/** The graph with token ids for its texts. */
async function withTokens(
  graph: Graph,
  encode: (text: string) => Promise<readonly number[]>,
): Promise<Graph> {
  const invokes = await Promise.all(
    graph.invokes.map(async ({ input }) => ({
      input: 'text' in input ? { ids: await encode(input.text) } : input,
    })),
  );
  return { ...graph, invokes };
}

/** What the server's limits and a generation's options refuse. */
function limitFaults(
  { nodes, invokes }: Graph,
  limits: Link['conversation']['welcome']['limits'],
  generate: Generate | undefined,
  { index: { description } }: ModelTree,
): ErrorBody[] {
  const lengths = invokes.map(({ input }) => ('ids' in input ? input.ids.length : 0));
  const most = (what: string, wanted: number | undefined, got: number): ErrorBody[] => {
    if (wanted === undefined || got <= wanted) return [];
    const message = `The trace has ${got} ${what}; this server takes at most ${wanted}.`;
    return [{ code: 'bad_message', message, wanted: `at most ${wanted}`, got: String(got) }];
  };
  const batch = batchFault(lengths, limits.batchTokens ?? Number.POSITIVE_INFINITY, generate);
  return [
    ...(invokes.length > 1 ? most('prompts', limits.invokes, invokes.length) : []),
    ...(batch ? [batch] : []),
    ...(generate ? generateFaults({ nodes, invokes }, generate, description) : []),
  ];
}
