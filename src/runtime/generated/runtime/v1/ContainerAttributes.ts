// Original file: proto/cri/runtime.proto


export interface ContainerAttributes {
  'id'?: (string);
}

export interface ContainerAttributes__Output {
  'id': (string);
}
