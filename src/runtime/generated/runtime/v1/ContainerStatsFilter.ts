// Original file: proto/cri/runtime.proto


export interface ContainerStatsFilter {
  'labelSelector'?: ({[key: string]: string});
}

export interface ContainerStatsFilter__Output {
  'labelSelector': ({[key: string]: string});
}
