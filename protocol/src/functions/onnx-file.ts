/** The fields of an ONNX file (onnx.proto) that a function may have, and those whose presence refuses it. */
import { type ProtoMessage, type ProtoTable, readProto } from './proto-reader.ts';

export interface FileTensor {
  readonly dims?: readonly bigint[];
  readonly data_type?: bigint;
  readonly name?: string;
  readonly raw_data?: Uint8Array;
  readonly float_data?: readonly Uint8Array[];
  readonly int32_data?: readonly Uint8Array[];
  readonly int64_data?: readonly Uint8Array[];
  readonly double_data?: readonly Uint8Array[];
  readonly uint64_data?: readonly Uint8Array[];
  readonly string_data?: true;
  readonly segment?: true;
  readonly external_data?: true;
  readonly data_location?: bigint;
}

export interface FileAttribute {
  readonly name?: string;
  readonly type?: bigint;
  readonly f?: number;
  readonly i?: bigint;
  readonly s?: Uint8Array;
  readonly t?: readonly FileTensor[];
  readonly ints?: readonly bigint[];
  readonly floats?: readonly Uint8Array[];
  readonly graph?: true;
  readonly ref_attr_name?: string;
}

export interface FileNode {
  readonly input?: readonly string[];
  readonly output?: readonly string[];
  readonly name?: string;
  readonly op_type?: string;
  readonly domain?: string;
  readonly attribute?: readonly FileAttribute[];
}

export interface FileDim {
  readonly dim_value?: bigint;
  readonly dim_param?: string;
}

interface FileTensorType {
  readonly elem_type?: bigint;
  readonly shape?: readonly { readonly dim?: readonly FileDim[] }[];
}

export interface FileValue {
  readonly name?: string;
  readonly type?: readonly { readonly tensor_type?: readonly FileTensorType[] }[];
}

export interface FileGraph {
  readonly node?: readonly FileNode[];
  readonly initializer?: readonly FileTensor[];
  readonly input?: readonly FileValue[];
  readonly output?: readonly FileValue[];
  readonly sparse_initializer?: true;
}

/** A message that stands once is a list of one. */
export interface FileModel {
  readonly ir_version?: bigint;
  readonly graph?: readonly FileGraph[];
  readonly opset_import?: readonly { readonly domain?: string; readonly version?: bigint }[];
  readonly functions?: true;
}

const TENSOR: ProtoTable = {
  1: ['dims', 'ints'],
  2: ['data_type', 'int'],
  3: ['segment', 'there'],
  4: ['float_data', 'packed'],
  5: ['int32_data', 'packed'],
  6: ['string_data', 'there'],
  7: ['int64_data', 'packed'],
  8: ['name', 'string'],
  9: ['raw_data', 'bytes'],
  10: ['double_data', 'packed'],
  11: ['uint64_data', 'packed'],
  13: ['external_data', 'there'],
  14: ['data_location', 'int'],
};

/** What else an attribute may hold (graphs, sparse tensors, lists of them) is all `graph`: none of it is taken. */
const ATTRIBUTE: ProtoTable = {
  1: ['name', 'string'],
  2: ['f', 'float'],
  3: ['i', 'int'],
  4: ['s', 'bytes'],
  5: ['t', TENSOR],
  6: ['graph', 'there'],
  7: ['floats', 'packed'],
  8: ['ints', 'ints'],
  10: ['graph', 'there'],
  11: ['graph', 'there'],
  20: ['type', 'int'],
  21: ['ref_attr_name', 'string'],
  22: ['graph', 'there'],
  23: ['graph', 'there'],
};

const NODE: ProtoTable = {
  1: ['input', 'strings'],
  2: ['output', 'strings'],
  3: ['name', 'string'],
  4: ['op_type', 'string'],
  5: ['attribute', ATTRIBUTE, 'list'],
  7: ['domain', 'string'],
};

const DIM: ProtoTable = { 1: ['dim_value', 'int'], 2: ['dim_param', 'string'] };
const TENSOR_TYPE: ProtoTable = { 1: ['elem_type', 'int'], 2: ['shape', { 1: ['dim', DIM, 'list'] }] };
const VALUE: ProtoTable = { 1: ['name', 'string'], 2: ['type', { 1: ['tensor_type', TENSOR_TYPE] }] };

const GRAPH: ProtoTable = {
  1: ['node', NODE, 'list'],
  5: ['initializer', TENSOR, 'list'],
  11: ['input', VALUE, 'list'],
  12: ['output', VALUE, 'list'],
  15: ['sparse_initializer', 'there'],
};

const MODEL: ProtoTable = {
  1: ['ir_version', 'int'],
  7: ['graph', GRAPH],
  8: ['opset_import', { 1: ['domain', 'string'], 2: ['version', 'int'] }, 'list'],
  25: ['functions', 'there'],
};

/** Throws a `ProtoFault` for what is no protobuf of these fields. */
export function readOnnxFile(bytes: Uint8Array): FileModel {
  const message: ProtoMessage = readProto(bytes, MODEL);
  return message as FileModel;
}
