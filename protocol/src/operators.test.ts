import { describe, expect, it } from 'vitest';
import {
  attributeFault,
  bindsT,
  inputDtypes,
  OPERATORS,
  type OperatorFacts,
  operatorFacts,
  outputDtypes,
} from './operators.ts';
import { DTYPE_NAMES } from './tensor.ts';

function facts(operator: string): OperatorFacts {
  const found = operatorFacts(operator);
  if (!found) throw new Error(operator);
  return found;
}

describe('the operator table', () => {
  it.each(Object.entries(OPERATORS))('%s is sound', (_, operator) => {
    expect(operator.about).not.toBe('');
    if (operator.inputs.length === 0) expect(operator.made?.fallback).toBeDefined();
    if (operator.needs !== undefined) expect(operator.needs).toBeLessThan(operator.inputs.length);
    for (const name of operator.required ?? []) expect(operator.attributes).toHaveProperty(name);
    // An output of `T` needs an input that binds it; what an attribute makes needs the attribute.
    if (operator.outputs.includes('T')) expect(operator.inputs).toContain('T');
    if (operator.outputs.includes('made'))
      expect(operator.attributes).toHaveProperty(String(operator.made?.attribute));
  });

  it('is sorted, so that a page made from it is', () => {
    expect(Object.keys(OPERATORS)).toEqual(Object.keys(OPERATORS).toSorted());
  });

  it('has nothing that reaches outside a graph, or carries one', () => {
    for (const name of ['If', 'Loop', 'Scan', 'Constant', 'toString', '__proto__', 'constructor']) {
      expect(operatorFacts(name), name).toBeUndefined();
    }
  });

  // From `onnx.defs.get_schema(name, 21)`: where ONNX takes fewer dtypes than all numbers.
  it.each([
    ['MatMul', ['int8', 'uint8', 'int16', 'uint16', 'bool']],
    ['ReduceSum', ['int8', 'uint8', 'int16', 'uint16', 'bool']],
    ['ReduceMean', ['int8', 'uint8', 'int16', 'uint16', 'bool']],
    ['ReduceL2', ['int8', 'uint8', 'int16', 'uint16', 'bool']],
    ['ReduceMax', ['int16', 'uint16']],
    ['ReduceMin', ['int16', 'uint16']],
    ['Pow', ['int8', 'uint8', 'int16', 'uint16', 'uint32', 'uint64', 'bool']],
    ['Neg', ['uint8', 'uint16', 'uint32', 'uint64', 'bool']],
    ['Softmax', DTYPE_NAMES.filter((dtype) => !dtype.startsWith('float'))],
    ['Add', ['bool']],
    ['Greater', ['bool']],
    ['Equal', []],
  ])('%s refuses what ONNX refuses', (operator, refused) => {
    const allowed = inputDtypes(facts(operator), 0, undefined);
    expect(DTYPE_NAMES.filter((dtype) => !allowed.includes(dtype)).toSorted()).toEqual(refused.toSorted());
  });
});

describe('binding the type variable', () => {
  it('Where: the condition is bool and binds nothing, the branches agree', () => {
    const where = facts('Where');
    expect(inputDtypes(where, 0, undefined)).toEqual(['bool']);
    expect(bindsT(where, 0)).toBe(false);
    expect(inputDtypes(where, 1, undefined)).toEqual(DTYPE_NAMES);
    expect(bindsT(where, 1)).toBe(true);
    expect(inputDtypes(where, 2, 'int32')).toEqual(['int32']);
    expect(outputDtypes(where, ['bool', 'int32', 'int32'], {})).toEqual(['int32']);
  });

  it('Gather: indices are int32 or int64, whatever is picked', () => {
    expect(inputDtypes(facts('Gather'), 1, 'float32')).toEqual(['int32', 'int64']);
    expect(bindsT(facts('Gather'), 1)).toBe(false);
    expect(outputDtypes(facts('Gather'), ['float32', 'int64'], {})).toEqual(['float32']);
  });

  it('TopK: values in T, indices in int64', () => {
    expect(inputDtypes(facts('TopK'), 1, 'float16')).toEqual(['int64']);
    expect(outputDtypes(facts('TopK'), ['float16', 'int64'], {})).toEqual(['float16', 'int64']);
  });

  it('Cast: the output is what `to` numbers in ONNX, or nothing', () => {
    expect(outputDtypes(facts('Cast'), ['int64'], { to: 1 })).toEqual(['float32']);
    expect(outputDtypes(facts('Cast'), ['int64'], { to: 9 })).toEqual(['bool']);
    expect(outputDtypes(facts('Cast'), ['int64'], { to: 16 })).toEqual([undefined]);
  });

  it('Concat: every input is like the first', () => {
    expect(inputDtypes(facts('Concat'), 40, 'int8')).toEqual(['int8']);
    expect(bindsT(facts('Concat'), 40)).toBe(true);
  });

  it('comparisons give bool', () => {
    expect(outputDtypes(facts('Less'), ['float32', 'float32'], {})).toEqual(['bool']);
  });
});

describe('attributeFault', () => {
  it.each([
    ['Softmax', {}, undefined],
    ['Softmax', { axis: -1 }, undefined],
    ['Softmax', { axis: 0.5 }, { attribute: 'axis', wanted: 'int' }],
    ['Softmax', { axis: 1e300 }, { attribute: 'axis', wanted: 'int' }],
    ['Softmax', { axis: '1' }, { attribute: 'axis', wanted: 'int' }],
    ['Softmax', { axis: [1] }, { attribute: 'axis', wanted: 'int' }],
    ['Softmax', { axes: 1 }, { attribute: 'axes', wanted: undefined }],
    ['Concat', {}, { attribute: 'axis', wanted: 'int' }],
    ['Cast', {}, { attribute: 'to', wanted: 'int' }],
    ['Transpose', { perm: [1, 0] }, undefined],
    ['Transpose', { perm: 1 }, { attribute: 'perm', wanted: 'ints' }],
    ['Add', { toString: 1 }, { attribute: 'toString', wanted: undefined }],
    ['BitShift', { direction: 'UP' }, { attribute: 'direction', wanted: 'LEFT or RIGHT' }],
    ['Elu', { alpha: '1' }, { attribute: 'alpha', wanted: 'float' }],
    ['Split', { num_outputs: 0 }, { attribute: 'num_outputs', wanted: '1 to 64' }],
    ['RandomNormal', { shape: [1], seed: -1 }, { attribute: 'seed', wanted: '0 to 9007199254740991' }],
    ['Softmax', { hasOwnProperty: 1 }, { attribute: 'hasOwnProperty', wanted: undefined }],
  ])('%s %j', (operator, attributes, fault) => {
    expect(attributeFault(facts(operator), attributes)).toEqual(fault);
  });
});
