/** The tokens that end a generation, as the model's files say. */
import { type ModelFiles, readConfig, readJson } from './intake/files.ts';

/** As many as a description lists. */
const MOST = 64;

/** `eos_token_id` of the generation's configuration, else of the model's; none where neither says it. */
export async function readEndOfText(files: ModelFiles): Promise<number[]> {
  const found = files.generationConfig ? tokensIn(await readJson(files.generationConfig)) : undefined;
  return found ?? tokensIn(await readConfig(files)) ?? [];
}

function tokensIn({ eos_token_id: named }: Readonly<Record<string, unknown>>): number[] | undefined {
  const ids = (Array.isArray(named) ? named : [named]).filter(
    (id): id is number => Number.isSafeInteger(id) && Number(id) >= 0,
  );
  return ids.length > 0 ? ids.slice(0, MOST) : undefined;
}
