/**
 * What the suite picks from a model's description. It knows no model: a place, an input, a parameter are chosen by
 * what the description says, and a case whose kind of place the model hasn't is not applicable.
 */
import type {
  Dtype,
  ModelDescription,
  ModuleDescription,
  ParameterDescription,
  Place,
  SourceDescription,
} from '@tracewire/protocol';
import { NotApplicable } from './mismatch.ts';

/** Dtypes whose arithmetic every server has. */
const FLOATS: readonly Dtype[] = ['float32', 'float64', 'float16'];

export interface FlowingModule extends ModuleDescription {
  readonly order: { readonly input?: number | undefined; readonly output: number };
}

export class ModelFacts {
  readonly description: ModelDescription;

  constructor(description: ModelDescription) {
    this.description = description;
  }

  get name(): string {
    return this.description.name;
  }

  /** A short prompt of valid token ids. */
  get ids(): readonly number[] {
    return this.prompt(4);
  }

  /** A prompt of that many ids, as far as the context and the vocabulary go. */
  prompt(length: number): readonly number[] {
    const { contextLength = Number.POSITIVE_INFINITY, vocabularySize = 16 } = this.description;
    return Array.from(
      { length: Math.min(length, contextLength) },
      (_, index) => index % Math.min(vocabularySize, 16),
    );
  }

  module(path: string): ModuleDescription {
    const module = this.description.modules.find((candidate) => candidate.path === path);
    if (!module) throw new NotApplicable(`the description has no module ${JSON.stringify(path)}`);
    return module;
  }

  /** Modules that give a float tensor first, by the total order of their outputs. */
  get flowing(): readonly FlowingModule[] {
    return this.description.modules
      .filter((module): module is FlowingModule => {
        const first = module.outputs[0];
        return module.order.output !== undefined && first !== undefined && FLOATS.includes(first.dtype);
      })
      .toSorted((left, right) => left.order.output - right.order.output);
  }

  /** The first block, or the first module where there are no blocks. */
  get early(): FlowingModule {
    const blocks = this.description.blocks;
    const module = this.flowing.find(({ path }) => path === blocks[0]) ?? this.flowing[0];
    if (!module) throw new NotApplicable('no module of the model gives a float tensor');
    return module;
  }

  /** The module that comes last, the whole model aside. */
  get last(): FlowingModule {
    const module = this.flowing.findLast(({ path }) => path !== '');
    if (!module || module.order.output <= this.early.order.output)
      throw new NotApplicable('the model has no module after the first block');
    return module;
  }

  /** A module with several outputs. */
  get tuple(): ModuleDescription {
    const module = this.description.modules.find(
      ({ outputs, order }) => outputs.length > 1 && order.output !== undefined,
    );
    if (!module) throw new NotApplicable('no module of the model gives a tuple');
    return module;
  }

  /** A module with one output. */
  get single(): FlowingModule {
    const module = this.flowing.find(({ outputs, path }) => outputs.length === 1 && path !== '');
    if (!module) throw new NotApplicable('no module of the model gives one float tensor');
    return module;
  }

  /** A module with an input of floats and one output, cheap to run on a value. */
  get applicable(): ModuleDescription {
    const module = this.description.modules.find(
      (module) =>
        module.path !== '' &&
        takesFloats(module) &&
        module.outputs.length === 1 &&
        module.order.output !== undefined,
    );
    if (!module) throw new NotApplicable('no module of the model takes and gives one float tensor');
    return module;
  }

  /** The smallest parameter of a dtype that the wire has. */
  get parameter(): ParameterDescription {
    const size = ({ dims }: ParameterDescription): number => dims.reduce((product, dim) => product * dim, 1);
    const [parameter] = this.description.parameters.toSorted((left, right) => size(left) - size(right));
    if (!parameter) throw new NotApplicable('the model lists no parameters');
    return parameter;
  }

  /** All inner values, with the modules that make them. */
  get sources(): readonly { readonly module: ModuleDescription; readonly source: SourceDescription }[] {
    const all = this.description.modules.flatMap((module) =>
      (module.sources ?? []).map((source) => ({ module, source })),
    );
    if (all.length === 0) throw new NotApplicable('the description lists no inner values');
    return all;
  }

  /** An inner value that is also what flows on from the module that makes it, early in the pass. */
  get sourceOfOutput(): { readonly module: FlowingModule; readonly source: SourceDescription } {
    for (const module of this.flowing) {
      if (module.path === '' || module.order.output >= this.last.order.output) continue;
      const source = module.sources?.find(({ name }) => name === module.outputs[0]?.name);
      if (source) return { module, source };
    }
    throw new NotApplicable('no module of the model makes its output itself');
  }

  /** The first three blocks, each taking and giving the same dims. */
  get blocks(): readonly [FlowingModule, FlowingModule, FlowingModule] {
    const [first, second, third] = this.description.blocks.map((block) =>
      this.flowing.find(
        ({ path, inputs, outputs, order }) =>
          path === block &&
          order.input !== undefined &&
          inputs[0]?.dtype === outputs[0]?.dtype &&
          inputs[0]?.dims.join() === outputs[0]?.dims.join(),
      ),
    );
    if (!first || !second || !third)
      throw new NotApplicable('the model has no three blocks that take what they give');
    return [first, second, third];
  }

  /** A block, and a module inside it that takes values like those that the block gives. */
  get insideBlock(): { readonly outer: FlowingModule; readonly inner: ModuleDescription } {
    const [, outer] = this.blocks;
    const inner = this.description.modules.find(
      (module) =>
        isWithin(module.path, outer.path) &&
        module.order.input !== undefined &&
        module.inputs[0]?.dtype === outer.outputs[0]?.dtype &&
        module.inputs[0]?.dims.join() === outer.outputs[0]?.dims.join(),
    );
    if (!inner)
      throw new NotApplicable('no module inside a block takes values like those that the block gives');
    return { outer, inner };
  }

  /** An output and an input that are one ONNX value: what the one module gives, the other takes. */
  get joint(): { readonly from: FlowingModule; readonly to: ModuleDescription } {
    for (const from of this.flowing) {
      const to = this.description.modules.find(
        ({ path, inputs: [input], order }) =>
          path !== '' &&
          from.path !== '' &&
          input?.name === from.outputs[0]?.name &&
          order.input !== undefined &&
          order.input > from.order.output &&
          !isWithin(path, from.path) &&
          !isWithin(from.path, path),
      );
      if (to) return { from, to };
    }
    throw new NotApplicable('no module of the model takes just what another gives');
  }

  /** A module and a module within it that take one value. */
  get nested(): { readonly outer: ModuleDescription; readonly inner: ModuleDescription } {
    for (const outer of this.description.modules) {
      if (outer.path === '' || !takesFloats(outer)) continue;
      const inner = this.description.modules.find(
        ({ path, inputs: [input] }) => isWithin(path, outer.path) && input?.name === outer.inputs[0]?.name,
      );
      if (inner) return { outer, inner };
    }
    throw new NotApplicable('no module of the model takes the same value as a module within it');
  }

  /** Two modules side by side that take one value, the earlier first. */
  get siblings(): readonly [ModuleDescription, ModuleDescription] {
    const modules = this.description.modules.filter(
      (module) => module.path !== '' && takesFloats(module) && module.order.input !== undefined,
    );
    for (const left of modules) {
      const right = modules.find(
        ({ path, inputs: [input], order }) =>
          input?.name === left.inputs[0]?.name &&
          Number(order.input) > Number(left.order.input) &&
          !isWithin(path, left.path) &&
          !isWithin(left.path, path),
      );
      if (right) return [left, right];
    }
    throw new NotApplicable('no two modules side by side take the same value');
  }
}

/** Whether what flows into a module is a float tensor. */
function takesFloats({ inputs: [input] }: ModuleDescription): boolean {
  return input !== undefined && FLOATS.includes(input.dtype);
}

/** Whether a module's path lies strictly within another's. */
function isWithin(path: string, outer: string): boolean {
  return outer === '' ? path !== '' : path.startsWith(`${outer}.`);
}

/** What flows on from a module: its first output. */
export function outputOf(module: ModuleDescription): Place {
  return module.outputs.length > 1
    ? { module: module.path, port: 'output', member: 0 }
    : { module: module.path, port: 'output' };
}

export const inputOf = (module: ModuleDescription): Place => ({ module: module.path, port: 'input' });
/** A module's whole output, a tuple where it has several. */
export const wholeOutputOf = (module: ModuleDescription): Place => ({ module: module.path, port: 'output' });
