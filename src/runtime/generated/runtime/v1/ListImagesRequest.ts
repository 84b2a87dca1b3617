// Original file: proto/cri/runtime.proto


export interface ListImagesRequest {
}

export interface ListImagesRequest__Output {
}
