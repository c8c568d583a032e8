/** The description of a model that clients see (PROTOCOL.md, section 4), from its graph and configuration. */
import type { ModelDescription, ModuleDescription, PortDescription } from '@tracewire/protocol';
import type { FeedMaker } from './feeds.ts';
import type { PreparedModel } from './intake/prepare.ts';
import type { ModuleTree } from './modules.ts';
import { toNumber } from './onnx/schema.ts';
import type { Parameter } from './parameters.ts';
import { exporterOf } from './scopes.ts';

export function describeModel(
  name: string,
  model: PreparedModel,
  tree: ModuleTree,
  parameters: Iterable<Parameter>,
  config: Readonly<Record<string, unknown>>,
  feeds: FeedMaker,
): ModelDescription {
  const { opset_import } = model.graph.model;
  const opset = opset_import.find(({ domain }) => domain === '' || domain === 'ai.onnx');
  return {
    name,
    id: model.id,
    architecture: architectureOf(config),
    exporter: exporterOf(model.graph.nodes),
    opset: opset ? toNumber(opset.version) : 0,
    contextLength: positive(config['n_positions']) ?? positive(config['max_position_embeddings']),
    vocabularySize: positive(config['vocab_size']),
    blocks: tree.blocks.map((block) => block.path),
    modules: describeModules(model, tree),
    parameters: [...parameters].map(({ name, dtype, dims }) => ({ name, dtype, dims })),
    feeds: feeds.declared.map(({ name, dtype }) => ({
      name,
      dtype,
      dims: model.types.get(name)?.dims ?? [],
      ...(feeds.isOptional(name) ? { optional: true as const } : {}),
    })),
  };
}

function describeModules(model: PreparedModel, tree: ModuleTree): ModuleDescription[] {
  const ranks = new Map(tree.hookPoints.map((point, rank) => [`${point.port} ${point.module.path}`, rank]));
  const port = (value: string): PortDescription => {
    const type = model.types.get(value);
    return { name: value, dtype: type?.dtype ?? 'float32', dims: type?.dims ?? [], mixed: type?.mixed };
  };
  const modules = [...tree.modules.values()].map((module): ModuleDescription => {
    const output = ranks.get(`output ${module.path}`);
    return {
      path: module.path,
      class: module.class,
      order: { input: ranks.get(`input ${module.path}`), output },
      input: module.input === undefined ? undefined : port(module.input),
      outputs: module.outputs.map(port),
      missing:
        output === undefined
          ? 'nothing that it computes is a floating-point value used outside it'
          : undefined,
    };
  });
  modules.push(...fusedModules(model, tree));
  return modules.sort((a, b) => (a.order.output ?? -1) - (b.order.output ?? -1));
}

/** Modules of the checkpoint that a builder has put into others, as far as the others' names tell. */
function fusedModules({ graph }: PreparedModel, { modules }: ModuleTree): ModuleDescription[] {
  const missing = (path: string, why: string): ModuleDescription[] =>
    modules.has(path) ? [] : [{ path, order: {}, outputs: [], missing: why }];
  const found = [...modules.keys()].flatMap((path) => {
    const holder = /^(.*\.)?qkv_proj$/.exec(path);
    return holder
      ? ['q_proj', 'k_proj', 'v_proj'].flatMap((name) =>
          missing(
            `${holder[1] ?? ''}${name}`,
            `the export has fused it into ${path}, whose output holds q, k and v`,
          ),
        )
      : [];
  });
  const rotates = graph.nodes.some(
    ({ op_type, domain }) => op_type === 'GroupQueryAttention' && domain === 'com.microsoft',
  );
  const why = 'the export has fused it into the attention operators, which look its angles up in a table';
  return rotates && modules.has('model') ? [...found, ...missing('model.rotary_emb', why)] : found;
}

function architectureOf(config: Readonly<Record<string, unknown>>): string {
  const architectures = config['architectures'];
  const first: unknown = Array.isArray(architectures) ? architectures[0] : undefined;
  return typeof first === 'string' && first !== '' ? first : String(config['model_type'] ?? 'unknown');
}

const positive = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isInteger(value) && value > 0 ? value : undefined;
