// Original file: proto/cri/runtime.proto


export interface ContainerStatusRequest {
  'containerId'?: (string);
}

export interface ContainerStatusRequest__Output {
  'containerId': (string);
}
