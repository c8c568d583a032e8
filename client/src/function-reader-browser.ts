/** In a page what reads functions is loaded with what writes traces, so the first trace that calls one tells what is wrong with it. */
import type { FunctionReader } from './user-function.ts';

export const READER: FunctionReader | undefined = undefined;
