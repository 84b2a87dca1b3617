import * as grpc from '@grpc/grpc-js';
import * as protoLoader from '@grpc/proto-loader';
import type { ProtoGrpcType as EventsProto } from './generated/events.ts';
import type { ProtoGrpcType as HealthProto } from './generated/health.ts';
import type { ProtoGrpcType as RuntimeProto } from './generated/runtime.ts';
import type { ProtoGrpcType as TasksProto } from './generated/tasks.ts';

// In the one-file build the .proto files lie beside the bundle.
const protoDir = new URL(import.meta.url.endsWith('.ts') ? '../../proto/' : './proto/', import.meta.url).pathname;

const settings: protoLoader.Options = {
  includeDirs: [protoDir],
  longs: String,
  enums: String,
  bytes: Buffer,
  defaults: true,
};

/** Loads what the runtime serves, with the settings that the generated types were made for. */
export function loadProto(): RuntimeProto & EventsProto & TasksProto {
  const files = ['cri/runtime.proto', 'containerd/events.proto', 'containerd/tasks.proto'];
  const definition = protoLoader.loadSync(files, settings);
  return grpc.loadPackageDefinition(definition) as unknown as RuntimeProto & EventsProto & TasksProto;
}

/** Loads gRPC's health checking protocol. */
export function loadHealthProto(): HealthProto {
  return grpc.loadPackageDefinition(protoLoader.loadSync('grpc/health.proto', settings)) as unknown as HealthProto;
}
