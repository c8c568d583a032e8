/** What only a whole graph tells of skipped modules: hooks inside them don't fire. */
import type { ErrorBody } from './errors.ts';
import { describePlace, type GraphNode, operandsOf, type Place, placeOf, type Steps } from './graph.ts';
import { Skipped } from './skipped.ts';

/** Whether `path` is `outer` or a module inside it; the empty path is the whole model. */
export function isInside(path: string, outer: string): boolean {
  return outer === '' || path === outer || path.startsWith(`${outer}.`);
}

/**
 * The skipped module that a node acts inside of, by the node's id. At the skipped module itself its input and its
 * output are hook points as ever; what it makes in between is not.
 */
export function findSkipped(nodes: readonly GraphNode[]): ReadonlyMap<number, string> {
  return insideOf(nodes, skippedOf(nodes, inOnePass), inOnePass);
}

/** In which steps a node acts. */
type StepsOf = (node: number) => Steps;
const inOnePass: StepsOf = () => 0;

/** Stops that are inside one in some of their steps; other hooks in all of theirs. */
function insideOf(nodes: readonly GraphNode[], skipped: Skipped, stepsOf: StepsOf): Map<number, string> {
  const found = new Map<number, string>();
  if (!skipped.any) return found;
  for (const [id, node] of nodes.entries()) {
    const place = placeOf(node);
    const steps = stepsOf(id);
    const isSkipped = (module: string): boolean =>
      node.kind === 'stop'
        ? skipped.inAny(module, place?.invoke, steps)
        : skipped.inAll(module, place?.invoke, steps);
    const outer = place && outermost(place, isSkipped);
    if (outer !== undefined) found.set(id, outer);
  }
  return found;
}

function skippedOf(nodes: readonly GraphNode[], stepsOf: StepsOf): Skipped {
  const skipped = new Skipped();
  for (const [id, node] of nodes.entries())
    if (node.kind === 'skip') skipped.add(node.module, node.invoke, stepsOf(id));
  return skipped;
}

/** The outermost skipped module that a place is inside of. Goes by the path's parts: a graph may have many skips. */
function outermost({ module, port }: Place, isSkipped: (module: string) => boolean): string | undefined {
  for (let dot = module.indexOf('.'); dot > 0; dot = module.indexOf('.', dot + 1)) {
    if (isSkipped(module.slice(0, dot))) return module.slice(0, dot);
  }
  return port === 'source' && isSkipped(module) ? module : undefined;
}

export interface SkipFindings {
  readonly errors: readonly ErrorBody[];
  readonly warnings: readonly ErrorBody[];
}

/** Errors: what contradicts a skip. Warnings: hooks that a skip silences. */
export function checkSkips(nodes: readonly GraphNode[], stepsOf: StepsOf = inOnePass): SkipFindings {
  const errors: ErrorBody[] = [];
  const warnings: ErrorBody[] = [];
  const modules = skippedOf(nodes, stepsOf);
  if (!modules.any) return { errors, warnings };
  const skipped = insideOf(nodes, modules, stepsOf);
  /** Nodes whose values never come to be, by the module whose skip is why. */
  const lost = new Map<number, string>();
  const begun = new Skipped();
  for (const [id, node] of nodes.entries()) {
    const operand = operandsOf(node).find((operand) => lost.has(operand));
    const why = skipped.get(id) ?? (operand === undefined ? undefined : lost.get(operand));
    if (why !== undefined) lost.set(id, why);
    const silenced = skipped.get(id);
    const isFirst = node.kind !== 'skip' || begun.add(node.module, node.invoke, stepsOf(id));
    const fault = silenced === undefined ? contradiction(node, why, isFirst) : stopInside(node, silenced);
    const path = pathOf(node);
    if (fault !== undefined) errors.push({ code: 'inside_skip', message: fault, node: id, path });
    else if (silenced !== undefined) {
      const message = `${nameOf(node)} will not be reached: ${silenced} is skipped, so nothing inside it runs.`;
      warnings.push({ code: 'inside_skip', message, node: id, path });
    } else if (
      node.kind === 'write' &&
      node.place.port === 'input' &&
      modules.inAll(node.place.module, node.place.invoke, stepsOf(id))
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
function contradiction(node: GraphNode, why: string | undefined, isFirst: boolean): string | undefined {
  if (node.kind === 'skip' && !isFirst) {
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
