// Original file: proto/containerd/tasks.proto


export interface KillRequest {
  'containerId'?: (string);
  'signal'?: (number);
  'all'?: (boolean);
}

export interface KillRequest__Output {
  'containerId': (string);
  'signal': (number);
  'all': (boolean);
}
