// Original file: proto/cri/runtime.proto


export interface RuntimeConfigRequest {
}

export interface RuntimeConfigRequest__Output {
}
