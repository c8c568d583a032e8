/** The next token, unchanged beside changed: a row a token, bars for the eye, numbers for everybody. */
import type { JSX } from 'preact';
import { percent } from '../context.ts';
import { visible } from '../token-texts.ts';
import type { Change } from './distributions.ts';

const SHOWN = 12;

export function DistributionTable({ changes }: { readonly changes: readonly Change[] }): JSX.Element {
  const shown = [...changes]
    .sort((a, b) => Math.max(b.plain, b.changed) - Math.max(a.plain, a.changed))
    .slice(0, SHOWN)
    .sort((a, b) => b.plain - a.plain);
  return (
    <div class="distribution">
      <table>
        <caption class="unseen">The next token’s probabilities, unchanged and changed</caption>
        <thead>
          <tr>
            <th scope="col">next token</th>
            <th scope="col">unchanged</th>
            <th scope="col">changed</th>
          </tr>
        </thead>
        <tbody>
          {shown.map(({ id, text, plain, changed }) => (
            <tr key={id} data-token={id}>
              <th scope="row">{visible(text)}</th>
              <Share share={plain} kind="plain" />
              <Share share={changed} kind={changed >= plain ? 'more' : 'less'} />
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Share({
  share,
  kind,
}: {
  readonly share: number;
  readonly kind: 'plain' | 'more' | 'less';
}): JSX.Element {
  return (
    <td class={kind} data-share={share}>
      <i aria-hidden="true" style={{ width: `${(share * 100).toFixed(2)}%` }} />
      <span>{percent(share)}</span>
    </td>
  );
}

/** What became of the likeliest token, in a sentence. */
export function Verdict({ changes }: { readonly changes: readonly Change[] }): JSX.Element {
  const best = (by: 'plain' | 'changed'): Change | undefined => [...changes].sort((a, b) => b[by] - a[by])[0];
  const [was, is] = [best('plain'), best('changed')];
  if (!was || !is) return <>No token came back.</>;
  if (was.id !== is.id) {
    return (
      <>
        <b>{visible(was.text)}</b> {percent(was.plain)} gives way to <b>{visible(is.text)}</b>{' '}
        {percent(is.changed)}.
      </>
    );
  }
  return (
    <>
      Still <b>{visible(was.text)}</b>: {percent(was.plain)} → {percent(was.changed)}.
    </>
  );
}
