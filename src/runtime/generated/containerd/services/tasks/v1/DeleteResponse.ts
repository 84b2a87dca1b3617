// Original file: proto/containerd/tasks.proto


export interface DeleteResponse {
}

export interface DeleteResponse__Output {
}
