/** What the intake refuses, each by the name of the node, tensor or file that it is about; and what it takes without scopes. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeModel, type NodeProto } from '../onnx/schema.ts';
import { toInitializer, toValueInfo } from '../onnx/tensors.ts';
import { GraphBuilder, runGraph } from '../testing/graphs.ts';
import { loadEngine } from '../testing/models.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'tracewire-intake-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const node = (
  op_type: string,
  input: string[],
  output: string[],
  more: Partial<NodeProto> = {},
): NodeProto => ({
  name: `the_${op_type}`,
  op_type,
  domain: '',
  input,
  output,
  attribute: [],
  ...more,
});

/** A model of the feed `x` [batch, 2] and the weight `w`; gives the file. */
async function write(name: string, nodes: NodeProto[], output: string, weight: object = {}): Promise<string> {
  const file = path.join(folder, `${name}.onnx`);
  const bytes = encodeModel({
    ir_version: 8,
    opset_import: [{ domain: '', version: 18 }],
    graph: {
      name,
      node: nodes,
      initializer: [
        { ...toInitializer('w', { dtype: 'float32', dims: [2], data: Float32Array.of(2, 3) }), ...weight },
      ],
      input: [toValueInfo('x', 'float32', ['batch', 2])],
      output: [{ name: output }],
    },
  });
  await writeFile(file, bytes);
  return file;
}

const refusal = (file: string): Promise<unknown> =>
  loadEngine(file, { cache: path.join(folder, 'cache') }).then(
    (engine) => engine.release(),
    (error: unknown) => error,
  );

describe('a model that can’t be taken', () => {
  it('names the node with a subgraph', async () => {
    const branch = {
      name: 'then',
      node: [node('Identity', ['x'], ['y'])],
      initializer: [],
      input: [],
      output: [],
    };
    const attribute = [{ name: 'then_branch', type: 5, g: branch }];
    const file = await write('if', [node('If', ['x'], ['y'], { attribute })], 'y');
    expect(await refusal(file)).toMatchObject({
      code: 'model_unsupported',
      message: expect.stringContaining('the_If'),
    });
  });

  it('names the node of an operator that the runtime hasn’t', async () => {
    const file = await write('unknown', [node('Frobnicate', ['x'], ['y'])], 'y');
    expect(await refusal(file)).toMatchObject({ message: expect.stringContaining('Frobnicate') });
  });

  it('names the missing file and the tensor whose data is there', async () => {
    const external = {
      raw_data: new Uint8Array(),
      data_location: 1,
      external_data: [{ key: 'location', value: 'gone.bin' }],
    };
    const file = await write('gone', [node('Mul', ['x', 'w'], ['y'])], 'y', external);
    const error = await refusal(file);
    expect(error).toMatchObject({
      code: 'model_not_found',
      message: expect.stringMatching(/gone\.bin.*\bw\b/),
    });
  });

  it('says that a file is cut off', async () => {
    const file = path.join(folder, 'short.onnx');
    await writeFile(file, Buffer.from([8, 8, 58, 200, 1, 10]));
    expect(await refusal(file)).toMatchObject({
      code: 'model_invalid',
      message: expect.stringContaining('cut off'),
    });
  });

  it('lists the files to choose from', async () => {
    expect(await refusal(folder)).toMatchObject({
      code: 'model_not_found',
      message: expect.stringMatching(/if\.onnx.*Give the path of one/),
    });
  });
});

describe('a model without scopes, tokenizer and configuration', () => {
  it('has a hook point for every value, and takes its feeds by name', async () => {
    const nodes = [node('Mul', ['x', 'w'], ['scaled']), node('Relu', ['scaled'], ['y'])];
    const file = await write('flat', nodes, 'y');
    const engine = await loadEngine(file, { cache: path.join(folder, 'cache') });
    try {
      expect(engine.description.feeds).toEqual([{ name: 'x', dtype: 'float32', dims: ['batch', 2] }]);
      expect(engine.description.modules.map(({ path: at }) => at)).toContain('scaled');
      const builder = new GraphBuilder();
      const save = builder.save(builder.read('scaled.output'));
      const x = { dtype: 'float32', dims: [1, 2], data: Float32Array.of(-1, 5) } as const;
      const input = { feeds: { x: { dtype: 'float32', dims: [1, 2], offset: 0, length: 8 } } } as const;
      const { tensor } = await runGraph(engine, input, builder, () => false, [new Map([['x', x]])]);
      expect(Array.from(tensor(save).data, Number)).toEqual([-2, 15]);
      const refused = await runGraph(engine, { text: 'hello' }, builder);
      expect(refused.outcome.errors[0]).toMatchObject({
        code: 'bad_input',
        message: expect.stringContaining('x'),
      });
      expect(() => engine.tokenizer.encode('hello')).toThrow(/no tokenizer\.json/);
    } finally {
      await engine.release();
    }
  });
});
