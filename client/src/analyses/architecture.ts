/** Where a model has its parts: blocks, attention, norms, unembedding. Found by the names of common architectures, or named. */
import type { ModelDescription } from '@tracewire/protocol';
import { localError } from '../errors.ts';
import type { LanguageModel } from '../model.ts';

/** Paths of a model's parts; those inside a block are from the block on. What is left out is looked for. */
export interface Parts {
  /** The repeated blocks, in order. */
  readonly blocks?: readonly string[] | undefined;
  /** In a block: `attn`, `self_attn`. */
  readonly attention?: string | undefined;
  /** In a block: attention's output projection, whose input is made of heads: `attn.c_proj`, `self_attn.o_proj`. */
  readonly projection?: string | undefined;
  /** In a block: `mlp`. */
  readonly mlp?: string | undefined;
  /** In a block: the norm before attention: `ln_1`, `input_layernorm`. */
  readonly attentionNorm?: string | undefined;
  /** In a block: the norm before the MLP: `ln_2`, `post_attention_layernorm`. */
  readonly mlpNorm?: string | undefined;
  /** The norm behind the last block: `transformer.ln_f`, `model.norm`. */
  readonly finalNorm?: string | undefined;
  /** What makes logits of hidden states: `lm_head`. */
  readonly unembedding?: string | undefined;
}

/** Names of GPT-2, Llama and their like, GPT-NeoX, OPT, Bloom and Falcon, BERT's apart. */
const NAMES = {
  attention: ['attn', 'self_attn', 'attention', 'self_attention', 'attn.attention'],
  projection: [
    'attn.c_proj',
    'self_attn.o_proj',
    'attention.dense',
    'self_attn.out_proj',
    'self_attention.dense',
    'attn.attention.out_proj',
  ],
  mlp: ['mlp', 'feed_forward', 'block_sparse_moe'],
  attentionNorm: ['ln_1', 'input_layernorm', 'self_attn_layer_norm'],
  mlpNorm: ['ln_2', 'post_attention_layernorm', 'final_layer_norm'],
  finalNorm: [
    'transformer.ln_f',
    'model.norm',
    'gpt_neox.final_layer_norm',
    'model.decoder.final_layer_norm',
    'transformer.norm_f',
  ],
  unembedding: ['lm_head', 'embed_out'],
} as const;

const IN_BLOCK: ReadonlySet<string> = new Set(['attention', 'projection', 'mlp', 'attentionNorm', 'mlpNorm']);

/** A model's parts, found when they are asked for. */
export class Architecture {
  readonly description: ModelDescription;
  readonly blocks: readonly string[];
  readonly #named: Parts;
  readonly #paths: ReadonlySet<string>;

  /** Throws `bad_input` for a model without blocks. */
  constructor(description: ModelDescription, named: Parts = {}) {
    this.description = description;
    this.#named = named;
    this.#paths = new Set(description.modules.map(({ path }) => path));
    this.blocks = named.blocks ?? description.blocks;
    if (this.blocks.length === 0)
      throw localError(
        'bad_input',
        missing(description, 'blocks', "parts: { blocks: ['model.layers.0', …] }"),
      );
    for (const block of this.blocks) this.#mustBe(block, 'blocks');
  }

  /** The path of a part outside the blocks. Throws `bad_input` where it isn't found or isn't there. */
  part(part: 'finalNorm' | 'unembedding'): string {
    return this.#find(part, '');
  }

  /** The path of a part of a block. Throws `bad_input` where it isn't found or isn't there. */
  inBlock(part: 'attention' | 'projection' | 'mlp' | 'attentionNorm' | 'mlpNorm', block: string): string {
    return this.#find(part, block);
  }

  #find(part: keyof typeof NAMES, block: string): string {
    const at = (name: string): string => (block === '' ? name : `${block}.${name}`);
    const named = this.#named[part];
    if (named !== undefined) return this.#mustBe(at(named), part);
    const found = NAMES[part].map(at).find((path) => this.#paths.has(path));
    if (found !== undefined) return found;
    const how = IN_BLOCK.has(part)
      ? `its path from a block on, parts: { ${part}: '…' }`
      : `parts: { ${part}: '…' }`;
    throw localError('bad_input', missing(this.description, part, how), { path: part });
  }

  #mustBe(path: string, part: keyof Parts): string {
    if (this.#paths.has(path)) return path;
    const message = `${this.description.name} has no module ${JSON.stringify(path)}, which parts names as ${part}. await model.print() shows what it has.`;
    throw localError('bad_input', message, { path });
  }
}

function missing({ name, architecture }: ModelDescription, part: string, how: string): string {
  return `It can’t be told what ${part} is in ${name} (${architecture}). Name it: ${how}. await model.print() shows the modules.`;
}

/** A part that isn't found is told when it is asked for, with `bad_input`. */
export async function architectureOf(model: LanguageModel, parts?: Parts): Promise<Architecture> {
  return new Architecture(await model.describe(), parts);
}
