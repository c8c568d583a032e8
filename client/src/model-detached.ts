/** How a model's methods start detached runs and follow them: `start`, `attach` and the like for sessions. */
import { toArguments, toFunction } from './arguments.ts';
import {
  checkRunId,
  type DetachedGeneration,
  type DetachedRun,
  detachedGeneration,
  detachedRun,
  generates,
} from './detached.ts';
import type { How } from './execute.ts';
import { type Generating, toGenerating } from './generation.ts';
import type { CallSite } from './location.ts';
import type { ModelAccess } from './model-access.ts';
import { ATTACH_OPTIONS, FOLLOW_SESSION_OPTIONS, SESSION_OPTIONS } from './model-options.ts';
import { type AnyResult, runGeneration, runSession, runTrace } from './model-runs.ts';
import type { Session } from './session.ts';

type AnyDetached<T> = DetachedRun<T> | DetachedGeneration<T, AnyResult<T>>;

/** `written`: what `start` was given. */
export async function startRun<T>(
  access: ModelAccess,
  written: readonly unknown[],
  site: CallSite,
): Promise<AnyDetached<T>> {
  const [first, second] = written;
  if (generates(second) || (generates(first) && typeof second === 'function'))
    return startGeneration(access, toGenerating<T>(written), site, { detach: true });
  const { result, execution } = await runTrace(access, toArguments<T>(written, 'start'), site, {
    detach: true,
  });
  return detachedRun(result, execution);
}

/** `rest`: what `attach` was given behind the run's id. */
export async function attachRun<T>(
  access: ModelAccess,
  run: string,
  rest: readonly unknown[],
  site: CallSite,
): Promise<AnyDetached<T>> {
  checkRunId(run);
  const [first, second] = rest;
  const how: How = { follow: run };
  if (generates(first)) return startGeneration(access, toGenerating<T>(['', first, second]), site, how);
  const work = { prompts: 'either' as const, ...toFunction<T>(rest, ATTACH_OPTIONS, 'attach') };
  const { result, execution } = await runTrace(access, work, site, how);
  return detachedRun(result, execution);
}

/** `written`: what `startSession` was given. */
export async function startSessionRun<T>(
  access: ModelAccess,
  written: readonly unknown[],
  site: CallSite,
): Promise<DetachedRun<T>> {
  const work = toFunction<T, Session>(written, SESSION_OPTIONS, 'startSession');
  const { result, execution } = await runSession(access, work, site, { detach: true });
  return detachedRun(result, execution);
}

/** `rest`: what `attachSession` was given behind the run's id. */
export async function attachSessionRun<T>(
  access: ModelAccess,
  run: string,
  rest: readonly unknown[],
  site: CallSite,
): Promise<DetachedRun<T>> {
  checkRunId(run);
  const work = toFunction<T, Session>(rest, FOLLOW_SESSION_OPTIONS, 'attachSession');
  const { result, execution } = await runSession(access, work, site, { follow: run });
  return detachedRun(result, execution);
}

/** Resolves when the server has taken the generation in, or rejects as it does. */
function startGeneration<T>(
  access: ModelAccess,
  of: Generating<T>,
  site: CallSite,
  how: How,
): Promise<DetachedGeneration<T, AnyResult<T>>> {
  return new Promise((resolve, reject) => {
    const generation = runGeneration(access, of, site, how, (result, execution) =>
      resolve(detachedGeneration(result, execution, generation)),
    );
    generation.then(undefined, reject);
  });
}
