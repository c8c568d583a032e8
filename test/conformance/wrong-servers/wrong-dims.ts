import { retelling, type WrongServer } from './scaffold.ts';

/** All tensors are lists. */
export const wrongDims: WrongServer = {
  wrong: 'gives tensors of other dims',
  caughtBy: ['place-dims', 'operator-MatMul'],
  corrupt: retelling((header) => {
    const value = header['value'] as { readonly tensor?: { readonly dims: readonly number[] } } | undefined;
    if (header.type !== 'value' || !value?.tensor) return header;
    const { tensor } = value;
    const length = tensor.dims.reduce((product, dim) => product * dim, 1);
    return { ...header, value: { tensor: { ...tensor, dims: [length] } } };
  }),
};
