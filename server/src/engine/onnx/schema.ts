/**
 * The part of the ONNX file format (onnx.proto, IR version 12) that the engine reads and writes. Our own
 * schema, since published packages lag behind: the dynamo exporter's `metadata_props` are where modules are.
 * Fields that aren't listed are dropped, so nothing that changes a model's meaning may be missing here.
 */
import protobuf from 'protobufjs';

const SCHEMA = `
syntax = "proto3";
package onnx;
message StringStringEntryProto { string key = 1; string value = 2; }
message TensorProto {
  repeated int64 dims = 1; int32 data_type = 2;
  repeated float float_data = 4; repeated int32 int32_data = 5; repeated bytes string_data = 6;
  repeated int64 int64_data = 7; string name = 8; bytes raw_data = 9;
  repeated double double_data = 10; repeated uint64 uint64_data = 11;
  repeated StringStringEntryProto external_data = 13; int32 data_location = 14;
}
message SparseTensorProto { TensorProto values = 1; TensorProto indices = 2; repeated int64 dims = 3; }
message TensorShapeProto {
  message Dimension { oneof value { int64 dim_value = 1; string dim_param = 2; } }
  repeated Dimension dim = 1;
}
message TypeProto {
  message Tensor { int32 elem_type = 1; TensorShapeProto shape = 2; }
  message Sequence { TypeProto elem_type = 1; }
  message Optional { TypeProto elem_type = 1; }
  oneof value { Tensor tensor_type = 1; Sequence sequence_type = 4; Optional optional_type = 9; }
}
message ValueInfoProto { string name = 1; TypeProto type = 2; }
message AttributeProto {
  string name = 1; float f = 2; int64 i = 3; bytes s = 4; TensorProto t = 5; GraphProto g = 6;
  repeated float floats = 7; repeated int64 ints = 8; repeated bytes strings = 9;
  repeated TensorProto tensors = 10; repeated GraphProto graphs = 11; TypeProto tp = 14;
  repeated TypeProto type_protos = 15; int32 type = 20; string ref_attr_name = 21;
  SparseTensorProto sparse_tensor = 22; repeated SparseTensorProto sparse_tensors = 23;
}
message NodeProto {
  repeated string input = 1; repeated string output = 2; string name = 3; string op_type = 4;
  repeated AttributeProto attribute = 5; string domain = 7; string overload = 8;
  repeated StringStringEntryProto metadata_props = 9;
}
message GraphProto {
  repeated NodeProto node = 1; string name = 2; repeated TensorProto initializer = 5;
  repeated ValueInfoProto input = 11; repeated ValueInfoProto output = 12; repeated ValueInfoProto value_info = 13;
  repeated SparseTensorProto sparse_initializer = 15;
}
message OperatorSetIdProto { string domain = 1; int64 version = 2; }
message FunctionProto {
  string name = 1; repeated string input = 4; repeated string output = 5; repeated string attribute = 6;
  repeated NodeProto node = 7; repeated OperatorSetIdProto opset_import = 9; string domain = 10;
  repeated AttributeProto attribute_proto = 11; repeated ValueInfoProto value_info = 12; string overload = 13;
}
message ModelProto {
  int64 ir_version = 1; string producer_name = 2; string producer_version = 3; GraphProto graph = 7;
  repeated OperatorSetIdProto opset_import = 8; repeated FunctionProto functions = 25;
}
`;

/** An int64 as protobufjs gives it: a Long where it came from a file, a number where we wrote it. */
export type Int64 = number | { toNumber(): number };

export interface Entry {
  key: string;
  value: string;
}

export interface TensorProto {
  name: string;
  dims: Int64[];
  data_type: number;
  raw_data?: Uint8Array;
  float_data?: number[];
  int32_data?: number[];
  int64_data?: Int64[];
  double_data?: number[];
  uint64_data?: Int64[];
  string_data?: Uint8Array[];
  external_data?: Entry[];
  /** 1: the bytes are in an external file. */
  data_location?: number;
}

export interface AttributeProto {
  name: string;
  type: number;
  f?: number;
  i?: Int64;
  s?: Uint8Array;
  t?: TensorProto;
  g?: GraphProto;
  floats?: number[];
  ints?: Int64[];
  strings?: Uint8Array[];
  graphs?: GraphProto[];
}

/** `AttributeProto.type`. */
export const ATTRIBUTE_TYPE = { float: 1, int: 2, string: 3, tensor: 4, floats: 6, ints: 7 } as const;

export interface NodeProto {
  name: string;
  op_type: string;
  domain?: string;
  input: string[];
  output: string[];
  attribute: AttributeProto[];
  metadata_props?: Entry[];
}

export interface ValueInfoProto {
  name: string;
  type?: {
    tensor_type?: {
      elem_type: number;
      shape?: { dim: { dim_value?: Int64; dim_param?: string }[] };
    };
  };
}

export interface GraphProto {
  name: string;
  node: NodeProto[];
  initializer: TensorProto[];
  sparse_initializer?: unknown[];
  input: ValueInfoProto[];
  output: ValueInfoProto[];
  value_info?: ValueInfoProto[];
}

export interface ModelProto {
  ir_version: Int64;
  producer_name?: string;
  producer_version?: string;
  opset_import: { domain: string; version: Int64 }[];
  functions?: unknown[];
  graph: GraphProto;
}

const modelType = protobuf.parse(SCHEMA, { keepCase: true }).root.lookupType('onnx.ModelProto');

/**
 * Decodes an ONNX file. Bytes of tensors are views of `bytes`, not copies. Throws for anything that isn't
 * one; an empty file decodes to a model without a graph, which the caller must refuse.
 */
export function decodeModel(bytes: Uint8Array): Partial<ModelProto> {
  // protobufjs leaves absent fields on the prototype; repeated ones there as an empty list.
  return modelType.decode(bytes) as unknown as Partial<ModelProto>;
}

export function encodeModel(model: ModelProto): Uint8Array {
  return modelType.encode(modelType.fromObject(model)).finish();
}

export function toNumber(value: Int64): number {
  return typeof value === 'number' ? value : value.toNumber();
}
