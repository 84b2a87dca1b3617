// Original file: proto/containerd/tasks.proto


export interface WaitRequest {
  'containerId'?: (string);
}

export interface WaitRequest__Output {
  'containerId': (string);
}
