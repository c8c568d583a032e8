/** A prepared model with everything that planning and running need to know of it. */
import { type ModelDescription, ModelIndex, type Place } from '@tracewire/protocol';
import { describeModel } from './describe.ts';
import { readEndOfText } from './end-of-text.ts';
import { FeedMaker } from './feeds.ts';
import { canGenerate } from './generate.ts';
import { readConfig } from './intake/files.ts';
import type { PreparedModel } from './intake/prepare.ts';
import { buildModuleTree, type ModuleTree } from './modules.ts';
import type { ModelGraph } from './onnx/graph.ts';
import { findParameters, type Parameter } from './parameters.ts';
import type { ValueType } from './runtime/runtime.ts';
import { Ranges, type SegmentSpec } from './segment.ts';
import { findTail, type Tail, withoutIdleReshapes } from './tail.ts';
import { wholeSegment } from './whole-pass.ts';

export interface Model {
  readonly graph: ModelGraph;
  readonly types: ReadonlyMap<string, ValueType>;
  readonly tree: ModuleTree;
  /** Where the model is cut for good: before the first block and after each, as indices of nodes. */
  readonly blockBorders: readonly number[];
  readonly ranges: Ranges;
  /** Behind the last block, where positions may be computed apart; undefined where they can't. */
  readonly tail: Tail | undefined;
  /** All of it as one segment. */
  readonly whole: SegmentSpec;
  readonly parameters: ReadonlyMap<string, Parameter>;
  readonly feeds: FeedMaker;
  readonly description: ModelDescription;
  /** A place's number in the total order of hook points; the place has been checked. */
  rank(place: Place): number;
}

export async function assembleModel(
  name: string,
  prepared: PreparedModel,
  unsupported: ModelDescription['unsupported'],
): Promise<Model> {
  const { graph: exported, types } = prepared;
  const tree = buildModuleTree(exported, types);
  const parameters = findParameters(exported, tree.modules.keys(), tree.scopes);
  const config = await readConfig(prepared.files);
  const feeds = new FeedMaker(exported, config);
  const description = {
    ...describeModel(name, prepared, tree, parameters.values(), config, feeds),
    endOfText: canGenerate({ feeds, tree }) ? await readEndOfText(prepared.files) : undefined,
    unsupported,
  };
  const index = new ModelIndex(description);
  const borders = blockBorders(tree, exported);
  const tail = findTail(exported, types, borders.at(-1));
  const graph = withoutIdleReshapes(exported, types, tail);
  const ranges = new Ranges(graph);
  return {
    graph,
    types,
    tree,
    blockBorders: borders,
    ranges,
    tail,
    whole: wholeSegment(graph, ranges, borders, tail),
    parameters,
    feeds,
    description,
    rank: (place) => index.rank(place) ?? 0,
  };
}

function blockBorders(tree: ModuleTree, graph: ModelGraph): number[] {
  const blocks = new Set(tree.blocks.map((block) => block.path));
  const first = tree.blocks[0]?.path;
  const borders = tree.hookPoints
    .filter(
      ({ module, port }) =>
        (port === 'output' && blocks.has(module.path)) || (port === 'input' && module.path === first),
    )
    .map((point) => point.boundary);
  return [...new Set(borders)]
    .filter((border) => border > 0 && border < graph.nodes.length)
    .sort((a, b) => a - b);
}
