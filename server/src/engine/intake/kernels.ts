/**
 * Which dtypes of the operator table the runtime has no kernel for: found by making a session of each operator alone, once
 * for a version and provider of the runtime, and kept in the cache folder.
 */
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import {
  type AttributeType,
  type AttributeValue,
  DTYPES,
  type Dtype,
  inputDtypes,
  OPERATORS,
  OPSET,
  type OperatorFacts,
  outputsOf,
} from '@tracewire/protocol';
import { encodeModel } from '../onnx/schema.ts';
import { attributeProto } from '../operations.ts';
import type { Runtime } from '../runtime/runtime.ts';

/** Raised when what is probed here changes. */
const PROBE = 'v2';

export type Unsupported = Readonly<Record<string, readonly Dtype[]>>;

export async function findUnsupported(runtime: Runtime, cache: string): Promise<Unsupported> {
  const { name, version, provider } = runtime.facts;
  const table = createHash('sha256').update(JSON.stringify(OPERATORS)).digest('hex').slice(0, 12);
  const file = path.join(cache, `kernels-${PROBE}-${name}-${version}-${provider}-${table}.json`);
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Unsupported;
  } catch {
    const unsupported = await probeKernels(runtime);
    // A cache that can't be written to costs the next start the same time again, and nothing else.
    await writeFile(file, JSON.stringify(unsupported)).catch(() => {});
    return unsupported;
  }
}

async function probeKernels(runtime: Runtime): Promise<Unsupported> {
  const unsupported: Record<string, Dtype[]> = {};
  for (const [operator, facts] of Object.entries(OPERATORS)) {
    const position = facts.inputs.indexOf('T');
    if (facts.random || position < 0) continue;
    const missing: Dtype[] = [];
    for (const dtype of inputDtypes(facts, position, undefined)) {
      if (!(await hasKernel(runtime, operator, facts, dtype))) missing.push(dtype);
    }
    if (missing.length > 0) unsupported[operator] = missing;
  }
  return unsupported;
}

async function hasKernel(
  runtime: Runtime,
  operator: string,
  facts: OperatorFacts,
  T: Dtype,
): Promise<boolean> {
  try {
    const segment = await runtime.createSegment(probeModel(operator, facts, T), { optimize: false });
    await segment.release();
    return true;
  } catch {
    return false;
  }
}

/** The operator with all its inputs, a repeated one once, of unknown dims, and required attributes of any right kind. */
function probeModel(operator: string, facts: OperatorFacts, T: Dtype): Uint8Array {
  const attributes = Object.fromEntries(
    (facts.required ?? []).map((name) => [name, anyValue(facts.attributes?.[name] ?? 'int')]),
  );
  const inputs = (operator === 'Einsum' ? facts.inputs.slice(0, 1) : facts.inputs).map((declared, at) => {
    const dtype =
      declared === 'T' ? T : declared === 'U' ? 'float32' : declared === 'index' ? 'int64' : declared;
    return { name: `i${at}`, type: { tensor_type: { elem_type: DTYPES[dtype].onnx } } };
  });
  const outputs = outputsOf(facts, attributes).map((_, at) => `o${at}`);
  return encodeModel({
    ir_version: 10,
    opset_import: [{ domain: '', version: OPSET }],
    functions: [],
    graph: {
      name: 'probe',
      node: [
        {
          name: operator,
          op_type: operator,
          input: inputs.map(({ name }) => name),
          output: outputs,
          attribute: Object.entries(attributes).map(([name, value]) => attributeProto(facts, name, value)),
        },
      ],
      initializer: [],
      input: inputs,
      output: outputs.map((name) => ({ name })),
    },
  });
}

/** `to` 1 is float32; the string is an equation of one input. */
function anyValue(type: AttributeType): AttributeValue {
  if (type === 'int' || type === 'float') return 1;
  if (type === 'ints') return [1];
  return type === 'string' ? 'i->i' : (type[0] ?? '');
}
