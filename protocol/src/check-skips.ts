/** What only a whole graph tells of skipped modules: hooks inside them don't fire. */
import type { ErrorBody } from './errors.ts';
import { describePlace, type GraphNode, operandsOf, type Place, placeOf } from './graph.ts';

/** Whether `path` is `outer` or a module inside it; the empty path is the whole model. */
export function isInside(path: string, outer: string): boolean {
  return outer === '' || path === outer || path.startsWith(`${outer}.`);
}

/**
 * The skipped module that a node acts inside of, by the node's id. At the skipped module itself its input and its
 * output are hook points as ever; what it makes in between is not.
 */
export function findSkipped(nodes: readonly GraphNode[]): ReadonlyMap<number, string> {
  const skipped = skippedModules(nodes);
  const found = new Map<number, string>();
  if (skipped.size === 0) return found;
  for (const [id, node] of nodes.entries()) {
    const place = placeOf(node);
    const outer = place && outermost(place, skipped);
    if (outer !== undefined) found.set(id, outer);
  }
  return found;
}

/** Skipped modules, each for its invoke. */
function skippedModules(nodes: readonly GraphNode[]): ReadonlySet<string> {
  return new Set(nodes.flatMap((node) => (node.kind === 'skip' ? [keyOf(node.module, node.invoke)] : [])));
}

const keyOf = (module: string, invoke = 0): string => `${invoke} ${module}`;

/** The outermost skipped module that a place is inside of. Goes by the path's parts: a graph may have many skips. */
function outermost({ module, port, invoke }: Place, skipped: ReadonlySet<string>): string | undefined {
  for (let dot = module.indexOf('.'); dot > 0; dot = module.indexOf('.', dot + 1)) {
    if (skipped.has(keyOf(module.slice(0, dot), invoke))) return module.slice(0, dot);
  }
  return port === 'source' && skipped.has(keyOf(module, invoke)) ? module : undefined;
}

export interface SkipFindings {
  readonly errors: readonly ErrorBody[];
  readonly warnings: readonly ErrorBody[];
}

/** Errors: what contradicts a skip. Warnings: hooks that a skip silences. */
export function checkSkips(nodes: readonly GraphNode[]): SkipFindings {
  const errors: ErrorBody[] = [];
  const warnings: ErrorBody[] = [];
  const skipped = findSkipped(nodes);
  const modules = skippedModules(nodes);
  if (modules.size === 0) return { errors, warnings };
  /** Nodes whose values never come to be, by the module whose skip is why. */
  const lost = new Map<number, string>();
  const begun = new Set<string>();
  for (const [id, node] of nodes.entries()) {
    const operand = operandsOf(node).find((operand) => lost.has(operand));
    const why = skipped.get(id) ?? (operand === undefined ? undefined : lost.get(operand));
    if (why !== undefined) lost.set(id, why);
    const silenced = skipped.get(id);
    const fault = silenced === undefined ? contradiction(node, why, begun) : stopInside(node, silenced);
    if (node.kind === 'skip') begun.add(keyOf(node.module, node.invoke));
    const path = pathOf(node);
    if (fault !== undefined) errors.push({ code: 'inside_skip', message: fault, node: id, path });
    else if (silenced !== undefined) {
      const message = `${nameOf(node)} will not be reached: ${silenced} is skipped, so nothing inside it runs.`;
      warnings.push({ code: 'inside_skip', message, node: id, path });
    } else if (
      node.kind === 'write' &&
      node.place.port === 'input' &&
      modules.has(keyOf(node.place.module, node.place.invoke))
    ) {
      const message = `${nameOf(node)} is written, but ${node.place.module} is skipped, so nothing inside it uses the value.`;
      warnings.push({ code: 'inside_skip', message, node: id, path });
    }
  }
  return { errors, warnings };
}

function stopInside(node: GraphNode, skipped: string): string | undefined {
  if (node.kind !== 'stop') return undefined;
  return `The pass can’t stop at ${nameOf(node)}: ${skipped} is skipped, so it never comes there. Stop at ${skipped}.output.`;
}

/** `why`: a skipped module that the node's operand comes from. */
function contradiction(
  node: GraphNode,
  why: string | undefined,
  begun: ReadonlySet<string>,
): string | undefined {
  if (node.kind === 'skip' && begun.has(keyOf(node.module, node.invoke))) {
    return `${node.module} is skipped already. Give it one value.`;
  }
  if (why === undefined || (node.kind !== 'write' && node.kind !== 'skip')) return undefined;
  return `The value for ${nameOf(node)} comes from inside ${why}, which is skipped, so it will not exist.`;
}

function nameOf(node: GraphNode): string {
  const place = placeOf(node);
  if (node.kind === 'skip' || !place) return `the skip of ${pathOf(node)}`;
  return describePlace(place);
}

function pathOf(node: GraphNode): string | undefined {
  return placeOf(node)?.module;
}
