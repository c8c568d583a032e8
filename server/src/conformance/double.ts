/** The function of the suite: y = x + x, float32 of one axis, as ONNX writes it (IR 10, operator set 21). */
export const DOUBLE = Buffer.from(
  '080a12003a370a0e0a01780a017812017922034164641201675a100a0178120b0a09080112050a0312016e62100a0179120b0a09080112050a0312016e42040a001015',
  'hex',
);
