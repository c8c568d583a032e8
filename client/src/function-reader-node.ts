/** In Node a function is read when it is made: what is wrong with its file is thrown by `model.fn`. */
import { sha256Hex } from '@tracewire/protocol';
import { readBytes } from './function-reading.ts';
import type { FunctionReader } from './user-function.ts';

export const READER: FunctionReader | undefined = { read: readBytes, sha256: sha256Hex };
