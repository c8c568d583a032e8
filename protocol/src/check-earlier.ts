/** What a trace takes of those before it in the same run (PROTOCOL.md, section 6.3). */
import type { GraphChecker } from './check.ts';
import type { NodeOf } from './graph.ts';
import { type NodeType, UNKNOWN } from './node-type.ts';
import { describeSteps, hasStep } from './steps.ts';
import { plural } from './words.ts';

/** The value of an earlier trace's node, by what that trace's checker knows of it. */
export function checkEarlier(checker: GraphChecker, node: NodeOf<'earlier'>, id: number): NodeType {
  const { trace, node: of, step } = node;
  const earlier = checker.known.earlier ?? [];
  const other = earlier[trace];
  const refuse = (why: string, facts: { readonly wanted?: string; readonly got?: string } = {}): NodeType =>
    checker.report('bad_reference', `Node ${id} refers to node ${of} of trace ${trace}, but ${why}.`, {
      node: id,
      ...facts,
    });
  if (!other) {
    const before = earlier.length === 0 ? 'no trace' : `only ${plural(earlier.length, 'trace')}`;
    return refuse(`${before} comes before this one`, {
      wanted: `below ${earlier.length}`,
      got: String(trace),
    });
  }
  const type = other.typeOf(of);
  if (of >= other.size || type.kind === 'none') {
    return refuse(of >= other.size ? 'there is no such node' : 'that has no value');
  }
  other.use();
  const steps = other.stepsOf(of);
  if (typeof steps !== 'object') {
    return step === undefined
      ? inTrace(type, trace)
      : refuse('that has one value, not one a step', { got: `step ${step}` });
  }
  const wanted = `step ${describeSteps(steps)}`;
  if (step === undefined) return refuse('that has a value in each of several steps', { wanted });
  return hasStep(steps, step)
    ? inTrace(type, trace)
    : refuse('that acts in other steps', { wanted, got: `step ${step}` });
}

/** Named axes are those of the trace: another trace's prompt has another length. */
function inTrace(type: NodeType, trace: number): NodeType {
  if (type.kind === 'tuple')
    return { kind: 'tuple', members: type.members.map((member) => inTrace(member, trace)) };
  if (type.kind !== 'tensor') return type.kind === 'none' ? UNKNOWN : type;
  const named = (dim: number | string): number | string =>
    typeof dim === 'number' || dim === '?' ? dim : `${dim} of trace ${trace}`;
  const { dims, values } = type;
  return {
    ...type,
    ...(dims ? { dims: dims.map(named) } : {}),
    ...(values ? { values: values.map(named) } : {}),
  };
}
