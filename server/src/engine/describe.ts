/** The description of a model that clients see (PROTOCOL.md, section 4), from its graph and configuration. */
import type {
  AttentionDescription,
  ModelDescription,
  ModuleDescription,
  PortDescription,
  SourceDescription,
} from '@tracewire/protocol';
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
    attention: attentionOf(config),
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
  const ranks = new Map(
    tree.hookPoints.map(({ port, module, source }, rank) => [`${port} ${source ?? module.path}`, rank]),
  );
  const port = (value: string): PortDescription => {
    const type = model.types.get(value);
    return { name: value, dtype: type?.dtype ?? 'float32', dims: type?.dims ?? [], mixed: type?.mixed };
  };
  const source = (value: string): SourceDescription => ({
    ...port(value),
    operator: model.graph.nodes[model.graph.producer(value)]?.op_type ?? '',
    order: ranks.get(`source ${value}`) ?? 0,
  });
  const modules = [...tree.modules.values()].map((module): ModuleDescription => {
    const output = ranks.get(`output ${module.path}`);
    return {
      path: module.path,
      class: module.class,
      order: { input: ranks.get(`input ${module.path}`), output },
      inputs: module.inputs.map(port),
      outputs: module.outputs.map(port),
      missing: output === undefined ? (module.doubtful ? REWRITTEN : NOTHING_GIVEN) : undefined,
      sources: module.sources.length > 0 ? module.sources.map(source) : undefined,
    };
  });
  modules.push(...fusedModules(model, tree));
  return modules.sort((a, b) => (a.order.output ?? -1) - (b.order.output ?? -1));
}

const NOTHING_GIVEN = 'nothing that it computes is a floating-point value used outside it';
const REWRITTEN =
  'a quantizer rewrote nodes beside it and dropped what the exporter had recorded of their modules; TorchScript exports keep it, in the nodes’ names';

/** Modules of the checkpoint that a builder has put into others, as far as the others' names tell. */
function fusedModules({ graph }: PreparedModel, { modules }: ModuleTree): ModuleDescription[] {
  const missing = (path: string, why: string): ModuleDescription[] =>
    modules.has(path) ? [] : [{ path, order: {}, inputs: [], outputs: [], missing: why }];
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

/** Under the names that Hugging Face's configurations have; undefined where one is missing. */
function attentionOf(config: Readonly<Record<string, unknown>>): AttentionDescription | undefined {
  const heads = positive(config['num_attention_heads']) ?? positive(config['n_head']);
  const width = positive(config['hidden_size']) ?? positive(config['n_embd']);
  const headSize = positive(config['head_dim']) ?? (heads && width ? width / heads : undefined);
  if (heads === undefined || headSize === undefined || !Number.isInteger(headSize)) return undefined;
  return { heads, keyValueHeads: positive(config['num_key_value_heads']) ?? heads, headSize };
}

const positive = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isInteger(value) && value > 0 ? value : undefined;
