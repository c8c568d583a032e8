/** Runs code as it is copied from the page, and gets at what it computed. */

/** The program with one line more, which prints its result as the last one: `{"result": …}`. */
export function reporting(program: string): string {
  const [, name] = /^const (\w+|\{[^}]*\}) = await /m.exec(program) ?? [];
  if (name === undefined) throw new Error('The program has no result.');
  return program.replace(
    'await model.close();',
    `const plain = ${plain};\nconsole.log('\\n' + JSON.stringify({ result: plain(${name}) }));\nawait model.close();`,
  );
}

/** Handles as their tensors' dims and elements, ids as numbers, what isn't JSON left out. */
export function plain(value: unknown): unknown {
  const { isArray } = Array;
  const visit = (one: unknown): unknown => {
    if (typeof one !== 'object' || one === null) return typeof one === 'bigint' ? Number(one) : one;
    if (isArray(one)) return one.map(visit);
    if ('label' in one && 'value' in one) return visit(one.value);
    if ('dims' in one && 'data' in one)
      return { dims: one.dims, data: Array.from(one.data as ArrayLike<number | bigint>, Number) };
    return Object.fromEntries(
      Object.entries(one).flatMap(([name, member]) => (member === undefined ? [] : [[name, visit(member)]])),
    );
  };
  return visit(value);
}
