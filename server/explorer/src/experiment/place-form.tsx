/** What to do at a place: ablate, patch or steer; of the block, its attention or its MLP. */
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { Context } from '../context.ts';
import { visible } from '../token-texts.ts';
import type { Action, Part, Wish } from './target.ts';

const ACTIONS: readonly (readonly [Action, string, string])[] = [
  ['ablate', 'Ablate', 'It adds nothing to the residual there.'],
  ['patch', 'Patch', 'What another prompt has there stands in its place.'],
  ['steer', 'Steer', 'A direction is added: what one text has at its end, less what another has.'],
];
const PARTS: Readonly<Record<Part, string>> = { block: 'block', attention: 'attention', mlp: 'MLP' };

interface Props {
  readonly context: Context;
  readonly wish: Wish;
  /** The other prompt's, once they are known. */
  readonly donorTokens: readonly string[] | undefined;
  readonly donorPosition: number;
  onWish(wish: Wish): void;
}

export function PlaceForm({ context, wish, donorTokens, donorPosition, onWish }: Props): JSX.Element {
  const { anatomy } = context;
  const parts = (Object.keys(PARTS) as Part[]).filter(
    (part) => part === 'block' || anatomy[part] !== undefined,
  );
  const change = (part: Partial<Wish>): void => onWish({ ...wish, ...part });
  const explained = ACTIONS.find(([action]) => action === wish.action)?.[2];
  return (
    <div class="place-form">
      <Choice
        legend="Do"
        name="action"
        options={ACTIONS.map(([action, label]) => [action, label] as const)}
        value={wish.action}
        onChoose={(action) => change({ action })}
      />
      <Choice
        legend="To the"
        name="part"
        options={parts.map((part) => [part, PARTS[part]] as const)}
        value={wish.part}
        onChoose={(part) => change({ part })}
      />
      <p class="quiet">{explained}</p>
      {wish.action === 'patch' && (
        <>
          <Texts
            fields={[['donor', 'From the prompt', wish.donor]]}
            onTexts={(texts) => change({ ...texts, donorPosition: undefined })}
          />
          {donorTokens && (
            <label>
              At its token
              <select
                value={donorPosition}
                onChange={(event) => change({ donorPosition: Number(event.currentTarget.value) })}
              >
                {donorTokens.map((token, index) => (
                  <option key={index} value={index}>
                    {index} {visible(token)}
                  </option>
                ))}
              </select>
            </label>
          )}
        </>
      )}
      {wish.action === 'steer' && (
        <>
          <Texts
            fields={[
              ['toward', 'Toward', wish.toward],
              ['away', 'Away from', wish.away],
            ]}
            onTexts={change}
          />
          <label>
            Strength {wish.strength}
            <input
              type="range"
              min={-6}
              max={6}
              step={0.5}
              value={wish.strength}
              onChange={(event) => change({ strength: Number(event.currentTarget.value) })}
            />
          </label>
        </>
      )}
    </div>
  );
}

interface ChoiceProps<T extends string> {
  readonly legend: string;
  readonly name: string;
  readonly options: readonly (readonly [T, string])[];
  readonly value: T;
  onChoose(value: T): void;
}

function Choice<T extends string>({ legend, name, options, value, onChoose }: ChoiceProps<T>): JSX.Element {
  return (
    <fieldset class="choice">
      <legend>{legend}</legend>
      {options.map(([option, label]) => (
        <label key={option}>
          <input type="radio" name={name} checked={option === value} onChange={() => onChoose(option)} />
          <span>{label}</span>
        </label>
      ))}
    </fieldset>
  );
}

type TextName = 'donor' | 'toward' | 'away';

/** Texts take effect together, when the form is sent. */
function Texts(props: {
  readonly fields: readonly (readonly [TextName, string, string])[];
  onTexts(texts: Partial<Record<TextName, string>>): void;
}): JSX.Element {
  const { fields, onTexts } = props;
  const [drafts, setDrafts] = useState<Partial<Record<TextName, string>>>({});
  const current = JSON.stringify(fields);
  // What was sent replaces the drafts.
  useEffect(() => setDrafts({}), [current]);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        onTexts(drafts);
      }}
    >
      {fields.map(([name, label, value]) => (
        <label key={name}>
          {label}
          <input
            type="text"
            required
            value={drafts[name] ?? value}
            onInput={(event) => setDrafts({ ...drafts, [name]: event.currentTarget.value })}
          />
        </label>
      ))}
      <button type="submit">Run</button>
    </form>
  );
}
