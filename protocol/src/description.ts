/** What a server says of a model: modules, places and parameters (PROTOCOL.md, section 4). */
import * as z from 'zod/mini';
import { dtype, name, path, uint } from './fields.ts';
import type { Dtype } from './tensor.ts';

/** One value that a module takes or gives. Axes have a fixed size or a name (`batch`, `sequence`, …). */
export interface PortDescription {
  /** The ONNX value. */
  readonly name: string;
  readonly dtype: Dtype;
  readonly dims: readonly (number | string)[];
  /** With several invokes it can't be told which part is whose, so none of them may hook it. */
  readonly mixed?: true | undefined;
}

/** A value that a module makes on its way, whether it leaves the module or not. */
export interface SourceDescription extends PortDescription {
  /** The ONNX operator that makes it. */
  readonly operator: string;
  /** Its place in the total order of hook points. */
  readonly order: number;
}

/** How the model's attention is split into heads. */
export interface AttentionDescription {
  readonly heads: number;
  /** Fewer than `heads` where several query heads share a key. */
  readonly keyValueHeads: number;
  /** Numbers a head. */
  readonly headSize: number;
}

/** A module, and its hook points. */
export interface ModuleDescription {
  /** As in the checkpoint: `transformer.h.0.attn`; the empty string is the whole model. */
  readonly path: string;
  /** The class in the original framework, where the export tells. */
  readonly class?: string | undefined;
  /** Places in the total order of hook points. */
  readonly order: { readonly input?: number | undefined; readonly output?: number | undefined };
  /** All activations it takes, the one that flows in first. */
  readonly inputs: readonly PortDescription[];
  /** One output, or a tuple whose first member flows on; none where `missing` says why. */
  readonly outputs: readonly PortDescription[];
  readonly missing?: string | undefined;
  /** The values that it makes itself, not those of modules inside it, in the order they are made. */
  readonly sources?: readonly SourceDescription[] | undefined;
}

/** A parameter of the checkpoint. */
export interface ParameterDescription {
  readonly name: string;
  readonly dtype: Dtype;
  readonly dims: readonly number[];
}

/** What a model takes by name. */
export interface FeedDescription extends PortDescription {
  /** The server makes it where an input leaves it out: a mask of ones, positions, an empty cache. */
  readonly optional?: true | undefined;
}

/** A model as a server describes it. */
export interface ModelDescription {
  readonly name: string;
  /** `sha256:…` of the model's files. */
  readonly id: string;
  readonly architecture: string;
  readonly exporter: 'torchscript' | 'dynamo' | 'other';
  readonly opset: number;
  /** Longest input in tokens. */
  readonly contextLength?: number | undefined;
  readonly vocabularySize?: number | undefined;
  /** Where the model's configuration tells. */
  readonly attention?: AttentionDescription | undefined;
  /** Tokens that end a generation; absent for a model that can't generate. */
  readonly endOfText?: readonly number[] | undefined;
  /** Paths of the repeated blocks, in order. */
  readonly blocks: readonly string[];
  readonly modules: readonly ModuleDescription[];
  readonly parameters: readonly ParameterDescription[];
  /** By operator, what `T` may not be, though the table allows it: the runtime has no kernel. */
  readonly unsupported?: Readonly<Record<string, readonly Dtype[]>> | undefined;
  /** In the model's order. Left out, the model takes token ids and nothing by name. */
  readonly feeds?: readonly FeedDescription[] | undefined;
}

const dims = z.array(z.union([uint, name])).check(z.maxLength(16));
/** A port as it crosses the wire. */
export const portDescription: z.ZodMiniType<PortDescription> = z.strictObject({
  name,
  dtype,
  dims,
  mixed: z.optional(z.literal(true)),
});

export const modelDescription: z.ZodMiniType<ModelDescription> = z.strictObject({
  name,
  id: name,
  architecture: name,
  exporter: z.enum(['torchscript', 'dynamo', 'other']),
  opset: uint,
  contextLength: z.optional(uint),
  vocabularySize: z.optional(uint),
  attention: z.optional(z.strictObject({ heads: uint, keyValueHeads: uint, headSize: uint })),
  endOfText: z.optional(z.array(uint).check(z.maxLength(64))),
  blocks: z.array(name),
  modules: z.array(
    z.strictObject({
      path,
      class: z.optional(name),
      order: z.strictObject({ input: z.optional(uint), output: z.optional(uint) }),
      inputs: z.array(portDescription),
      outputs: z.array(portDescription),
      missing: z.optional(z.string()),
      sources: z.optional(
        z.array(
          z.strictObject({
            name,
            operator: name,
            dtype,
            dims,
            mixed: z.optional(z.literal(true)),
            order: uint,
          }),
        ),
      ),
    }),
  ),
  parameters: z.array(z.strictObject({ name, dtype, dims: z.array(uint) })),
  unsupported: z.optional(z.record(name, z.array(dtype))),
  feeds: z.optional(z.array(z.strictObject({ name, dtype, dims, optional: z.optional(z.literal(true)) }))),
});
