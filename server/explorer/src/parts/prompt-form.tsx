/** The prompt, and the tokens that it was cut into. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { visible } from '../token-texts.ts';

interface Props {
  readonly text: string;
  /** Of the prompt that was run. */
  readonly tokens: readonly string[] | undefined;
  /** The model's context, in tokens. */
  readonly most: number | undefined;
  onText(text: string): void;
}

/** More would only push the views out of sight. */
const SHOWN = 60;

export function PromptForm({ text, tokens, most, onText }: Props): JSX.Element {
  const [draft, setDraft] = useState(text);
  return (
    <form
      class="prompt"
      onSubmit={(event) => {
        event.preventDefault();
        onText(draft);
      }}
    >
      <label for="prompt">Prompt</label>
      <textarea
        id="prompt"
        rows={2}
        required
        spellcheck={false}
        value={draft}
        onInput={(event) => setDraft(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
          event.preventDefault();
          event.currentTarget.form?.requestSubmit();
        }}
        aria-describedby="prompt-tokens"
      />
      <button type="submit" class="primary">
        Run
      </button>
      <p id="prompt-tokens" class="tokens">
        {tokens && (
          <>
            <span class="quiet">
              {tokens.length} {tokens.length === 1 ? 'token' : 'tokens'}
              {most !== undefined && ` of ${most}`}
            </span>
            {tokens.slice(0, SHOWN).map((token, index) => (
              <code key={index}>{visible(token)}</code>
            ))}
            {tokens.length > SHOWN && <span class="quiet">and {tokens.length - SHOWN} more</span>}
          </>
        )}
      </p>
    </form>
  );
}
