// Original file: proto/containerd/tasks.proto


export interface KillResponse {
}

export interface KillResponse__Output {
}
