/**
 * Health and metadata over HTTP in the style of the open inference protocol (KServe's `/v2`), so that probes and
 * dashboards that know it need nothing of ours.
 */
import { type FeedDescription, nearest } from '@tracewire/protocol';
import type { Gateway } from './gateway.ts';
import type { ServedModel } from './served-model.ts';

export interface Answer {
  readonly status: number;
  readonly body: object;
}

/** The answer for a path; undefined where the path isn't of this API. `gateway` is undefined until models are loaded. */
export function inferenceApi(
  path: string,
  gateway: Gateway | undefined,
  version: string,
): Answer | undefined {
  const [root, ...rest] = path.split('/').slice(1).map(decoded);
  if (root !== 'v2') return undefined;
  const [kind, name, ready] = rest;
  if (kind === undefined) return { status: 200, body: { name: 'tracewire', version, extensions: [] } };
  if (kind === 'health' && rest.length === 2) return health(name, gateway);
  if (kind === 'models' && rest.length === 1) return listed(gateway);
  if (kind === 'models' && name !== undefined && rest.length <= 3) return ofModel(name, ready, gateway);
  return undefined;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function health(what: string | undefined, gateway: Gateway | undefined): Answer | undefined {
  if (what === 'live') return { status: 200, body: { live: true } };
  if (what !== 'ready') return undefined;
  const isReady = gateway !== undefined && !gateway.draining;
  return { status: isReady ? 200 : 503, body: { ready: isReady } };
}

function listed(gateway: Gateway | undefined): Answer {
  const models = [...(gateway?.models.values() ?? [])].map(({ name, loaded }) => ({ name, ready: loaded }));
  return { status: gateway ? 200 : 503, body: { models } };
}

function ofModel(name: string, ready: string | undefined, gateway: Gateway | undefined): Answer | undefined {
  if (ready !== undefined && ready !== 'ready') return undefined;
  if (!gateway) return { status: 503, body: { error: 'the server is not ready' } };
  const model = gateway.models.get(name);
  if (!model) {
    const near = nearest(name, gateway.models.keys());
    return {
      status: 404,
      body: { error: `no model ${JSON.stringify(name)}`, ...(near === undefined ? {} : { nearest: near }) },
    };
  }
  if (ready === 'ready') return { status: model.loaded ? 200 : 503, body: { name, ready: model.loaded } };
  return { status: 200, body: metadata(model) };
}

function metadata({ name, description, loaded, runs }: ServedModel): object {
  const whole = description.modules.find(({ path }) => path === '');
  return {
    name,
    versions: [description.id],
    platform: 'onnxruntime_onnx',
    inputs: (description.feeds ?? TOKENS).map(tensor),
    outputs: (whole?.outputs ?? []).map(tensor),
    parameters: { architecture: description.architecture, loaded, ...runs },
  };
}

/** What a model takes whose description names no feeds. */
const TOKENS: readonly FeedDescription[] = [
  { name: 'input_ids', dtype: 'int64', dims: ['batch', 'sequence'] },
];

/** An axis that isn't fixed is -1, as the protocol has it. */
function tensor({
  name,
  dtype,
  dims,
  ...more
}: Omit<FeedDescription, 'optional'> & { readonly optional?: unknown }): object {
  return {
    name,
    datatype: DATATYPES[dtype] ?? dtype.toUpperCase(),
    shape: dims.map((dim) => (typeof dim === 'number' ? dim : -1)),
    ...(more.optional === true ? { parameters: { optional: true } } : {}),
  };
}

/** The names that the protocol gives to dtypes, where they aren't ours in capitals. */
const DATATYPES: Readonly<Record<string, string>> = { float16: 'FP16', float32: 'FP32', float64: 'FP64' };
