/** Section 4: a description agrees with itself. */

import type { ConformanceCase } from '../cases.ts';
import { brief, check, mustEqual } from '../mismatch.ts';

const SYMBOL = '[A-Za-z_][A-Za-z0-9_.]*';
const AXIS = new RegExp(`^([?]|${SYMBOL}( [+*] ${SYMBOL})*)$`);

export const DESCRIPTIONS: readonly ConformanceCase[] = [
  {
    id: 'description-name',
    requirements: ['R-174', 'R-083'],
    shows: 'every model of the welcome is described under its name',
    run: async ({ open, welcome }) => {
      const peer = await open();
      for (const [request, model] of welcome.models.entries()) {
        peer.send({ type: 'describe', request, model });
        mustEqual('the name', (await peer.next('description')).description.name, model);
      }
    },
  },
  {
    id: 'description-order',
    requirements: ['R-176', 'R-179', 'R-140'],
    shows: 'modules come in the order of their outputs; a module’s input is before its output',
    run: async ({ model }) => {
      let before = -1;
      for (const { path, order } of model.description.modules) {
        if (order.output === undefined) continue;
        check(order.output >= before, `${path}.output not before ${before}`, () => String(order.output));
        before = order.output;
        if (order.input !== undefined)
          check(order.input <= order.output, `${path}.input not after its output`, () => brief(order));
      }
    },
  },
  {
    id: 'description-axes',
    requirements: ['R-178', 'R-289'],
    shows: 'an axis is a size, `?`, a symbol, or symbols with + and * between them',
    run: async ({ model }) => {
      const ports = model.description.modules.flatMap(({ inputs, outputs, sources = [] }) => [
        ...inputs,
        ...outputs,
        ...sources,
      ]);
      const names = ports.flatMap(({ dims }) => dims.filter((dim) => typeof dim === 'string'));
      const wrong = [...new Set(names)].filter((name) => !AXIS.test(name));
      mustEqual('axes that are none', wrong, []);
    },
  },
  {
    id: 'description-paths',
    requirements: ['R-083', 'R-135'],
    shows: 'paths and names are unique, and the blocks are modules',
    run: async ({ model }) => {
      const { modules, parameters, blocks } = model.description;
      mustEqual('twice', twice(modules.map(({ path }) => path)), []);
      mustEqual('twice', twice(parameters.map(({ name }) => name)), []);
      const paths = new Set(modules.map(({ path }) => path));
      mustEqual(
        'blocks that are no modules',
        blocks.filter((block) => !paths.has(block)),
        [],
      );
    },
  },
  {
    id: 'description-missing',
    requirements: ['R-180', 'R-179'],
    shows: 'a module has outputs and their place in the order, or says in `missing` why not',
    run: async ({ model }) => {
      for (const { path, outputs, missing, order } of model.description.modules) {
        check(outputs.length > 0 || missing !== undefined, `${path}: outputs or missing`, () => 'neither');
        mustEqual(`${path}: order.output there`, order.output !== undefined, outputs.length > 0);
      }
    },
  },
];

function twice(names: readonly string[]): string[] {
  return names.filter((name, index) => names.indexOf(name) !== index);
}
