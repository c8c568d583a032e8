/**
 * The numbered requirements of PROTOCOL.md: whom each binds, and with which capability. What the number stands
 * for is on the page alone; `test/conformance/conformance-requirements.test.ts` keeps the two in step.
 */

export type Side = 'server' | 'client' | 'both';
/** Everybody's part of the page, or what a capability (or a key) adds. */
export type Profile =
  | 'core'
  | 'resume'
  | 'moves'
  | 'detach'
  | 'keys'
  | 'invokes'
  | 'batching'
  | 'generation'
  | 'batch_generation'
  | 'sessions'
  | 'blobs'
  | 'functions'
  | 'explain';

export interface Requirement {
  readonly id: string;
  readonly side: Side;
  readonly profile: Profile;
  /** Why no case can see it from outside. */
  readonly unobserved?: string;
}

/** `[first, last, side, profile]`: whole stretches of the page that bind the same side. */
type Stretch = readonly [first: number, last: number, side: Side, profile?: Profile];

const STRETCHES: readonly Stretch[] = [
  [1, 5, 'both'],
  [6, 7, 'server'],
  [8, 10, 'both'],
  [11, 11, 'server'],
  [12, 12, 'client'],
  [13, 13, 'server'],
  [14, 37, 'both'],
  [38, 38, 'client'],
  [39, 39, 'both'],
  [40, 53, 'server'],
  [54, 55, 'client'],
  [56, 59, 'server'],
  [60, 62, 'both'],
  [63, 67, 'server'],
  [68, 68, 'both'],
  [69, 73, 'server'],
  [74, 74, 'client'],
  [75, 83, 'server'],
  [84, 90, 'server'],
  [91, 104, 'server'],
  [105, 105, 'client'],
  [106, 106, 'server'],
  [107, 107, 'both'],
  [108, 116, 'server'],
  [117, 117, 'both'],
  [118, 124, 'server', 'resume'],
  [125, 125, 'server'],
  [126, 128, 'server', 'detach'],
  [129, 129, 'client', 'resume'],
  [130, 173, 'server'],
  [174, 183, 'server'],
  [184, 184, 'client'],
  [185, 185, 'server'],
  [186, 186, 'both'],
  [187, 187, 'server'],
  [188, 188, 'both'],
  [189, 193, 'server', 'keys'],
  [194, 194, 'server', 'resume'],
  [195, 195, 'server', 'detach'],
  [196, 196, 'server', 'resume'],
  [197, 197, 'server', 'detach'],
  [198, 198, 'server', 'resume'],
  [200, 219, 'server'],
  [220, 220, 'server', 'invokes'],
  [230, 241, 'server', 'invokes'],
  [242, 243, 'server'],
  [244, 246, 'server', 'invokes'],
  [250, 260, 'server'],
  [270, 275, 'server'],
  [280, 280, 'client', 'resume'],
  [281, 281, 'both'],
  [282, 285, 'client'],
  [286, 287, 'both'],
  [288, 288, 'both'],
  [289, 289, 'server'],
  [290, 290, 'client'],
  [291, 293, 'both'],
  [294, 295, 'server'],
  [296, 296, 'client', 'resume'],
  [297, 297, 'server', 'resume'],
  [298, 300, 'server'],
  [302, 302, 'client', 'resume'],
  [310, 315, 'server', 'keys'],
  [316, 316, 'server'],
  [317, 317, 'client'],
  [340, 357, 'server', 'generation'],
  [358, 364, 'server', 'sessions'],
  [365, 367, 'server', 'blobs'],
  [368, 369, 'server', 'functions'],
  [370, 370, 'server', 'detach'],
  [371, 371, 'client', 'resume'],
  [372, 372, 'server', 'resume'],
  [390, 392, 'client'],
  [393, 395, 'server'],
  [396, 404, 'server', 'sessions'],
  [410, 411, 'server', 'blobs'],
  [412, 414, 'server', 'functions'],
  [416, 417, 'client', 'blobs'],
  [418, 418, 'both', 'blobs'],
  [419, 419, 'client', 'blobs'],
  [420, 426, 'server', 'explain'],
  [430, 437, 'server', 'batching'],
  [440, 441, 'server'],
  [450, 452, 'server', 'moves'],
  [453, 453, 'client', 'moves'],
  [460, 460, 'server', 'generation'],
  [461, 468, 'server', 'batch_generation'],
  [469, 469, 'server', 'generation'],
  [490, 492, 'server'],
  [493, 494, 'server', 'explain'],
];

/** Requirements that no peer can check, with the reason. */
const UNOBSERVED: Readonly<Record<string, string>> = {
  'R-007': 'a runner comes after the models are loaded',
  'R-053': 'it takes more runs than one client should queue on a server of others',
  'R-057': 'it takes more unread bytes than a test should make',
  'R-065': 'it permits; nothing is wrong without it',
  'R-077': 'it takes two starts of one server',
  'R-113': 'whether the model waits shows in its owner’s measurements only',
  'R-175': 'the files are the server’s',
  'R-184': 'what a person or program does with an error is its own affair',
  'R-394': 'it takes as long as the server allows a run',
  'R-440': 'it takes more connections than one client should open',
  'R-437': 'why a pass did not go on doesn’t show',
  'R-395': 'it takes more runs than one client should start',
  'R-295': 'it takes the end of the server',
  'R-288': 'a dead peer takes a minute to be found',
  'R-313': 'it takes the hand of whoever keeps the keys',
  'R-370': 'it takes two starts of one server',
  'R-372': 'a reader that takes in nothing is given minutes',
  'R-314': 'it permits; nothing is wrong without it',
  'R-468': 'it takes a model that can’t',
  'R-275': 'it takes a model that is fed no token ids',
};

export const REQUIREMENTS: readonly Requirement[] = STRETCHES.flatMap(([first, last, side, profile]) =>
  Array.from({ length: last - first + 1 }, (_, index): Requirement => {
    const id = `R-${String(first + index).padStart(3, '0')}`;
    const unobserved = UNOBSERVED[id];
    return { id, side, profile: profile ?? 'core', ...(unobserved === undefined ? {} : { unobserved }) };
  }),
);
