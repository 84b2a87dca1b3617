// Original file: proto/containerd/tasks.proto


export interface WaitResponse {
}

export interface WaitResponse__Output {
}
