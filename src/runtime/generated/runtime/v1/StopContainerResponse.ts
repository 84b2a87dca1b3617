// Original file: proto/cri/runtime.proto


export interface StopContainerResponse {
}

export interface StopContainerResponse__Output {
}
