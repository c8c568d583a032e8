/** `@tracewire/client/analyses`: well-known analyses as functions over the public API, each reduced on the server. */
export {
  activationPatching,
  type PatchingOptions,
  type PatchingResult,
} from './activation-patching.ts';
export type { Parts } from './architecture.ts';
export {
  attentionPatterns,
  attentionScores,
  type Head,
  inductionWeights,
  offsetWeights,
} from './attention.ts';
export {
  type Attribution,
  type AttributionOptions,
  directLogitAttribution,
} from './direct-logit-attribution.ts';
export { type LensRow, type LogitLensOptions, logitLens } from './logit-lens.ts';
export { type PathPatchingOptions, type PathPatchingResult, pathPatching } from './path-patching.ts';
export type { Target, Token } from './targets.ts';
