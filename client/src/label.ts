/** What a node is called when its value is shown. */
import { describePlace, type GraphNode, type NodeOf } from '@tracewire/protocol';

/** `transformer.h.0.output`, `lm_head.weight`, `softmax`. */
export function labelOf(
  node: GraphNode | undefined,
  nodeOf: (id: number) => GraphNode | undefined,
  earlier: (node: NodeOf<'earlier'>) => string,
): string {
  switch (node?.kind) {
    case 'read':
      return describePlace(node.place);
    case 'parameter':
      return node.name;
    case 'operator':
      return node.operator.charAt(0).toLowerCase() + node.operator.slice(1);
    case 'call':
      return `function ${node.function.slice(0, 8)}`;
    case 'member':
      return `${labelOf(nodeOf(node.of), nodeOf, earlier)}[${node.index}]`;
    case 'apply':
      return `${node.module}(…)`;
    case 'earlier':
      return earlier(node);
    default:
      return node?.kind ?? 'value';
  }
}
