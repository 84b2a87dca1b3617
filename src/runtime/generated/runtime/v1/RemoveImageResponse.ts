// Original file: proto/cri/runtime.proto


export interface RemoveImageResponse {
}

export interface RemoveImageResponse__Output {
}
