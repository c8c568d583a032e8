/** Tells what a plan would do: its segments, where it cuts, what it leaves out, how large what it saves is. */
import { type ErrorBody, type Explanation, type Graph, knownBytes, type NodeType } from '@tracewire/protocol';
import type { Model } from './model.ts';
import type { Plan, PlannedSegment } from './plan.ts';
import { changesAt } from './reach.ts';

export interface Explained {
  readonly graph: Graph;
  readonly plan: Plan;
  readonly model: Model;
  readonly tokens: number;
  readonly warnings: readonly ErrorBody[];
  /** The type of a node's value, as far as it is known. */
  typeOf(node: number): NodeType;
}

export function explainPlan(explained: Explained): Explanation {
  const { plan, tokens, warnings } = explained;
  const planned = plan.steps.filter((step): step is PlannedSegment => step.kind === 'segment');
  const ran = planned.map(({ spec }) => spec);
  const run = new Set(planned.flatMap((segment) => nodesOf(segment, explained.model)));
  return {
    tokens,
    modulesRun: plan.modulesRun(ran),
    modulesTotal: plan.modulesTotal,
    segmentsRun: ran.length,
    segmentsTotal: plan.segmentsTotal,
    stoppedAfter: plan.stoppedAfter,
    segments: planned.map((segment) => explainSegment(segment, explained)),
    idle: idleModules(planned.at(-1)?.spec.to ?? 0, run, explained.model),
    saves: explainSaves(explained),
    warnings,
  };
}

const nodesOf = ({ spec: { from, to, outputs } }: PlannedSegment, { ranges }: Model): readonly number[] =>
  ranges.nodes(from, to, outputs);

function explainSegment(
  segment: PlannedSegment,
  { graph: { nodes }, plan, model }: Explained,
): Explanation['segments'][number] {
  const { from, to } = segment.spec;
  const run = new Set(nodesOf(segment, model));
  const points = model.tree.hookPoints;
  const ended = points.filter(
    ({ port, boundary }) => port === 'output' && boundary > from && boundary <= to && run.has(boundary - 1),
  );
  // A module around others ends with the last of them, and stands behind it.
  const last = ended.findLast(({ module }) => module.path !== '')?.module.path;
  const positions = segment.spec.tail && plan.picked?.rows[0]?.length;
  const found = {
    modules: ended.length,
    ...(last === undefined ? {} : { last }),
    ...(positions === undefined ? {} : { positions }),
  };
  if (to === model.graph.nodes.length) return { ...found, end: 'end' };
  if (model.blockBorders.includes(to)) return { ...found, end: 'block' };
  const cut = nodes.find((node) => {
    const place = node.kind === 'write' || node.kind === 'skip' ? changesAt(node) : undefined;
    return place && points[model.rank(place)]?.boundary === to;
  });
  const place = cut && changesAt(cut);
  return place ? { ...found, end: 'write', at: place.module } : { ...found, end: 'stop' };
}

/** Modules that end before `end`, and whose last node doesn't run; the outermost alone. */
function idleModules(end: number, run: ReadonlySet<number>, { tree }: Model): string[] {
  const idle = tree.hookPoints.flatMap(({ port, boundary, module }) =>
    port === 'output' && boundary > 0 && boundary <= end && !run.has(boundary - 1) ? [module.path] : [],
  );
  const known = new Set(idle);
  return idle.filter((path) => !parentsOf(path).some((parent) => known.has(parent)));
}

function parentsOf(path: string): string[] {
  const names = path.split('.');
  return names.slice(1).map((_, index) => names.slice(0, index + 1).join('.'));
}

function explainSaves({ graph, plan, typeOf }: Explained): Explanation['saves'] {
  return graph.nodes.flatMap((node, save): Explanation['saves'] => {
    if (node.kind !== 'save') return [];
    const error = plan.notReached.get(save);
    if (error) return [{ save, error }];
    const bytes = knownBytes(typeOf(node.value));
    return [{ save, ...(bytes === undefined ? {} : { bytes }) }];
  });
}
