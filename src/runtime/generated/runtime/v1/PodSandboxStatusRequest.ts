// Original file: proto/cri/runtime.proto


export interface PodSandboxStatusRequest {
  'podSandboxId'?: (string);
}

export interface PodSandboxStatusRequest__Output {
  'podSandboxId': (string);
}
