/** The program behind a view, folded away, ready to copy. */
import type { JSX } from 'preact';
import { useRef, useState } from 'preact/hooks';

export function Code({ program, of }: { readonly program: string; readonly of: string }): JSX.Element {
  const [said, say] = useState('');
  const text = useRef<HTMLPreElement>(null);
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(program);
      say('Copied.');
    } catch {
      // Browsers let pages copy on loopback and with TLS only.
      if (text.current) getSelection()?.selectAllChildren(text.current);
      say('The browser does not let this page copy. The code is selected: press Ctrl+C or ⌘C.');
    }
  };
  return (
    <details class="code">
      <summary>Code of {of}</summary>
      <div class="code-bar">
        <span>The program that made this view. Save it as trace.mjs and run it with Node.</span>
        <output>{said}</output>
        <button type="button" onClick={() => void copy()}>
          Copy
        </button>
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached without a mouse. */}
      <section tabIndex={0} aria-label={`Code of ${of}`}>
        <pre ref={text}>
          <code>{program}</code>
        </pre>
      </section>
    </details>
  );
}
